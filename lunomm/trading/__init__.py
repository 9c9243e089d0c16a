"""What we have and may do: order life, the reconciler, limits, inventory and PnL.

Pure: imports quoting, market and errors only.
"""
