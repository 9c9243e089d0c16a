"""lunomm: Avellaneda-Stoikov market making on Luno, as small processes over Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lunomm.orderbook import LunoOrderBook

__version__ = "0.1.0"
__all__ = ["LunoOrderBook", "__version__"]


def __getattr__(name: str) -> object:
    # Imported when asked for: every command imports this package, few of them need settings, and none this class.
    if name == "LunoOrderBook":
        from lunomm.orderbook import LunoOrderBook

        return LunoOrderBook
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
