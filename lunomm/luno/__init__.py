"""The exchange: wire formats (pure, sole owner of Luno's field names), REST, market and user streams."""
