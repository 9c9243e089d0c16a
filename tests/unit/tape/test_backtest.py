"""The driver: the same as the matching engine at equal latency, the same twice, and honest about gaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
import pytest
import virtual_market as vm

from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.simulator.profiles import WALLET
from lunomm.tape.backtest import Backtest
from lunomm.tape.counterparty import Counterparty
from lunomm.tape.decoded import Decoded, Frame
from lunomm.tape.latency import Fixed
from lunomm.tape.reader import TapeFrame, TapeLost, TapeOwn
from lunomm.tape.script import Script
from lunomm.tape.setup import Setup
from lunomm.tape.stretches import stretches
from lunomm.tape.trial import BASELINE, STRATEGY, run_trial
from lunomm.trading import wanted

MS = 1_000_000
SETUP = Setup(
    quoter=QuoterOptions(**vm.QUOTING), one_way_ms=7, epoch_ms=vm.START_NS // MS,
    base=WALLET["XBT"], counter=WALLET["MYR"], baseline=False,
)  # fmt: skip


def decoded(tape: Iterable[vm.Item]) -> Decoded:
    """As read from a file."""
    kept = Decoded()
    for recv_ns, item in tape:
        if isinstance(item, tuple) and (not item or isinstance(item[0], OwnIntent)):
            kept.keep(TapeOwn(recv_ns, item))  # type: ignore[arg-type]
        else:
            kept.keep(TapeFrame(recv_ns, "", item))  # type: ignore[arg-type]
    return kept


@pytest.fixture(scope="module")
def session() -> vm.Session:
    return vm.run(3, 150, Fixed(7))


@pytest.mark.parametrize(
    ("seed", "one_way_ms", "profile", "options", "fills"),
    [
        (3, 7, "theory", {}, 5),
        (1, 50, "theory", {}, 5),
        (11, 20, "theory", {"levels": 3}, 5),
        (12, 20, "XBTZAR", {}, 0),
    ],
)
def test_backtest_and_simulation_of_one_seed_trade_the_same(
    seed: int, one_way_ms: int, profile: str, options: dict[str, int], fills: int
) -> None:
    truth = vm.run(seed, 150, Fixed(one_way_ms), profile, **options)
    lane = vm.replayed(truth, Fixed(one_way_ms), **options)
    told = list(vm.told(lane))
    assert told == list(vm.told(truth.lane))
    assert len(lane.record.placed) >= 2 * fills and len(lane.record.entries) >= fills


def test_the_same_tape_gives_the_same_report_twice_and_other_options_another(session: vm.Session) -> None:
    tape = decoded(session.tape)
    once, again = (run_trial(session.rules, tape, SETUP, own=frozenset(tape.own)) for _ in range(2))
    assert once.digest == again.digest
    assert once == again
    assert len(once.strategy.fills) > 3
    # The session's own orders are out of it: the backtest of its very options is the session.
    assert [(fill.client_order_id, fill.volume) for fill in once.strategy.fills] == [
        (entry.client_order_id, entry.volume)  # type: ignore[union-attr]
        for entry in session.lane.record.entries
    ]
    wider = replace(SETUP, quoter=replace(SETUP.quoter, min_spread=0.004))
    other = run_trial(session.rules, tape, wider, own=frozenset(tape.own))
    assert other.digest != once.digest
    assert len(other.strategy.fills) < len(once.strategy.fills)


def test_the_baseline_beside_it_changes_nothing_and_has_no_skew(session: vm.Session) -> None:
    tape = decoded(session.tape)
    alone = run_trial(session.rules, tape, SETUP, own=frozenset(tape.own))
    both = run_trial(session.rules, tape, replace(SETUP, baseline=True), own=frozenset(tape.own))
    assert [lane.name for lane in both.lanes] == [STRATEGY, BASELINE]
    assert both.strategy == alone.strategy
    quoted = both.lanes[1].quoted
    pairs = [(b, a) for b, a in zip(quoted.bid, quoted.ask, strict=True) if b is not None and a is not None]
    assert pairs
    # 10 bp a side of one mid, rounded outward.
    assert all(0.00199 < (ask - bid) / ((ask + bid) / 2) < 0.00201 for bid, ask in pairs)


def test_the_fills_lie_in_the_bracket_and_the_account_adds_up(session: vm.Session) -> None:
    tape = decoded(session.tape)
    found = run_trial(session.rules, tape, SETUP, own=frozenset(tape.own)).strategy
    assert found.attribution is not None
    pessimistic, queue, optimistic = found.bracket_base
    assert pessimistic <= queue <= optimistic
    assert queue == sum((fill.volume for fill in found.fills), Decimal(0))
    pnl = found.attribution.pnl
    assert pnl.total == pnl.spread + pnl.inventory - pnl.fees
    assert found.attribution.marked == len(found.fills)


def test_nothing_is_quoted_or_filled_while_the_tape_knows_nothing(session: vm.Session) -> None:
    """Ten seconds before the gap's end the book is void: orders go down, and come back after the next snapshot."""
    items = list(decoded(session.tape))
    at = next(i for i, item in enumerate(items) if item.recv_ns > vm.START_NS + 110 * 10**9)
    lost_ns, back_ns = items[at].recv_ns, items[at].recv_ns + 15 * 10**9
    kept = Decoded()
    _keep(kept, items[:at], session.rules)
    kept.keep(TapeLost(lost_ns, "the line was cut"))
    without = [item for item in items[at:] if item.recv_ns >= back_ns]
    kept.keep(TapeFrame(back_ns, "", _snapshot_at(session, items, back_ns)))
    _keep(kept, without, session.rules)
    outcome = run_trial(session.rules, kept, SETUP)
    assert outcome.gaps == 1
    down_ns = lost_ns + 2 * 10**9
    for fill in outcome.strategy.fills:
        assert not down_ns <= fill.ts_ms * MS < back_ns
    quoted = outcome.strategy.quoted
    inside = [bid for ns, bid in zip(quoted.ts_ns, quoted.bid, strict=True) if lost_ns + MS <= ns < back_ns]
    assert inside == [] or set(inside) == {None}
    assert any(ns >= back_ns and bid is not None for ns, bid in zip(quoted.ts_ns, quoted.bid, strict=True))


def _keep(kept: Decoded, items: Iterable[object], rules: PairRules) -> None:
    for item in items:
        if isinstance(item, Frame):
            kept.keep(TapeFrame(item.recv_ns, "", item.event))


def _snapshot_at(session: vm.Session, items: Iterable[object], at_ns: int) -> BookSnapshot:
    book = Book(session.rules)
    for item in items:
        if not isinstance(item, Frame) or item.recv_ns >= at_ns:
            continue
        if isinstance(item.event, BookSnapshot):
            book.load(item.event)
        else:
            book.apply(item.event)
    return book.snapshot()


def test_a_second_pass_is_the_first_again(session: vm.Session) -> None:
    """What the first pass made of the market serves the next: same report, for these options and for others."""
    tape = Decoded()
    _keep(tape, decoded(session.tape), session.rules)
    scripts: dict[object, Script] = {}
    other = replace(SETUP, quoter=replace(SETUP.quoter, gamma=3.0))
    run_trial(session.rules, tape, other, scripts=scripts)
    assert len(scripts) == 1
    again = run_trial(session.rules, tape, SETUP, scripts=scripts)
    alone = run_trial(session.rules, tape, SETUP)
    assert again.digest == alone.digest
    assert len(again.strategy.fills) > 3
    assert replace(again, takers=()) == replace(alone, takers=())


def test_lanes_that_begin_in_the_middle_of_a_tape_trade(session: vm.Session) -> None:
    """As a replay of a session does whose gateway came after the first frame."""
    tape = decoded(session.tape)
    begin_ns = vm.START_NS + 70 * 10**9
    found = run_trial(session.rules, tape, replace(SETUP, start_ns=begin_ns), own=frozenset(tape.own)).strategy
    assert found.placed > 5 and len(found.fills) > 1
    assert min(order.created_ms for order in found.orders) * MS >= begin_ns
    assert found.refusals == {}


def moved(tape: Iterable[vm.Item], stretch: int, lag_ns: int) -> list[vm.Item]:
    """The same frames, so many times as far apart, each so late here."""
    found: list[vm.Item] = []
    for recv_ns, item in tape:
        start = vm.START_NS
        if isinstance(item, BookSnapshot):
            at_ns = start + (item.exchange_ns - start) * stretch
            found.append((at_ns + lag_ns, item._replace(exchange_ns=at_ns)))
        elif isinstance(item, BookUpdate):
            at_ns = start + (item.exchange_ns - start) * stretch
            found.append((at_ns + lag_ns, msgspec.structs.replace(item, exchange_ns=at_ns)))
        else:
            found.append((start + (recv_ns - start) * stretch + lag_ns, item))
    return found


def test_a_word_that_is_repeated_on_a_quiet_market_stays_young(
    session: vm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = decoded(moved(session.tape, 20, 0))
    setup = replace(SETUP, quoter=replace(SETUP.quoter, kappa_prior=0.002, order_refresh_rate_s=60))
    once = run_trial(session.rules, tape, setup, own=frozenset(tape.own))
    monkeypatch.setattr(wanted, "QUOTE_TTL_NS", 10**15)  # no word ever dies of its age
    assert run_trial(session.rules, tape, setup, own=frozenset(tape.own)).digest == once.digest
    assert 0 < once.strategy.placed < 200


def test_no_frame_of_before_an_orders_arrival_comes_after_it(
    session: vm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every frame comes 300 ms after its moment; an answer could be here after 14."""
    made_ms, make, frame, late = [0], Counterparty._make, Backtest.frame, 0

    def noted(self: Counterparty, sent: Any) -> None:
        made_ms.append(max(made_ms[-1], sent.arrives_ns // MS))
        make(self, sent)

    def judged(self: Backtest, recv_ns: int, event: Any) -> None:
        nonlocal late
        before = made_ms[-1]
        frame(self, recv_ns, event)
        late += event.exchange_ns // MS <= before

    monkeypatch.setattr(Counterparty, "_make", noted)
    monkeypatch.setattr(Backtest, "frame", judged)
    tape = decoded(moved(session.tape, 1, 300 * MS))
    found = run_trial(session.rules, tape, SETUP, own=frozenset(tape.own)).strategy
    assert len(made_ms) > 50 and found.placed > 10
    assert late == 0


def test_a_fill_by_an_order_that_came_to_rest_across_ours_has_a_fair_price_too(session: vm.Session) -> None:
    tape = decoded(session.tape)
    narrow = replace(SETUP, quoter=replace(SETUP.quoter, max_spread=0.0001, order_refresh_rate_s=5))
    trial = run_trial(session.rules, tape, narrow, own=frozenset(tape.own))
    found = trial.strategy
    traded = {order.exchange_ms for order in trial.takers}
    assert any(fill.ts_ms not in traded for fill in found.fills), "none was of that kind"
    assert all(fill.fair is not None for fill in found.fills)
    assert found.attribution is not None and found.attribution.marked == len(found.fills)


@pytest.mark.parametrize("fair_price", ["mid", "weighted"])
def test_a_later_part_of_a_tape_knows_what_came_before_it_however_it_is_watched(
    session: vm.Session, fair_price: str
) -> None:
    """With our own orders in it, or another fair price, there is no script to go by."""
    tape, setup = decoded(session.tape), replace(SETUP, fair_price=fair_price)
    second = stretches(session.rules, tape, Observer(session.rules), setup.back_ns, 2).stretches[1]
    assert second.before > 100

    def warming_s(before: Iterable[Any]) -> float:
        found = run_trial(
            session.rules, second.decoded, setup,
            own=frozenset(tape.own), scripts={setup.watched: second.script}, before=before,
        )  # fmt: skip
        assert found.strategy.placed
        return found.strategy.absent_s.get("WARMING_UP", 0.0)

    assert warming_s(()) > 10
    assert warming_s(islice(tape, second.before)) == 0
