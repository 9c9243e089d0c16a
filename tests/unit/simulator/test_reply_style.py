from __future__ import annotations

import json

from lunomm.luno.wire import Balances, ErrorBody, OrderBookReply, PriceVolume, UserTrades
from lunomm.luno.wire_rest import AccountBalance
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.reply_style import error_json, reply_json


def test_rest_amounts_get_eighteen_decimals_and_nothing_else_changes() -> None:
    long = Behaviour(rest_decimals_18=True)
    book = OrderBookReply(7, [PriceVolume("86592.8636", "1.00")], [])
    assert json.loads(reply_json(book, long)) == {
        "timestamp": 7,
        "bids": [{"price": "86592.863600000000000000", "volume": "1.000000000000000000"}],
        "asks": [],
    }
    held = Balances([AccountBalance(account_id="5", asset="XBT", balance="0.10", reserved="0.00", name="XBT wallet")])
    (row,) = json.loads(reply_json(held, long))["balance"]
    assert (row["account_id"], row["balance"], row["name"]) == ("5", "0.100000000000000000", "XBT wallet")


def test_all_empty_lists_can_be_null() -> None:
    assert json.loads(reply_json(UserTrades([]), Behaviour())) == {"trades": []}
    assert json.loads(reply_json(UserTrades([]), Behaviour(null_lists="all"))) == {"trades": None}


def test_an_error_may_carry_an_empty_action() -> None:
    body = ErrorBody("No.", "ErrNotFound")
    assert json.loads(error_json(body, Behaviour())) == {"error": "No.", "error_code": "ErrNotFound"}
    assert json.loads(error_json(body, Behaviour(error_action=True)))["error_action"] == {}
