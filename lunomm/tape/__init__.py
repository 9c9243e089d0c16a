"""Recorded frames: reading and replaying them."""
