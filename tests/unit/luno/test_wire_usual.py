"""The short way of the usual frame takes nothing that the general way would not, and makes the same of it."""

from __future__ import annotations

import pytest

from lunomm.errors import BookError
from lunomm.luno.wire import decode_market_frame
from lunomm.luno.wire_usual import KNOWN_NUMBERS, usual_update
from lunomm.market.events import BookCreate, BookUpdate
from lunomm.market.rules import Side
from tests.unit.luno.test_wire import REFUSED, RULES, UNDERSTOOD, create, update

TODAY_MS = 1_626_199_457_846


def today(raw: str) -> str:
    """As the venue writes it: compact, and not of 1970."""
    return raw.replace('": ', '":').replace(", ", ",").replace('"timestamp":5', f'"timestamp":{TODAY_MS}')


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused(name: str) -> None:
    raw = today(REFUSED[name])
    assert usual_update(raw, RULES) is None
    with pytest.raises(BookError):
        decode_market_frame(raw, RULES)


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_the_same_event(name: str) -> None:
    raw = today(UNDERSTOOD[name][0])
    found = usual_update(raw, RULES)
    assert (found is not None) == (name in ("create", "ask", "delete"))
    if found is not None:
        assert found == decode_market_frame(raw.encode(), RULES)  # bytes always go the general way


def test_null_for_no_trades() -> None:
    raw = today(create()).replace("[]", "null")
    assert usual_update(raw, RULES) == BookUpdate(
        8, (), BookCreate("BXC", Side.BID, 1000, 500_000), None, None, TODAY_MS * 10**6
    )


@pytest.mark.parametrize("raw", [create(), update(delete_update={"order_id": "BXD"})])
def test_any_other_text_of_the_same_values_goes_the_general_way(raw: str) -> None:
    raw = today(raw)
    assert usual_update(raw, RULES) is not None
    status = '"status_update":null'
    for other in (
        raw + "\n",
        raw.replace(",", ", ", 1),
        raw.replace('"BX', '"\\u0042X'),
        raw.replace(status, f"{status},{status}"),
        raw.replace(status, f'{status},"x":1'),
        raw.replace('"order_id":', '"order_id":"","order_id":'),
        raw.replace("order_id", "order\\u005fid"),
    ):
        assert usual_update(other, RULES) is None
    assert usual_update(raw.replace('"8"', '"08"'), RULES) == usual_update(raw, RULES)


def test_numbers_that_never_come_again_are_not_kept_for_ever() -> None:
    for volume in range(1, KNOWN_NUMBERS + 10):
        event = usual_update(today(create(volume=f"{volume}")), RULES)
        assert event is not None and event.create is not None and event.create.lots == volume * 10**6
