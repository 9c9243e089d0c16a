"""Entry point of the `lunomm` command and of `python -m lunomm`.

What it needs is imported inside: a Ctrl-C in that first fifth of a second ends it like any other, without a traceback.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its code."""
    try:
        from lunomm.collector import paused

        with paused():
            from lunomm.cli import main as command
    except KeyboardInterrupt:
        sys.exit(0)  # nothing was begun
    command()


if __name__ == "__main__":
    main()
