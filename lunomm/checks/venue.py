"""The exchange, the key, the market and what making it costs (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from lunomm.checks.verdicts import Verdict, failed, passed, split_advice, warned
from lunomm.market.pairs import Market
from lunomm.market.rules import PairRules

USAGE, CONFIG, UNREACHABLE = 2, 3, 4
FAILED = 1

FOR_TRADING = {
    "balance": "view balance",
    "transactions": "view transactions",
    "orders": "view orders",
    "trade": "create orders",
}
"""What a trading key needs, as Luno's site calls it; by :attr:`KeyFacts.may`."""

MAKE_A_KEY = "make a key with view balance, view transactions, view orders, create orders and nothing else"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The user's key, as far as the exchange was asked about it.

    error: why the settings hold no key that can be used. accepted: by the exchange; None: not asked, or no answer;
    refusal: what it said. may: by name of :data:`FOR_TRADING`, None where that is not known. sends, withdrawals: what a
    thief could do with it beyond trading. guardian: one of its own is set.
    """

    there: bool
    error: str | None = None
    accepted: bool | None = None
    refusal: str = ""
    may: dict[str, bool | None] = field(default_factory=dict)
    sends: bool | None = None
    withdrawals: bool | None = None


def check_key(facts: KeyFacts, mode: str, *, first_run: bool = False) -> Verdict:
    """sim needs none; paper one that reads; live one that trades, and that should do no more.

    first_run: nothing is traded after this look, so that one which only reads will do.
    """
    if facts.error is not None:
        head, step = split_advice(facts.error)
        return failed("key", head, step or "correct it in .env", CONFIG)
    if not facts.there:
        if mode == "sim":
            return passed("key", "none, and mode sim needs none")
        text = f"none: mode {mode} needs LUNO_KEY_ID and LUNO_KEY_SECRET"
        step = "make one at luno.com that may only read" if mode == "paper" else MAKE_A_KEY
        return failed("key", text, f"{step}; put it into .env (chmod 600 .env)", CONFIG)
    if mode == "sim":
        return passed("key", "there is one; mode sim does not use it")
    if facts.accepted is False:
        head, step = split_advice(facts.refusal)
        return failed("key", head, step or "copy id and secret again, or make a new key at luno.com", CONFIG)
    if facts.accepted is None:
        return warned(
            "key", "there is one; the exchange could not be asked about it", "run doctor again when it answers"
        )
    lacks = [words for name, words in FOR_TRADING.items() if facts.may.get(name) is False]
    if mode == "live" and lacks:
        text = f"accepted, but lacks: {', '.join(lacks)}"
        if first_run:
            return warned("key", f"{text}: enough to look, not to trade", f"before you trade {MAKE_A_KEY}")
        return failed("key", text, MAKE_A_KEY, CONFIG)
    has = [words for name, words in FOR_TRADING.items() if facts.may.get(name)]
    allowed = f"accepted; may {', '.join(has)}" if has else "accepted"
    if facts.sends:
        return warned("key", f"{allowed}, and may send money", MAKE_A_KEY)
    if facts.withdrawals:
        return warned("key", f"{allowed}, and may see withdrawals, perhaps make them", MAKE_A_KEY)
    if mode == "paper":
        return passed("key", f"{allowed}; on paper it is only read with (best a key that may do no more)")
    if facts.sends is None or facts.withdrawals is None:
        return warned("key", f"{allowed}; whether it may send money was not told", "look at the key on luno.com")
    return passed("key", f"{allowed}; can neither send nor withdraw")


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What the exchange said, or why it did not.

    name: for people. started: it is one of our own, made for this look. error: it did not answer. took_ms: of a call in
    the middle. clock: what is wrong with this machine's, None where nothing can be shown to be; offset_ms: the
    exchange's minus ours; error_ms: known to within.
    markets: how many it lists; near: some with the same base, where ``rules`` is None because the pair is not listed.
    market: touch and fees. taker_fee: a fraction. fees_said: why the fees are not the account's.
    """

    name: str
    started: bool = False
    error: str | None = None
    took_ms: float | None = None
    clock: str | None = None
    offset_ms: float | None = None
    error_ms: float | None = None
    markets: int = 0
    near: Sequence[str] = ()
    rules: PairRules | None = None
    market: Market | None = None
    taker_fee: Decimal | None = None
    traded: Decimal | None = None
    fees_said: str = ""


def check_venue(facts: VenueFacts, pair: str) -> list[Verdict]:
    """Reachable, agrees with this machine's clock, lists the pair, and what a round trip costs there."""
    if facts.error is not None:
        head, step = split_advice(facts.error)
        return [failed("exchange", head, step or "check the connection and whether luno.com is up", UNREACHABLE)]
    if facts.started:
        reached = passed("exchange", f"{facts.name}: none runs yet, the first command starts one")
    else:
        took = "" if facts.took_ms is None else f" in {facts.took_ms:.0f} ms"
        reached = passed("exchange", f"{facts.name} answers{took}")
    return [reached, _clock(facts), *_market(facts, pair)]


def _clock(facts: VenueFacts) -> Verdict:
    if facts.started:
        return passed("clock", "the simulated exchange goes by this machine's own")
    if facts.clock is not None:
        return failed("clock", facts.clock, "set the clock (NTP): orders would be refused or late", CONFIG)
    if facts.offset_ms is None or facts.error_ms is None:
        return warned("clock", "the exchange's answers carry no date to compare it with", "see that NTP runs here")
    return passed(
        "clock", f"agrees with the exchange's to within {(abs(facts.offset_ms) + facts.error_ms) / 1000:.1f} s"
    )


def _market(facts: VenueFacts, pair: str) -> list[Verdict]:
    rules, market = facts.rules, facts.market
    if rules is None:
        near = f"with the same base it lists {', '.join(facts.near)}" if facts.near else "lunomm pairs lists them all"
        return [failed("market", f"{pair}: not one of the {facts.markets} markets", near, USAGE)]
    grid = (
        f"tick {rules.tick_size:f} {rules.counter}, lot {rules.lot_size:f} {rules.base}, "
        f"orders of {rules.min_volume:f} to {rules.max_volume:f} {rules.base}"
    )
    if rules.status != "ACTIVE":
        listed = warned("market", f"{pair} does not trade now ({rules.status}); {grid}",
                        "wait: quotes return half a minute after it is ACTIVE")  # fmt: skip
    else:
        listed = passed("market", f"{pair} is ACTIVE; {grid}")
    return (
        [listed]
        if market is None
        else [listed, check_break_even(market, facts.taker_fee, facts.traded, facts.fees_said)]
    )


def check_break_even(market: Market, taker: Decimal | None, traded: Decimal | None, said: str) -> Verdict:
    """Whether quotes at the touch would earn their fees."""
    if market.maker_fee is None or market.break_even is None:
        return warned("fees", said or "the maker fee is not known", "lunomm pairs shows the published ones")
    words = [f"maker {_percent(market.maker_fee)}"]
    if taker is not None:
        words.append(f"taker {_percent(taker)}")
    if traded is not None:
        words.append(f"at a 30 day volume of {traded:f}")
    if market.fee_assumed:
        words.append("Luno's published entry tier" + (f": {said}" if said else ""))
    round_trip = f"a round trip costs {_bp(market.break_even)}"
    if market.spread is None:
        return passed("fees", f"{', '.join(words)}: {round_trip}")
    text = f"{', '.join(words)}: {round_trip}, the touch is {_bp(market.spread)} wide"
    if (market.edge or 0.0) < 0:
        return warned("fees", f"{text}: quotes that pay stand outside it", "see which markets pay: lunomm pairs")
    return passed("fees", f"{text}: a round trip at it earns {_bp(market.edge or 0.0)}")


def _percent(fraction: Decimal) -> str:
    return f"{(fraction * 100).normalize():f} %"


def _bp(fraction: float) -> str:
    return f"{fraction * 1e4:.{2 if abs(fraction) < 1e-4 else 1}f} bp"


@dataclass(frozen=True, slots=True)
class SelfTest:
    """An order placed, found, cancelled and gone at a simulated exchange of this process. failed: at which step, and
    why; empty where all was well. order_ms, cancel_ms: of the two calls."""

    failed: str = ""
    order_ms: float | None = None
    cancel_ms: float | None = None
    took_s: float | None = None


def check_self_test(test: SelfTest) -> Verdict:
    """Whether this installation can place an order, see it, take it down and show that nothing is left."""
    if test.failed or test.order_ms is None or test.cancel_ms is None or test.took_s is None:
        step = "run lunomm doctor --debug and report what it shows"
        return failed("self-test", test.failed or "it did not end", step, FAILED)
    return passed("self-test", f"simulated exchange: order {test.order_ms:.0f} ms, cancel {test.cancel_ms:.0f} ms, "
                               f"none left by two listings; {test.took_s:.1f} s")  # fmt: skip
