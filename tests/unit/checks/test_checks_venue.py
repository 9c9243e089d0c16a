"""Key, exchange, clock, market, fees and self-test: nothing is failed that the mode does not need."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.checks.venue import (
    KeyFacts,
    SelfTest,
    VenueFacts,
    check_break_even,
    check_key,
    check_self_test,
    check_venue,
)
from lunomm.checks.verdicts import Level, exit_code
from lunomm.market.pairs import Market
from lunomm.market.rules import PairRules

ALL = {"balance": True, "transactions": True, "orders": True, "trade": True}
TRADING = KeyFacts(True, accepted=True, may=ALL, sends=False, withdrawals=False)


@pytest.mark.parametrize(
    ("facts", "mode", "level", "words"),
    [
        (KeyFacts(False), "sim", Level.PASS, "needs none"),
        (KeyFacts(True), "sim", Level.PASS, "does not use it"),
        (KeyFacts(False), "live", Level.FAIL, "needs LUNO_KEY_ID"),
        (KeyFacts(False), "paper", Level.FAIL, "needs LUNO_KEY_ID"),
        (KeyFacts(False, error="LUNO_KEY_ID: has a colon. Did you paste both?"), "sim", Level.FAIL, "colon"),
        (KeyFacts(True), "live", Level.WARN, "could not be asked"),
        (
            KeyFacts(True, accepted=False, refusal="Luno does not accept the key: check it"),
            "live",
            Level.FAIL,
            "accept",
        ),
        (TRADING, "live", Level.PASS, "can neither send nor withdraw"),
        (KeyFacts(True, accepted=True, may={**ALL, "trade": False}), "live", Level.FAIL, "lacks: create orders"),
        (KeyFacts(True, accepted=True, may=ALL, sends=True), "live", Level.WARN, "may send money"),
        (KeyFacts(True, accepted=True, may=ALL, sends=False, withdrawals=True), "live", Level.WARN, "withdrawals"),
        (KeyFacts(True, accepted=True, may=ALL), "live", Level.WARN, "not told"),
        (KeyFacts(True, accepted=True, may={"balance": True}), "paper", Level.PASS, "only read with"),
    ],
)
def test_the_key(facts: KeyFacts, mode: str, level: Level, words: str) -> None:
    verdict = check_key(facts, mode)
    assert (verdict.level, words in verdict.text) == (level, True)
    assert bool(verdict.step) == (level is not Level.PASS)
    assert verdict.code == (3 if level is Level.FAIL else 0)


def test_a_key_that_only_reads_will_do_for_a_look() -> None:
    reading = KeyFacts(True, accepted=True, may={**ALL, "trade": False}, sends=False, withdrawals=False)
    look = check_key(reading, "live", first_run=True)
    assert (look.level, "lacks: create orders" in look.text, look.code) == (Level.WARN, True, 0)


def rules(status: str = "ACTIVE") -> PairRules:
    return PairRules(
        pair="XBTMYR", base="XBT", counter="MYR", price_scale=0, volume_scale=6, min_price=D(1), max_price=D(10**7),
        min_volume=D("0.0001"), max_volume=D(100), status=status,
    )  # fmt: skip


def market(maker: str | None, ask: int = 301_000) -> Market:
    fee = None if maker is None else D(maker)
    return Market("XBTMYR", "XBT", "MYR", bid=D(300_000), ask=D(ask), maker_fee=fee)


def test_an_exchange_that_is_well() -> None:
    facts = VenueFacts(
        "luno", took_ms=30.0, offset_ms=100.0, error_ms=500.0, markets=9, rules=rules(), market=market("0")
    )
    verdicts = check_venue(facts, "XBTMYR")
    assert [verdict.check for verdict in verdicts] == ["exchange", "clock", "market", "fees"]
    assert {verdict.level for verdict in verdicts} == {Level.PASS}
    assert "within 0.6 s" in verdicts[1].text and "tick 1 MYR" in verdicts[2].text


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        (VenueFacts("luno", error="luno: cannot connect"), 4, "cannot connect"),
        (VenueFacts("luno", clock="this machine's clock is 5.0 s behind", rules=rules()), 3, "5.0 s behind"),
        (VenueFacts("luno", offset_ms=0.0, error_ms=1.0, markets=9, near=["XBTZAR"]), 2, "not one of the 9 markets"),
    ],
)
def test_what_fails(facts: VenueFacts, code: int, words: str) -> None:
    verdicts = check_venue(facts, "XBTMYR")
    assert exit_code(verdicts) == code
    assert any(words in verdict.text and verdict.step for verdict in verdicts if verdict.level is Level.FAIL)


def test_a_closed_market_and_no_date_are_warned_about() -> None:
    verdicts = check_venue(VenueFacts("luno", rules=rules("POSTONLY")), "XBTMYR")
    assert [v.check for v in verdicts if v.level is Level.WARN] == ["clock", "market"]


def test_break_even() -> None:
    pays = check_break_even(market("0.001"), D("0.006"), D(0), "")
    assert (pays.level, "costs 20.0 bp" in pays.text, "earns 13.3 bp" in pays.text) == (Level.PASS, True, True)
    loses = check_break_even(market("0.0035", ask=300_010), None, None, "")
    assert loses.level is Level.WARN and "costs 70.0 bp" in loses.text and "touch is 0.33 bp wide" in loses.text
    assert check_break_even(market(None), None, None, "no fee was told").level is Level.WARN
    rebate = check_break_even(market("-0.0001", ask=300_001), None, None, "")
    assert rebate.level is Level.PASS and "-0.01 %" in rebate.text


def test_the_self_test() -> None:
    assert check_self_test(SelfTest(order_ms=1.0, cancel_ms=1.0, took_s=0.1)).level is Level.PASS
    assert check_self_test(SelfTest(failed="orders were left")).code == 1
    assert check_self_test(SelfTest()).code == 1
