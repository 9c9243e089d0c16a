"""How a reply is written where Luno was seen to write it in several ways (pure).

The style is laid over the finished reply, so that no part of the exchange but this one knows of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lunomm.simulator.behaviour import Behaviour

LONG = 18

_AMOUNTS = frozenset(
    (
        *("ask", "bid", "last_trade", "rolling_24_hour_volume", "price", "volume", "open", "close", "high", "low"),
        *("balance", "reserved", "unconfirmed", "limit_price", "limit_volume", "stop_price"),
        *("base", "counter", "fee_base", "fee_counter", "min_price", "max_price", "min_volume", "max_volume"),
    )
)
"""Fields that hold an amount as text; where the name is also a list's (``balance``), the list is left alone."""


def reply_json(reply: msgspec.Struct | dict[str, Any], behaviour: Behaviour) -> bytes:
    """The body of a successful call."""
    if not behaviour.rest_decimals_18 and behaviour.null_lists != "all":
        return msgspec.json.encode(reply)
    plain = msgspec.to_builtins(reply)
    if behaviour.null_lists == "all":
        plain = {name: None if value == [] else value for name, value in plain.items()}
    return msgspec.json.encode(_longer(plain) if behaviour.rest_decimals_18 else plain)


def error_json(body: msgspec.Struct, behaviour: Behaviour) -> bytes:
    """The body of a refused call."""
    if not behaviour.error_action:
        return msgspec.json.encode(body)
    return msgspec.json.encode({**msgspec.to_builtins(body), "error_action": {}})


def _longer(node: Any) -> Any:
    if isinstance(node, list):
        return [_longer(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _padded(value) if name in _AMOUNTS and isinstance(value, str) else _longer(value)
        for name, value in node.items()
    }


def _padded(text: str) -> str:
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(LONG, '0')}"
