"""What the market is: pair rules, the order book, signals, volatility, trading intensity.

Pure: imports nothing of lunomm but errors; no clock, no I/O, no randomness.
"""
