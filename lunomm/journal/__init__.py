"""The durable record of a gateway: SQLite, one file an account and venue. Imports trading; never the bus."""
