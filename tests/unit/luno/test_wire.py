from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from lunomm.errors import BookError, MarketDataError
from lunomm.luno import wire
from lunomm.luno.wire import decode_market_frame, decode_user_frame
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
RULES = PairRules(
    pair="XBTZAR",
    base="XBT",
    counter="ZAR",
    price_scale=0,
    volume_scale=6,
    min_price=Decimal(10),
    max_price=Decimal(10**9),
    min_volume=Decimal("0.0005"),
    max_volume=Decimal(100),
)
EMPTY = '"create_update":null,"delete_update":null,"status_update":null,"timestamp":5'
UPDATE = '{"sequence":"8","trade_updates":[],' + EMPTY + "}"
TRADE = '{"base":"0.25","counter":"250.00","maker_order_id":"BXM","taker_order_id":"BXT","order_id":"BXM"}'


def update(**changes: object) -> str:
    """A well-formed update with some fields replaced; a value given as JSON text starts with ``json:``."""
    frame: dict[str, object] = {
        "sequence": "8",
        "trade_updates": [],
        "create_update": None,
        "delete_update": None,
        "status_update": None,
        "timestamp": 5,
        **changes,
    }
    return json.dumps(frame)


def create(**changes: object) -> str:
    return update(create_update={"order_id": "BXC", "type": "BID", "price": "1000", "volume": "0.5", **changes})


def trade(**changes: object) -> str:
    row = {"base": "0.25", "counter": "250", "maker_order_id": "BXM", "taker_order_id": "BXT", **changes}
    return update(trade_updates=[row])


def snapshot(**changes: object) -> str:
    frame = {"sequence": "7", "asks": [], "bids": [], "timestamp": 5, "status": "ACTIVE", **changes}
    return json.dumps(frame)


# --- what must be understood ---------------------------------------------------------------------------------------

UNDERSTOOD = {
    "snapshot, padded": (
        '{"sequence":"7","asks":[{"id":"BXA","price":"492847.00000000","volume":"0.00106600"}],'
        '"bids":[{"id":"BXB","price":"492513.00","volume":"0.738517"}],"timestamp":1626199457846,"status":"ACTIVE"}',
        BookSnapshot(
            7,
            (BookOrder("BXB", 492513, 738517),),
            (BookOrder("BXA", 492847, 1066),),
            MarketStatus.ACTIVE,
            1626199457846000000,
        ),
    ),
    "snapshot, empty": (snapshot(), BookSnapshot(7, (), (), MarketStatus.ACTIVE, 5_000_000)),
    "snapshot, a new status word fails closed": (
        snapshot(status="PARTY"),
        BookSnapshot(7, (), (), MarketStatus.DISABLED, 5_000_000),
    ),
    "nothing changed": (UPDATE, BookUpdate(8, (), None, None, None, 5_000_000)),
    "nothing changed, null trades": (update(trade_updates=None), BookUpdate(8, (), None, None, None, 5_000_000)),
    "create": (create(), BookUpdate(8, (), BookCreate("BXC", Side.BID, 1000, 500000), None, None, 5_000_000)),
    "ask": (create(type="ASK"), BookUpdate(8, (), BookCreate("BXC", Side.ASK, 1000, 500000), None, None, 5_000_000)),
    "delete": (update(delete_update={"order_id": "BXD"}), BookUpdate(8, (), None, "BXD", None, 5_000_000)),
    "trade without number (2021)": (
        '{"sequence":"8","trade_updates":[' + TRADE + "]," + EMPTY + "}",
        BookUpdate(8, (BookTrade("BXM", "BXT", 250000, "250.00", None),), None, None, None, 5_000_000),
    ),
    "trade with number": (
        trade(sequence=33279896),
        BookUpdate(8, (BookTrade("BXM", "BXT", 250000, "250", 33279896),), None, None, None, 5_000_000),
    ),
    "status": (
        update(status_update={"status": "POSTONLY"}),
        BookUpdate(8, (), None, None, MarketStatus.POSTONLY, 5_000_000),
    ),
    "a new status word": (
        update(status_update={"status": "CLOSED"}),
        BookUpdate(8, (), None, None, MarketStatus.DISABLED, 5_000_000),
    ),
    "a field added later": (
        update(new_update={"a:b": [1, {"c": 2}]}),
        BookUpdate(8, (), None, None, None, 5_000_000),
    ),
    "white space": ("\n " + UPDATE.replace(":", " : "), BookUpdate(8, (), None, None, None, 5_000_000)),
    "keep-alive": ('""', None),
    "keep-alive, no text": ("", None),
    "keep-alive, a number": ("1", None),
    "keep-alive, another string": ('"1"', None),
    "keep-alive, null": (" null ", None),
    "error": ('{"error_code":"invalid_market","error":"NOPE"}', wire.WireError("invalid_market", "NOPE")),
    "error without a text": ('{"error_code":"auth_timeout"}', wire.WireError("auth_timeout", "")),
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_understood(name: str) -> None:
    raw, event = UNDERSTOOD[name]
    assert decode_market_frame(raw, RULES) == event
    assert decode_market_frame(raw.encode(), RULES) == event


# --- what must be refused ------------------------------------------------------------------------------------------

REFUSED = {
    "not JSON": "{sequence: 1}",
    "text": "session limit exceeded",
    "cut": UPDATE[:-1],
    "more behind": UPDATE + "x",
    "two frames": UPDATE + UPDATE,
    "byte order mark": "\ufeff" + UPDATE,
    "list": "[1]",
    "list of frames": f"[{UPDATE}]",
    "deep list": "[" * 100_000,
    "deep objects": '{"sequence":' * 100_000,
    "deep, in an unknown key": '{"x":' + "[" * 100_000 + "]" * 100_000 + "," + UPDATE[1:],
    "no object in it": "{}",
    "half a snapshot": '{"sequence":"7","asks":[],"timestamp":5,"status":"ACTIVE"}',
    "snapshot with a null side": snapshot(bids=None),
    "snapshot without status": '{"sequence":"7","asks":[],"bids":[],"timestamp":5}',
    "snapshot row without volume": snapshot(asks=[{"id": "A", "price": "1"}]),
    "snapshot row null": snapshot(asks=[None]),
    "no update in it": '{"sequence":"8","timestamp":5}',
    "no sequence": UPDATE.replace('"sequence":"8",', ""),
    "no timestamp": UPDATE.replace(',"timestamp":5', ""),
    "sequence a number": update(sequence=8),
    "sequence null": update(sequence=None),
    "sequence 0": update(sequence="0"),
    "sequence negative": update(sequence="-8"),
    "sequence signed": update(sequence="+8"),
    "sequence empty": update(sequence=""),
    "sequence spaced": update(sequence=" 8"),
    "sequence fraction": update(sequence="8.0"),
    "sequence exponent": update(sequence="8e0"),
    "sequence underscore": update(sequence="1_0"),
    "sequence in Arabic digits": update(sequence="٨"),
    "sequence superscript": update(sequence="²"),
    "sequence 2**63": update(sequence=str(2**63)),
    "sequence of 5000 digits": update(sequence="9" * 5000),
    "timestamp text": update(timestamp="5"),
    "timestamp fraction": update(timestamp=5.5),
    "timestamp negative": update(timestamp=-1),
    "timestamp in ns": update(timestamp=1626199457846000000),
    "timestamp null": update(timestamp=None),
    "timestamp true": update(timestamp=True),
    "timestamp huge": UPDATE.replace(":5}", ":" + "9" * 5000 + "}"),
    "timestamp NaN": UPDATE.replace(":5}", ":NaN}"),
    "create a list": update(create_update=[]),
    "create empty": update(create_update={}),
    "create false": update(create_update=False),
    "side BUY": create(type="BUY"),
    "side in small letters": create(type="bid"),
    "side null": create(type=None),
    "price a number": create(price=1000),
    "price null": create(price=None),
    "price empty": create(price=""),
    "price 0": create(price="0"),
    "price negative": create(price="-1000"),
    "price signed": create(price="+1000"),
    "price NaN": create(price="NaN"),
    "price sNaN": create(price="sNaN"),
    "price infinite": create(price="Infinity"),
    "price exponent": create(price="1e3"),
    "price of 1e999999": create(price="1e999999"),
    "price underscore": create(price="1_000"),
    "price comma": create(price="1,000"),
    "price hexadecimal": create(price="0x10"),
    "price spaced": create(price=" 1000"),
    "price line end": create(price="1000\n"),
    "price full width": create(price="１０００"),
    "price in Arabic digits": create(price="١٠٠٠"),
    "price without digits before the point": create(price=".5"),
    "price without digits behind the point": create(price="5."),
    "price between ticks": create(price="1000.5"),
    "price of 16 digits": create(price="1" + "0" * 15),
    "price of 19 decimals": create(price="1." + "0" * 19),
    "price true": create(price=True),
    "volume 0": create(volume="0.000000"),
    "volume below a lot": create(volume="0.0000005"),
    "volume negative": create(volume="-0.5"),
    "id null": create(order_id=None),
    "id empty": create(order_id=""),
    "id of 65": create(order_id="B" * 65),
    "id with a space": create(order_id="BX C"),
    "id with an escape": create(order_id="BX\x1b[31m"),
    "id with a line end": create(order_id="BX\n"),
    "id not ASCII": create(order_id="BХC"),
    "id a number": create(order_id=5),
    "delete id empty": update(delete_update={"order_id": ""}),
    "delete without id": update(delete_update={"id": "BXD"}),
    "trades an object": update(trade_updates={}),
    "trade null": update(trade_updates=[None]),
    "trade of 0": trade(base="0"),
    "trade negative": trade(base="-0.25"),
    "trade without maker": update(trade_updates=[{"base": "1", "counter": "1", "taker_order_id": "T"}]),
    "trade taker empty": trade(taker_order_id=""),
    "trade number text": trade(sequence="5"),
    "trade number negative": trade(sequence=-5),
    "trade number fraction": trade(sequence=5.5),
    "trade number 2**63": trade(sequence=2**63),
    "counter a number": trade(counter=250),
    "status null": update(status_update={"status": None}),
    "status text": update(status_update="ACTIVE"),
    "sequence twice": UPDATE.replace('{"sequence"', '{"sequence":"9","sequence"'),
    "delete twice": UPDATE.replace('"delete_update":null', '"delete_update":{"order_id":"A"},"delete_update":null'),
    "price twice": create().replace('"price"', '"price":"900","price"'),
    "price twice, spaced": create().replace('"price"', '"price"  :  "900","price"'),
    "trade base twice": trade().replace('"base"', '"base":"9","base"'),
    "twice in a snapshot row": snapshot(asks=[{"id": "A", "price": "1", "volume": "1"}]).replace(
        '"price"', '"price":"2","price"'
    ),
    "twice, the first hidden by an escape": create().replace('"price"', '"pric\\u0065":"900","price"'),
    "twice with an unknown key about": update(x=1).replace('"timestamp"', '"timestamp":4,"timestamp"'),
    "timestamp twice, status missing": UPDATE.replace('"status_update":null', '"timestamp":4'),
    "lone surrogate": create(order_id="\ud800"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(BookError) as caught:
        decode_market_frame(REFUSED[name], RULES)
    assert len(str(caught.value)) < 250 and str(caught.value).isprintable()
    # Nothing of the refused text stays attached to the error.
    assert caught.value.__cause__ is None


def test_refused_bytes() -> None:
    with pytest.raises(BookError):
        decode_market_frame(b'{"sequence":"\xff"}', RULES)


def test_size_cap_comes_before_parsing() -> None:
    with pytest.raises(BookError, match="longer than 16777216"):
        decode_market_frame("{" + " " * wire.MAX_FRAME, RULES)


def test_recorded_frames() -> None:
    if not RECORDED.exists():
        pytest.skip("the recorded XBTZAR frames are not here")
    kinds = {"create": 0, "delete": 0, "trades": 0, "empty": 0}
    with RECORDED.open() as lines:
        first = decode_market_frame(next(lines), RULES)
        assert isinstance(first, BookSnapshot)
        assert (len(first.asks), len(first.bids), first.sequence) == (4513, 10659, 398537598)
        sequence = first.sequence
        for line in lines:
            event = decode_market_frame(line, RULES)
            assert isinstance(event, BookUpdate)
            sequence += 1
            assert event.sequence == sequence
            kinds["create"] += event.create is not None
            kinds["delete"] += event.delete_id is not None
            kinds["trades"] += len(event.trades)
            kinds["empty"] += not (event.create or event.delete_id or event.trades)
    assert sequence == 398542598 and kinds["trades"] == 25
    assert sum(kinds.values()) >= 5000


def test_credentials_hide_themselves() -> None:
    assert "geheim" not in repr(wire.Credentials("kennung-geheim", "geheim"))


# --- user stream ---------------------------------------------------------------------------------------------------

STATUS = {"order_id": "BXH", "client_order_id": "lm1-XBTMYR-a-1-B0", "market_id": "XBTMYR", "status": "PENDING"}
FILL = {
    "order_id": "BXH",
    "client_order_id": "",
    "market_id": "ETHMYR",
    "base_fill": "0.00400000",
    "counter_fill": "37.4000000000000000",
    "base_delta": "0.00400000",
    "counter_delta": "37.4000000000000000",
    "base_fee": "0.00001400",
    "counter_fee": "0",
    "base_fee_delta": "-0.00001400",
    "counter_fee_delta": "0",
}
BALANCE = {
    "account_id": 4203463422864003001,
    "row_index": 812,
    "balance": "500.00000000",
    "balance_delta": "0.00000000",
    "available": "406.50000000",
    "available_delta": "-93.50000000",
}


def user(kind: str, **changes: object) -> str:
    message: dict[str, object] = {
        "type": kind,
        "timestamp": 1776470400205,
        "order_status_update": None,
        "order_fill_update": None,
        "balance_update": None,
        **changes,
    }
    return json.dumps(message)


def status(**changes: object) -> str:
    return user("order_status", order_status_update={**STATUS, **changes})


def fill(**changes: object) -> str:
    return user("order_fill", order_fill_update={**FILL, **changes})


def balance(**changes: object) -> str:
    return user("balance_update", balance_update={**BALANCE, **changes})


def test_user_messages() -> None:
    for raw in (status(), status().encode(), status(client_order_id=""), status(status="LATER")):
        message = decode_user_frame(raw)
        assert isinstance(message, wire.WireUserMessage) and message.order_status_update is not None
    message = decode_user_frame(fill())
    assert isinstance(message, wire.WireUserMessage) and message.order_fill_update is not None
    assert wire.decimal(message.order_fill_update.base_fee_delta) == Decimal("-0.000014")
    message = decode_user_frame(balance())
    assert isinstance(message, wire.WireUserMessage) and message.balance_update is not None
    # 19 digits: a double would have made ...000 of it.
    assert message.balance_update.account_id == 4203463422864003001


@pytest.mark.parametrize("raw", ['""', "", "null", user("position_update"), user("position_update", position={"a": 1})])
def test_user_frames_that_say_nothing_to_us(raw: str) -> None:
    assert decode_user_frame(raw) is None


def test_user_error() -> None:
    frame = '{"error_code":"invalid_credentials","error":"you provided an invalid credentials message"}'
    assert decode_user_frame(frame) == wire.WireError(
        "invalid_credentials", "you provided an invalid credentials message"
    )


USER_REFUSED = {
    "not JSON": "oops",
    "list": "[]",
    "deep": "[" * 100_000,
    "deep objects": '{"balance_update":' * 100_000,
    "nothing": "{}",
    "no payload": user("order_status"),
    "payload of another kind": user("order_fill", order_status_update=STATUS),
    "two payloads": user("order_fill", order_fill_update=FILL, order_status_update=STATUS),
    "unknown kind with a known payload": user("order_replaced", order_status_update=STATUS),
    "payload a list": user("order_fill", order_fill_update=[FILL]),
    "timestamp null": user("order_status", order_status_update=STATUS, timestamp=None),
    "timestamp in ns": user("order_status", order_status_update=STATUS, timestamp=1776470400205000000),
    "status without id": user("order_status", order_status_update={"status": "PENDING"}),
    "status word long": status(status="P" * 41),
    "order id escape": status(order_id="\x1b[2J"),
    "order id empty": status(order_id=""),
    "client id of 256": status(client_order_id="a" * 256),
    "client id null": status(client_order_id=None),
    "market in small letters": status(market_id="xbtmyr"),
    "market with a colon": status(market_id="XBT:MYR"),
    "fill a number": fill(base_fill=0.004),
    "fill null": fill(base_fill=None),
    "fill empty": fill(counter_fill=""),
    "fill negative": fill(base_fill="-0.004", base_delta="-0.004"),
    "fill exponent": fill(base_fill="4e-3"),
    "fill of 1e999999": fill(counter_fill="1e999999"),
    "fill NaN": fill(base_fill="NaN"),
    "fill line end": fill(base_fill="0.004\n"),
    "fill in Arabic digits": fill(base_fill="٤"),
    "fee exponent": fill(base_fee="1e-5"),
    "fee signed plus": fill(base_fee="+0.1"),
    "delta more than the total": fill(base_delta="0.005"),
    "counter delta more than the total": fill(counter_delta="37.5"),
    "fill twice": fill().replace('"base_fill"', '"base_fill":"9","base_fill"'),
    "account text": balance(account_id="4203463422864003001"),
    "account fraction": balance(account_id=1.5),
    "account negative": balance(account_id=-1),
    "account of 20 digits": balance(account_id=10**19),
    "row text": balance(row_index="812"),
    "row null": balance(row_index=None),
    "balance a number": balance(balance=500),
    "balance infinite": balance(available="Infinity"),
    "balance twice": balance().replace('"balance":', '"balance":"1","balance":'),
    "too long": user("position_update", note="x" * wire.MAX_USER_FRAME),
}


@pytest.mark.parametrize("name", USER_REFUSED)
def test_user_refused(name: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        decode_user_frame(USER_REFUSED[name])
    assert len(str(caught.value)) < 250 and str(caught.value).isprintable()
