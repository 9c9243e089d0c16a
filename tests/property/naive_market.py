"""A book and a tick written from the protocol's prose, sharing nothing with the library but the rules' type."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from lunomm.market.rules import PairRules


def rules(pair: str, price_scale: int, volume_scale: int) -> PairRules:
    return PairRules(
        pair=pair,
        base=pair[:3],
        counter=pair[3:],
        price_scale=price_scale,
        volume_scale=volume_scale,
        min_price=Decimal(0),
        max_price=Decimal(10**12),
        min_volume=Decimal(0),
        max_volume=Decimal(10**9),
    )


class NaiveBook:
    """Written from the protocol's prose, sharing nothing with the library."""

    def __init__(self, frame: dict[str, Any]) -> None:
        self.sequence = int(frame["sequence"])
        self.status = frame["status"]
        self.orders: dict[str, tuple[str, Decimal, Decimal]] = {}
        self.volumes: dict[str, dict[Decimal, Decimal]] = {"BID": {}, "ASK": {}}
        self.queues: dict[tuple[str, Decimal], list[str]] = {}
        for side, rows in (("BID", frame["bids"]), ("ASK", frame["asks"])):
            for row in rows:
                self.put(row["id"], side, Decimal(row["price"]), Decimal(row["volume"]))

    def put(self, order_id: str, side: str, price: Decimal, volume: Decimal) -> None:
        self.orders[order_id] = (side, price, volume)
        self.queues.setdefault((side, price), []).append(order_id)
        self.volumes[side][price] = self.volumes[side].get(price, Decimal(0)) + volume

    def reduce(self, order_id: str, volume: Decimal) -> None:
        side, price, have = self.orders[order_id]
        assert volume <= have
        if have == volume:
            del self.orders[order_id]
            self.queues[side, price].remove(order_id)
        else:
            self.orders[order_id] = (side, price, have - volume)
        self.volumes[side][price] -= volume
        if not self.volumes[side][price]:
            del self.volumes[side][price]

    def apply(self, frame: dict[str, Any]) -> None:
        self.sequence += 1
        assert int(frame["sequence"]) == self.sequence
        for trade in frame["trade_updates"] or []:
            self.reduce(trade["maker_order_id"], Decimal(trade["base"]))
        create = frame["create_update"]
        if create:
            self.put(create["order_id"], create["type"], Decimal(create["price"]), Decimal(create["volume"]))
        delete = frame["delete_update"]
        if delete:
            self.reduce(delete["order_id"], self.orders[delete["order_id"]][2])
        if frame["status_update"]:
            self.status = frame["status_update"]["status"]

    def top(self, side: str, count: int) -> list[tuple[Decimal, Decimal]]:
        best = heapq.nlargest if side == "BID" else heapq.nsmallest
        return [(price, self.volumes[side][price]) for price in best(count, self.volumes[side])]

    # --- the tick ---------------------------------------------------------------------------------------------------

    def tick(self, pair: PairRules, own: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Every field of a tick that says what the market looks like, as JSON has it. own: order id -> intent id.

        The micro-price, the estimates and the clock's fields are not of one picture and left out.
        """
        own = own or {}
        top = {side: self.top(side, 10) for side in ("BID", "ASK")}
        fair = {side: self.fair_best(side, top[side], own) for side in top}
        state = self.state(fair)
        bid, ask = (top[side][0] if top[side] else None for side in ("BID", "ASK"))
        total = {side: sum((volume for _, volume in top[side]), Decimal(0)) for side in top}
        both = total["BID"] + total["ASK"]
        told: dict[str, Any] = {
            "sequence": self.sequence,
            "state": state,
            "orders": len(self.orders),
            "levels": len(self.volumes["BID"]) + len(self.volumes["ASK"]),
            "bids": [[price_text(p, pair), volume_text(v, pair)] for p, v in top["BID"]],
            "asks": [[price_text(p, pair), volume_text(v, pair)] for p, v in top["ASK"]],
            "best_bid": price_text(bid[0], pair) if bid else None,
            "best_ask": price_text(ask[0], pair) if ask else None,
            "best_bid_size": volume_text(bid[1], pair) if bid else None,
            "best_ask_size": volume_text(ask[1], pair) if ask else None,
            "fair_best_bid": price_text(fair["BID"][0], pair) if fair["BID"] else None,
            "fair_best_ask": price_text(fair["ASK"][0], pair) if fair["ASK"] else None,
            "order_imbalance": float(Fraction(total["BID"]) / Fraction(both)) if both else None,
            "own": self.own(pair, own),
        }
        prices = ("mid_price", "spread", "vamp", "weighted_mid", "fair_mid", "fair_weighted_mid")
        told |= dict.fromkeys(prices)
        if state == "OK" and bid and ask and fair["BID"] and fair["ASK"]:
            told |= {
                "mid_price": digits(Fraction(bid[0] + ask[0]) / 2, pair.price_scale + 1),
                "spread": price_text(ask[0] - bid[0], pair),
                "vamp": digits(sum(mean(top[side]) for side in top) / 2, pair.price_scale + 6),
                "weighted_mid": digits(weighted(bid, ask), pair.price_scale + 6),
                "fair_mid": digits(Fraction(fair["BID"][0] + fair["ASK"][0]) / 2, pair.price_scale + 1),
                "fair_weighted_mid": digits(weighted(fair["BID"], fair["ASK"]), pair.price_scale + 6),
            }
        return told

    def state(self, fair: Mapping[str, Any]) -> str:
        if self.status == "DISABLED":
            return "DISABLED"
        if not fair["BID"] and not fair["ASK"]:
            return "EMPTY"
        if not fair["BID"] or not fair["ASK"]:
            return "ONE_SIDED"
        return "OK" if self.status == "ACTIVE" else self.status

    def fair_best(
        self, side: str, top: list[tuple[Decimal, Decimal]], own: Mapping[str, str]
    ) -> tuple[Decimal, Decimal] | None:
        ours: dict[Decimal, Decimal] = {}
        for order_id in own:
            if order_id in self.orders and self.orders[order_id][0] == side:
                _, price, volume = self.orders[order_id]
                ours[price] = ours.get(price, Decimal(0)) + volume
        assert len(ours) < 10  # so that some level of the top is not ours alone, where there are others at all
        others = ((p, v - ours.get(p, Decimal(0))) for p, v in top)
        return next(((price, volume) for price, volume in others if volume), None)

    def own(self, pair: PairRules, own: Mapping[str, str]) -> list[dict[str, Any]]:
        rows = []
        for order_id, intent_id in own.items():
            if order_id not in self.orders:
                continue
            side, price, volume = self.orders[order_id]
            queue = self.queues[side, price]
            ahead = [self.orders[other][2] for other in queue[: queue.index(order_id)] if other not in own]
            rows.append(
                {
                    "order_id": order_id,
                    "intent_id": intent_id,
                    "side": side,
                    "price": price_text(price, pair),
                    "volume": volume_text(volume, pair),
                    "volume_ahead": volume_text(sum(ahead, Decimal(0)), pair),
                    "orders_ahead": len(ahead),
                }
            )
        return rows


def mean(levels: list[tuple[Decimal, Decimal]]) -> Fraction:
    return Fraction(sum(p * v for p, v in levels)) / Fraction(sum(v for _, v in levels))


def weighted(bid: tuple[Decimal, Decimal], ask: tuple[Decimal, Decimal]) -> Fraction:
    return Fraction(bid[0] * ask[1] + ask[0] * bid[1]) / Fraction(bid[1] + ask[1])


def digits(value: Fraction, scale: int) -> str:
    """Rounded half to even at 10**-scale, written with max(scale, 0) decimals."""
    units = Decimal(round(value * Fraction(10) ** scale)) * Decimal(10) ** -scale
    return f"{units:.{max(scale, 0)}f}"


def price_text(price: Decimal, pair: PairRules) -> str:
    return f"{price:.{max(pair.price_scale, 0)}f}"


def volume_text(volume: Decimal, pair: PairRules) -> str:
    return f"{volume:.{pair.volume_scale}f}"
