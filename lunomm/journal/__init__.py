"""The gateway's durable record: SQLite (WAL, synchronous=FULL); intent before POST, every status, every fill."""
