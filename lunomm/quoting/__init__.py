"""What we want: the Avellaneda-Stoikov model, sizes, timing, and the quotes that should be resting now.

Pure: imports market and errors only.
"""
