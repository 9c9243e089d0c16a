"""What `up` tells its children is read back by them as the same options."""

from __future__ import annotations

import sys
import types
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lunomm import cli
from lunomm.commands.child_args import book_args, gateway_args, quote_args, venue_args
from lunomm.commands.venue_finder import exchange_args
from lunomm.config import Common, RedisAddress
from lunomm.options.book import BookOptions
from lunomm.options.exchange import ExchangeOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions

PAIRS = ("XBTMYR", "XBTZAR")


def read_back(monkeypatch: pytest.MonkeyPatch, args: list[str]) -> tuple[Any, ...]:
    seen: list[tuple[Any, ...]] = []

    async def run(common: Common, *arguments: Any) -> None:
        seen.append(arguments)

    module = types.ModuleType("stand-in")
    module.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, f"lunomm.commands.{args[0]}", module)
    assert cli.run(args) == 0
    return seen[0]


@pytest.mark.parametrize(
    "options",
    [
        QuoteOptions(),
        QuoteOptions(order_size=Decimal("0.0000001"), order_size_explicit=True, gamma=1e-7, eta=-0.005),
        QuoteOptions(
            model="glft", gamma_ref="capital", target_skew="5bp", drift=-0.1, max_spread=0.02, no_improve=True
        ),
        QuoteOptions(max_spread=0.02, adverse_selection=1.5),
        QuoteOptions(ignore_fees=True, tolerance_ticks=7, fair_price="my.module:price", levels=4, level_spacing=2.5),
        QuoteOptions(reference="XBTUSDT*USDTMYR"),
        QuoteOptions(inventory_target="50%", kappa_prior=3.3e-5, spread_formula="readme", min_size_policy="skip"),
    ],
)
def test_quote(monkeypatch: pytest.MonkeyPatch, options: QuoteOptions) -> None:
    assert read_back(monkeypatch, quote_args("XBTMYR", options)) == (("XBTMYR",), options)


@pytest.mark.parametrize(
    "options", [GatewayOptions(), GatewayOptions(0.5, Decimal("1E-7"), Decimal(10), Decimal("0.1"))]
)
def test_gateway(monkeypatch: pytest.MonkeyPatch, options: GatewayOptions) -> None:
    assert read_back(monkeypatch, gateway_args(PAIRS, options)) == (PAIRS, options)


@pytest.mark.parametrize("options", [BookOptions(), BookOptions(30.5, 90, "weighted", 3)])
def test_book(monkeypatch: pytest.MonkeyPatch, options: BookOptions) -> None:
    assert read_back(monkeypatch, book_args(PAIRS, options)) == (PAIRS, options)


def test_exchange(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tape = tmp_path / "-odd name.jsonl"
    tape.write_text("x")
    for options in (
        ExchangeOptions(pairs=PAIRS),
        ExchangeOptions(9000, 7, "theory", PAIRS, speed=2.5, fee_tier=1),
        ExchangeOptions(tape=tape, pairs=("XBTZAR",), speed=1e-3),
    ):
        assert read_back(monkeypatch, exchange_args(options)) == (options,)


def test_venue() -> None:
    common = Common(mode="sim", redis=RedisAddress(), state_dir=Path("/s"))
    assert venue_args(common) == ["--mode", "sim"]
    assert venue_args(Common(mode="live", redis=RedisAddress(), state_dir=Path("/s"), url="http://127.0.0.1:1")) == [
        "--mode",
        "live",
        "--url",
        "http://127.0.0.1:1",
    ]
