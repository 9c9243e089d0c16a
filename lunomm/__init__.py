"""lunomm: Avellaneda-Stoikov market making on Luno, as small processes over Redis."""

from __future__ import annotations

__version__ = "0.1.0"
