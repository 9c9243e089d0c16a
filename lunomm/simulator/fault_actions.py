"""The faults that change the exchange itself: its status, rules, price, book, fees (pure)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from lunomm.market.rules import MarketStatus, Side
from lunomm.simulator.exchange import Exchange
from lunomm.simulator.fault_table import Asked
from lunomm.simulator.faults import VenueAction
from lunomm.simulator.flow import Flow
from lunomm.simulator.ledger import FeeRates


class FaultActions:
    """Performs them on one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._away: dict[str, Flow] = {}
        """Houses that have left their market."""

    def perform(self, action: VenueAction, now_ms: int) -> list[str]:
        """Do it. What could not be done, one line each: a recording has no price of its own to move."""
        asked = action.asked
        name = asked.kind.name
        if name == "fee-change":
            rates = FeeRates(Decimal(str(asked.number("maker"))), Decimal(str(asked.number("taker"))))
            self._exchange.venue.change_fees(rates)
            return []
        problems: list[str] = []
        for pair in [asked.word("pair")] if asked.word("pair") else self._exchange.pairs:
            try:
                self._perform(name, pair, asked, now_ms, back=action.ends)
            except (KeyError, ValueError) as error:
                problems.append(f"fault {name}: {pair}: {error}")
        return problems

    def _perform(self, name: str, pair: str, asked: Asked, now_ms: int, *, back: bool) -> None:
        exchange = self._exchange
        if name == "status":
            word = "ACTIVE" if back else asked.word("kind")
            # On the streams a suspended market is POSTONLY: only the list of markets has the word.
            status = MarketStatus.parse("POSTONLY" if word == "SUSPENDED" else word)
            exchange.venue.set_status(now_ms, pair, status, suspended=word == "SUSPENDED")
            return
        house = self._away.get(pair) if back else exchange.houses[pair]
        if not isinstance(house, Flow):
            raise ValueError("only a seeded market does this, and only one whose house is there")
        if name == "rules-change":
            rules = exchange.venue.engine(pair).rules
            step = rules.price_scale + int(asked.number("scale"))
            least = rules.min_volume * (1 + Decimal(str(asked.number("percent"))) / 100)
            least = least.quantize(Decimal(1).scaleb(-rules.volume_scale))
            exchange.change_rules(now_ms, pair, msgspec.structs.replace(rules, price_scale=step, min_volume=least))
        elif name == "price-jump":
            self._leave(pair, now_ms, (Side.BID, Side.ASK))
            exchange.houses[pair] = house.reopened(now_ms, factor=1 + asked.number("percent") / 100)
        elif back:
            del self._away[pair]
            self._leave(pair, now_ms, (Side.BID, Side.ASK))
            exchange.houses[pair] = house.reopened(now_ms)
        else:
            self._away[pair] = house
            del exchange.houses[pair]
            kind = asked.word("kind")
            self._leave(pair, now_ms, tuple(s for s in Side if kind in ("both", "bids" if s is Side.BID else "asks")))

    def _leave(self, pair: str, now_ms: int, sides: tuple[Side, ...]) -> None:
        engine = self._exchange.venue.engine(pair)
        for order in [order for order in engine.orders.values() if order.owner is None and order.side in sides]:
            engine.cancel(now_ms, order.order_id)
