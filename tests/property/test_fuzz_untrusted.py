"""What comes from outside, damaged: no exception that is not ours, no wrong book, no hang.

``LUNOMM_SOAK_FRAMES`` is the number of damaged texts over all four doors (default 100,000; the soak asks for a million)
and ``LUNOMM_SOAK_SEED`` their seed. A text that a door accepts must mean there what it means to a reader written from
the protocol's prose.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lunomm.bus.channels import ALL, LOB, QUOTES, Channel
from lunomm.bus.client import Bus
from lunomm.config import RedisAddress
from lunomm.errors import BookError, LunommError, MarketDataError
from lunomm.luno import as_events, wire, wire_rest
from lunomm.luno.replies import CANCEL, PLACE, failure
from lunomm.luno.wire import decode_market_frame, decode_user_frame
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import Side
from lunomm.trading import events as ev
from tests.fuzz.mutator import Mutator
from tests.property.test_book_against_naive import FrameSource, NaiveBook, assert_same_top, rules
from tests.unit.quoting.quoting_cases import Bench
from tests.unit.trading.trading_driver import PAIR, Driver, intent, make, seen, trade

FRAMES = int(os.environ.get("LUNOMM_SOAK_FRAMES", "100000"))
SEED = int(os.environ.get("LUNOMM_SOAK_SEED", "20261125"))

pytestmark = pytest.mark.timeout(max(120, FRAMES // 500))


ABSENT: dict[str, Any] = dict.fromkeys(("trade_updates", "create_update", "delete_update", "status_update"))
"""A part that is left out is one that did not happen."""


# --- the market stream ---------------------------------------------------------------------------------------------


def fresh() -> tuple[Book, NaiveBook]:
    pair = rules("ABCDEF", 2, 4)
    first = {"sequence": "1", "asks": [], "bids": [], "timestamp": 1_700_000_000_000, "status": "ACTIVE"}
    book = Book(pair)
    snapshot = decode_market_frame(json.dumps(first), pair)
    assert isinstance(snapshot, BookSnapshot)
    book.load(snapshot)
    return book, NaiveBook(first)


def test_market_frames() -> None:
    mutator = Mutator(SEED)
    source = FrameSource(SEED, rules("ABCDEF", 2, 4))
    book, naive = fresh()
    refused = accepted = 0
    for _ in range(FRAMES * 4 // 10):
        if naive.sequence > 3_000:
            book, naive = fresh()
        legal = source.legal(naive)
        damaged = mutator.damage(json.dumps(legal))
        try:
            event = decode_market_frame(damaged, book.rules)
            if isinstance(event, BookUpdate):
                book.apply(event)
        except MarketDataError:
            refused += 1
            event = None
        if isinstance(event, BookUpdate):
            # It is believed: then it is a legal frame, and the book is what a naive reader makes of it.
            accepted += 1
            naive.apply({**ABSENT, **json.loads(damaged)})
            if naive.status not in ("ACTIVE", "POSTONLY"):
                naive.status = "DISABLED"  # a word nobody knows does not trade
            assert_same_top(book, naive)
            continue
        assert_same_top(book, naive)
        good = decode_market_frame(json.dumps(legal), book.rules)
        assert isinstance(good, BookUpdate)
        try:
            book.apply(good)
        except BookError as error:
            # A believed frame had a trade number far ahead: the numbers behind it are of the past. Or one had a price
            # with twenty zeros behind the point, and the source's product of it is longer than any number. A resync.
            assert error.code == "DUPLICATE_TRADE" or "not a plain decimal number" in str(error)
            book, naive = fresh()
        else:
            naive.apply(legal)
    assert refused > FRAMES // 10 and accepted > FRAMES // 100


# --- the user stream -----------------------------------------------------------------------------------------------


def user_messages(driver: Driver) -> list[str]:
    order = next(iter(driver.core.live()))
    cid, oid = order.client_order_id, order.order_id
    part = {"order_id": oid, "client_order_id": cid, "market_id": PAIR}
    empty: dict[str, Any] = {"order_status_update": None, "order_fill_update": None, "balance_update": None}
    at = {"timestamp": driver.exchange_ms}
    fill = {
        **part, "base_fill": "0.001", "counter_fill": "299.9", "base_delta": "0.001", "counter_delta": "299.9",
        "base_fee": "0", "counter_fee": "0", "base_fee_delta": "0", "counter_fee_delta": "0",
    }  # fmt: skip
    balance = {
        "account_id": 1, "row_index": 7, "balance": "0.1", "balance_delta": "0", "available": "0.1",
        "available_delta": "0",
    }  # fmt: skip
    return [
        json.dumps({"type": "order_status", **at, **empty, "order_status_update": {**part, "status": "PENDING"}}),
        json.dumps({"type": "order_status", **at, **empty, "order_status_update": {**part, "status": "COMPLETE"}}),
        json.dumps({"type": "order_fill", **at, **empty, "order_fill_update": fill}),
        json.dumps({"type": "balance_update", **at, **empty, "balance_update": balance}),
    ]


def trading() -> Driver:
    driver = make().started()
    driver.working(intent(1, Side.BID, 299_900), "BX1")
    return driver


def sane(driver: Driver) -> None:
    """What no message may break."""
    for order in driver.core.desks[PAIR].working.orders.values():
        assert 0 <= order.filled.base <= order.volume and order.booked.base <= order.volume


def test_user_messages() -> None:
    mutator = Mutator(SEED + 1)
    driver, texts, used = trading(), list[str](), 0
    refused = accepted = 0
    for number in range(FRAMES * 2 // 10):
        if used % 200 == 0 or driver.core.shared.halted is not None or not driver.core.live():
            driver, used = trading(), 0
            texts = user_messages(driver)
        used += 1
        try:
            message = decode_user_frame(mutator.damage(texts[number % len(texts)]))
            event = as_events.user_event(message) if isinstance(message, wire.WireUserMessage) else None
        except MarketDataError:
            refused += 1
            continue
        if event is not None:
            accepted += 1
            driver.step(event)
            driver.mono_ns += 1_000_000
            driver.exchange_ms += 1
            sane(driver)
    assert refused > FRAMES // 25 and accepted > FRAMES // 100


# --- REST ----------------------------------------------------------------------------------------------------------


def bodies() -> list[tuple[type[Any], str]]:
    driver = trading()
    order = next(iter(driver.core.live()))
    shown = seen(order, filled="0.001")
    row = {
        "order_id": "BX1", "client_order_id": order.client_order_id, "pair": PAIR, "side": "BUY", "type": "LIMIT",
        "status": "PENDING", "time_in_force": "GTC", "limit_price": str(shown.price), "limit_volume": str(shown.volume),
        "stop_price": "0.00", "stop_direction": "", "base": "0.001", "counter": "299.9", "fee_base": "0",
        "fee_counter": "0", "base_account_id": 1, "counter_account_id": 2,
        "creation_timestamp": shown.created_ms, "completed_timestamp": 0,
        "expiration_timestamp": 0,
    }  # fmt: skip
    traded = trade(order, 7, "0.001")
    fill = {
        "pair": PAIR, "sequence": 7, "order_id": "BX1", "client_order_id": order.client_order_id, "type": "BID",
        "timestamp": traded.ts_ms, "price": str(traded.price), "volume": "0.001", "base": "0.001", "counter": "299.9",
        "fee_base": "0", "fee_counter": "0", "is_buy": False,
    }  # fmt: skip
    wallet = {"account_id": "1", "asset": "XBT", "balance": "0.1", "reserved": "0", "unconfirmed": "0", "name": "w"}
    market = {
        "market_id": PAIR, "trading_status": "ACTIVE", "base_currency": "XBT", "counter_currency": "MYR",
        "min_volume": "0.0005", "max_volume": "100.00", "volume_scale": 6, "min_price": "1.00",
        "max_price": "1000000.00", "price_scale": 0, "fee_scale": 8,
    }  # fmt: skip
    ticker = {
        "pair": PAIR, "timestamp": 1, "bid": "299999.00", "ask": "300001.00", "last_trade": "300000.00",
        "rolling_24_hour_volume": "18.6", "status": "ACTIVE",
    }  # fmt: skip
    fees = dict.fromkeys(("maker_fee", "taker_fee", "maker_fee_buy", "maker_fee_sell"), "0.0035")
    return [
        (wire_rest.OrderV2, json.dumps(row)),
        (wire_rest.OrdersV2, json.dumps({"orders": [row, {**row, "client_order_id": "by-hand", "order_id": "BX2"}]})),
        (wire_rest.UserTrades, json.dumps({"trades": [fill]})),
        (wire_rest.Balances, json.dumps({"balance": [wallet, {**wallet, "account_id": "2", "asset": "MYR"}]})),
        (wire_rest.Markets, json.dumps({"markets": [market]})),
        (wire_rest.Ticker, json.dumps(ticker)),
        (wire_rest.FeeInfo, json.dumps({**fees, "thirty_day_volume": "0"})),
        (wire_rest.PostOrderReply, json.dumps({"order_id": "BX9"})),
        (wire_rest.StopOrderReply, json.dumps({"success": True})),
    ]


def told(reply: Any, driver: Driver) -> list[ev.Event]:
    """The events that the gateway makes of one reply."""
    cid = next(iter(driver.core.desks[PAIR].working.orders))
    if isinstance(reply, wire_rest.OrderV2):
        return [ev.OrderRead(PAIR, cid, as_events.venue_order(reply))]
    if isinstance(reply, wire_rest.OrdersV2):
        return [ev.OpenOrdersRead(PAIR, tuple(as_events.venue_order(o) for o in reply.orders or []))]
    if isinstance(reply, wire_rest.UserTrades):
        return [ev.TradesRead(PAIR, tuple(as_events.venue_trade(t) for t in reply.trades or []))]
    if isinstance(reply, wire_rest.Balances):
        return [ev.BalancesRead(as_events.venue_balances(reply.balance or []), driver.mono_ns)]
    if isinstance(reply, wire_rest.Markets):
        return [ev.RulesRead(PAIR, row.rules()) for row in reply.markets or [] if row.market_id == PAIR]
    if isinstance(reply, wire_rest.Ticker):
        return [ev.ReferenceRead(PAIR, as_events.mid(reply))]
    if isinstance(reply, wire_rest.FeeInfo):
        return [ev.FeesRead(PAIR, *reply.rates())]
    if isinstance(reply, wire_rest.PostOrderReply):
        return [ev.Posted(PAIR, cid, reply.order_id)]
    return [ev.CancelReturned(PAIR, cid)]


def test_rest_bodies() -> None:
    mutator = Mutator(SEED + 2)
    choices, driver, used = bodies(), trading(), 0
    refused = accepted = 0
    for number in range(FRAMES * 2 // 10):
        if used % 100 == 0 or driver.core.shared.halted is not None:
            driver, used = trading(), 0
        used += 1
        shape, text = choices[number % len(choices)]
        body = mutator.damage(text).encode("utf-8", "surrogatepass")
        status = mutator.random.choice((200, 200, 200, 200, 400, 404, 409, 429, 500, 503))
        proofs = mutator.random.choice((None, PLACE, CANCEL))
        error = failure("fuzz", status, body, proofs=proofs, retry_after=mutator.random.choice((None, "1", "x", "1e9")))
        if error is not None:
            assert len(str(error)) < 600 and str(error).isprintable()
            refused += 1
            continue
        try:
            events = told(wire.decode(body, shape, "fuzz", limit=wire.MAX_REPLY), driver)
        except LunommError:
            refused += 1
            continue
        accepted += 1
        for event in events:
            driver.step(event)
        sane(driver)
    assert refused > FRAMES // 25 and accepted > FRAMES // 100


# --- Redis ---------------------------------------------------------------------------------------------------------


def payloads(bus: Bus, bench: Bench) -> list[tuple[Channel[Any], str]]:
    driver = make().started()
    driver.quote(intent(1, Side.BID, 299_900), intent(2, Side.ASK, 300_100))
    bid = intent(3, Side.BID, 299_800)
    wanted = msgspec.convert(
        {"pair": PAIR, "epoch": 9, "number": 1, "ts_ms": 1, "fair": 3e5, "intents": [msgspec.to_builtins(bid)]},
        QUOTES.type,
        strict=False,
    )
    found: list[tuple[Channel[Any], str]] = [(QUOTES, bus.encode(wanted)), (LOB, bus.encode(_tick(bench)))]
    return found + [(channel, '{"v":1,"pair":"XBTMYR","venue":"","build":"x"}') for channel in ALL]


def _tick(bench: Bench) -> Any:
    from tests.unit.quoting.quoting_cases import tick

    return tick(5, 300_000)


def test_redis_payloads() -> None:
    mutator = Mutator(SEED + 3)
    bus, bench, driver = Bus(RedisAddress(), "fuzz"), Bench(), make().started()
    choices = payloads(bus, bench)
    accepted = 0
    for number in range(FRAMES * 2 // 10):
        if number % 500 == 0 or driver.core.shared.halted is not None:
            driver, bench = make().started(), Bench()
        channel, text = choices[number % 2 if number % 8 else mutator.random.randrange(len(choices))]
        message = bus.decode(channel, mutator.damage(text), PAIR)
        if message is None:
            continue
        accepted += 1
        driver.mono_ns += 50_000_000
        driver.exchange_ms += 50
        if channel is QUOTES:
            if message.ts_ms == 1:  # as it was written above, undamaged: it is of now
                message.ts_ms = driver.exchange_ms
            driver.step(ev.QuotesSeen(PAIR, message))
            for placed in driver.take(ev.Place):
                # Whatever was wanted, what leaves is on the grid and inside the collar.
                assert placed.order.price % 1 == 0 and abs(placed.order.price - 300_000) <= 15_000
                assert Decimal("0.0001") <= placed.order.volume <= Decimal("0.1")
                driver.step(ev.PostRejected(PAIR, placed.order.client_order_id, "ErrOrderCanceled", "x"))
        elif channel is LOB:
            bench.ns += 50_000_000
            bench.quoter.on_tick(message, bench.now)
            for one in bench.wanted().intents:
                assert one.price.is_finite() and one.size.is_finite() and one.price > 0 and one.size > 0
    assert accepted > FRAMES // 50
    assert sum(bus.dropped.values()) > FRAMES // 50
