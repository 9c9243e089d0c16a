from __future__ import annotations

import pytest

from lunomm.simulator.parameters import MAX_TEXT, merge
from lunomm.simulator.refusals import VenueError


def test_form_wins_over_query_and_lists_are_repeated() -> None:
    given = merge("pair=A&pair=B&price=1", "price=2")
    assert given.text("price") == "2"
    assert given.all("pair") == ["A", "B"]
    assert given.text("pair") == "B"


@pytest.mark.parametrize("query", ["assets=XBT,ETH", "assets=XBT&assets=ETH,", "assets=%2C"])
def test_a_list_joined_by_commas_is_refused(query: str) -> None:
    with pytest.raises(VenueError) as refused:
        merge(query, "").all("assets")
    assert (refused.value.code, refused.value.status) == ("ErrInvalidArguments", 400)


def test_empty_means_absent() -> None:
    given = merge("client_order_id=&id=x", "id=")
    assert given.text("client_order_id") == ""
    assert given.text("id") == "x"
    assert given.all("nothing") == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("", None), ("0", None), ("000", None), ("12", 12), ("-3", -3), ("9223372036854775807", 2**63 - 1)],
)
def test_numbers(text: str, number: int | None) -> None:
    assert merge(f"limit={text}", "").number("limit") == number


@pytest.mark.parametrize(
    "text", ["1.0", "1e3", "x", "9223372036854775808", "9" * 50, "%D9%A1", "--1", "-", "0x10", "1_000"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(VenueError) as refused:
        merge(f"limit={text}", "").number("limit")
    assert (refused.value.code, refused.value.status) == ("ErrInvalidArguments", 400)


@pytest.mark.parametrize("text", ["1", "t", "true", "True", "TRUE"])
def test_true(text: str) -> None:
    assert merge("", f"post_only={text}").flag("post_only") is True


@pytest.mark.parametrize("text", ["", "0", "f", "false", "False", "FALSE"])
def test_false(text: str) -> None:
    assert merge(f"post_only={text}", "").flag("post_only") is False


@pytest.mark.parametrize("text", ["yes", "2", "tRUE"])
def test_what_is_no_boolean(text: str) -> None:
    with pytest.raises(VenueError):
        merge(f"post_only={text}", "").flag("post_only")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0", ""),
        ("0.00", ""),
        ("0.", ""),
        (".0", ""),
        ("", ""),
        ("1.50", "1.50"),
        ("100", "100"),
        (".", "."),
        ("0.0.0", "0.0.0"),
    ],
)
def test_a_zero_stop_price_is_absent(text: str, kept: str) -> None:
    assert merge(f"stop_price={text}", "").unset_zero("stop_price") == kept


def test_too_many_and_too_long() -> None:
    for query in ("&".join(f"a{k}=1" for k in range(200)), "a=" + "x" * (MAX_TEXT + 1)):
        with pytest.raises(VenueError):
            merge(query, "")
        with pytest.raises(VenueError):
            merge("", query)
