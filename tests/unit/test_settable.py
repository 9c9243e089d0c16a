"""What `lunomm set` takes: the options' own names, rules and sentences."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal as D

import pytest

from lunomm.errors import UsageError
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.settable import RESTART, SETTABLE, changed, check_change, settings, text_of, value_of


def test_every_option_of_the_quoter_is_settable_or_said_not_to_be():
    """A new option is decided on, not forgotten."""
    names = {field.name for field in fields(QuoteOptions)} - {"order_size_explicit"}
    assert names == {name for name, entry in SETTABLE.items() if entry.piece == "quote"} | RESTART.keys()
    limits = {field.name for field in fields(GatewayOptions) if field.name.startswith("max_")}
    assert limits == {name for name, entry in SETTABLE.items() if entry.piece == "gateway"}


def test_what_is_shown_is_what_may_be_typed():
    """Every present value, defaults and others, is accepted back and means the same."""
    odd = QuoteOptions(
        order_size=D("0.00100"), gamma=1e-9, eta=-0.1, max_spread=0.05, kappa_prior=1e-7, levels=3, no_improve=True
    )
    for options in (QuoteOptions(), odd):
        shown = settings(options)
        assert settings(changed(options, shown)) == shown
        assert {name: value_of(SETTABLE[name], text) for name, text in shown.items()} == {
            name: getattr(options, name) for name in shown
        }


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("gamma", "-1", "--gamma"),
        ("gamma", "1_0", "--gamma"),
        ("gamma", "none", "--gamma"),
        ("order-size", "0", "--order-size"),
        ("levels", "1.5", "--levels"),
        ("model", "mine", "--model"),
        ("no_improve", "perhaps", "on or off"),
        ("inventory_target", "200%", "--inventory-target"),
        ("fair_price", "os:system", "cannot change while it runs"),
        ("reference", "XBTUSDT*USDTMYR", "cannot change while it runs"),
        ("max_position", "none", "--max-position"),
        ("max_daily_loss", "0", "--max-daily-loss"),
        ("colour", "red", "no such parameter"),
    ],
)
def test_a_refusal_names_the_option_and_the_way_out(name, text, says):
    with pytest.raises(UsageError) as refused:
        check_change(name, text)
    assert says in str(refused.value)


def test_names_and_values_are_taken_as_people_type_them():
    assert check_change("--Order-Size", " 0.0500 ") == "0.0500"
    assert check_change("gamma", "2.0") == "2"
    assert check_change("no_improve", "YES") == "on"
    assert check_change("max_spread", "None") == "none"
    assert text_of(1e-9) == "1e-09"


def test_changes_apply_all_or_none():
    options = QuoteOptions()
    new = changed(options, {"gamma": "2", "order_size": "0.1"})
    assert (new.gamma, new.order_size, new.order_size_explicit, new.eta) == (2.0, D("0.1"), True, options.eta)
    with pytest.raises(UsageError, match="below --min-spread"):
        changed(options, {"min_spread": "0.01", "max_spread": "0.001"})
    with pytest.raises(UsageError, match="the gateway's"):
        changed(options, {"max_position": "1"})
