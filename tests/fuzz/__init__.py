"""Seeded nonsense for everything that comes from outside: frames of both streams, REST bodies, Redis payloads."""
