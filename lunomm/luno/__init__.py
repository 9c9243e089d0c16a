"""The exchange: wire formats (pure, sole owner of Luno's field names), REST, market and user streams.

Pure: fields, wire, wire_rest, hosts, budget, replies, as_events. Shells: transport and rest, connection and the two
streams, redaction. Imports market, trading's events, and errors; a key goes nowhere but where ``hosts`` allows.
"""
