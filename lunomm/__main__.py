"""`python -m lunomm`: the same as the `lunomm` command."""

from __future__ import annotations

from lunomm.cli import main

if __name__ == "__main__":
    main()
