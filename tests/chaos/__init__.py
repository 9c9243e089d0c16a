"""Chaos with real processes: kill -9, SIGSTOP, a Redis that dies, against the simulated exchange's own truth."""
