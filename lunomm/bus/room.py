"""What this process may use of the machine: open files and memory. Too little is said at the start, in one line."""

from __future__ import annotations

from lunomm.errors import ConfigError

MIN_FILES = 64
"""A gateway has two dozen open, an exchange one for each visitor's connection besides."""

MIN_MEMORY = 640 * 2**20
"""Bytes of addresses: `up` was seen to take 540 MB of them (of memory itself a tenth)."""


def check_room() -> None:
    """Whether the limits of this shell leave a command room to work.

    Raises:
        ConfigError: they do not; says which, and what is needed.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY and files < MIN_FILES:
        raise ConfigError(
            f"open files: {files} allowed: lunomm needs {MIN_FILES}. Raise the limit: ulimit -n 1024", code="LIMITS"
        )
    for which, letter in ((resource.RLIMIT_AS, "v"), (resource.RLIMIT_DATA, "d")):
        memory = resource.getrlimit(which)[0]
        if memory != resource.RLIM_INFINITY and memory < MIN_MEMORY:
            raise ConfigError(
                f"memory: {memory // 2**20} MB allowed: lunomm needs {MIN_MEMORY // 2**20}. "
                f"Raise the limit: ulimit -{letter} unlimited",
                code="LIMITS",
            )
