from __future__ import annotations

import random
from typing import Any

import pytest

from lunomm.errors import UsageError
from lunomm.simulator.fault_table import MARKET, USER, parse_fault
from lunomm.simulator.faults import CLEAN, MOST, CallDecision, Faults

S = 1_000_000_000


def armed(*texts: str, seed: int = 1) -> Faults:
    faults = Faults(random.Random(seed))
    for text in texts:
        faults.arm(parse_fault(text), 0)
    return faults


@pytest.mark.parametrize(
    ("text", "call", "decision"),
    [
        ("error-429:seconds=7", "ticker", CallDecision(reply="429", retry_after_s=7.0)),
        ("error-500", "postorder", CallDecision(reply="500")),
        ("error-503:when=after", "postorder", CallDecision(reply="503", executed=True)),
        ("html-body", "balance", CallDecision(reply="html")),
        ("empty-body:when=after", "postorder", CallDecision(reply="empty", executed=True)),
        ("truncated-body", "postorder", CallDecision(reply="truncated", executed=True)),
        ("black-hole:seconds=3,when=after", "postorder", CallDecision(reply="none", executed=True, wait_s=3.0)),
        ("late-arrival:seconds=5", "postorder", CallDecision(hold_s=5.0)),
        ("no-ttl", "postorder", CallDecision(no_ttl=True)),
        ("refuse:code=ErrInternal", "postorder", CallDecision(refuse="ErrInternal")),
        ("maintenance", "stoporder", CallDecision(refuse="ErrUnderMaintenance")),
        ("post-only-cancelled", "postorder", CallDecision(refuse="ErrOrderCanceled")),
        ("awaiting", "postorder", CallDecision(awaiting=True)),
        ("cancel-false", "stoporder", CallDecision(cancel="false")),
        ("cancel-unknown", "stoporder", CallDecision(cancel="unknown")),
        ("fill-while-cancelling:percent=25", "stoporder", CallDecision(cancel="fill", share=0.25)),
        ("fill-after-cancel", "stoporder", CallDecision(cancel="late", share=0.5, after_s=0.5)),
        ("clock-skew:seconds=-30", "ticker", CallDecision(skew_s=-30.0)),
        ("balance-lag", "balance", CallDecision(lag_s=5.0)),
        ("listtrades-lag", "listtrades", CallDecision(lag_s=5.0)),
        ("key-revoked", "balance", CallDecision(refuse="ErrApiKeyRevoked")),
        ("permission-removed", "postorder", CallDecision(refuse="ErrInsufficientPerms")),
    ],
)
def test_what_a_call_meets(text: str, call: str, decision: CallDecision) -> None:
    faults = armed(text)
    assert faults.on_call(call, "XBTMYR", 1) == decision
    assert faults.armed[0].reached == 1


def test_another_call_or_pair_is_left_alone() -> None:
    faults = armed("refuse", "error-500:call=ticker,pair=XBTZAR", "key-revoked:call=balance")
    assert faults.on_call("stoporder", "XBTMYR", 1) == CLEAN
    assert faults.on_call("ticker", "XBTMYR", 1) == CLEAN
    assert faults.on_call("balance", "", 1, keyed=False) == CLEAN
    assert [fault.reached for fault in faults.armed] == [0, 0, 0]
    # A call that names no market could mean any.
    assert faults.on_call("ticker", "", 1).reply == "500"


def test_several_add_up() -> None:
    faults = armed("late-arrival:seconds=2", "late-arrival:seconds=3", "no-ttl", "error-502:when=after")
    assert faults.on_call("postorder", "", 1) == CallDecision(hold_s=5.0, no_ttl=True, reply="502", executed=True)


def test_count_time_and_chance() -> None:
    faults = armed("market-drop:count=2", "user-drop:for=3", "wrong-book:probability=0.25")
    assert [len(list(faults.on_frame(MARKET, "XBTMYR", n))) > 0 for n in range(2)] == [True, True]
    assert [len(list(faults.on_frame(USER, "", s * S))) for s in (0, 2, 3)] == [1, 1, 0]
    assert [fault.active(4 * S) for fault in faults.armed] == [False, False, True]
    for n in range(2000):
        list(faults.on_frame(MARKET, "XBTMYR", n))
    assert 400 < faults.armed[2].reached < 600
    assert faults.armed[0].reached == 2


def test_the_same_seed_strikes_the_same_frames() -> None:
    def struck(seed: int) -> list[bool]:
        faults = armed("market-drop:probability=0.5", seed=seed)
        return [bool(list(faults.on_frame(MARKET, "XBTMYR", n))) for n in range(64)]

    assert struck(1) == struck(1) != struck(2)


def test_streams_refused_and_rejoined() -> None:
    faults = armed("login-refused:count=1,pair=XBTMYR", "user-replay:size=5", "user-cache-gone")
    assert faults.on_login("XBTZAR", 1) is None
    assert faults.on_login("XBTMYR", 1) == "session_limit_exceeded"
    assert faults.on_login("XBTMYR", 1) is None
    assert faults.on_join(1) == (True, 5)
    assert armed("key-revoked").on_login("", 1) == "invalid_credentials"
    assert armed("key-revoked:call=balance").on_login("", 1) is None


def test_the_exchange_goes_back_after_its_time_or_when_disarmed() -> None:
    def steps(faults: Faults, now_ns: int) -> list[Any]:
        return [(action.asked.kind.name, action.ends) for action in faults.due(now_ns)]

    faults = armed("status:seconds=2", "empty-book", "price-jump")
    assert steps(faults, 0) == [("status", False), ("empty-book", False), ("price-jump", False)]
    assert steps(faults, 2 * S - 1) == []
    assert steps(faults, 2 * S) == [("status", True)]
    assert steps(faults, 900 * S) == []
    assert faults.disarm("empty-book") == 1
    assert steps(faults, 900 * S) == [("empty-book", True)]
    assert faults.disarm() == 2 and steps(faults, 901 * S) == [] and not faults.armed


def test_a_bound_on_how_many() -> None:
    faults = armed(*["market-drop"] * MOST)
    with pytest.raises(UsageError, match="Disarm some"):
        faults.arm(parse_fault("market-drop"), 0)
    assert faults.disarm(7) == 1 and faults.disarm(7) == 0 and len(faults.armed) == MOST - 1


def test_what_a_screen_shows() -> None:
    faults = armed("market-close:code=1012,count=1")
    list(faults.on_frame(MARKET, "XBTMYR", 1))
    shown = faults.armed[0].data(1)
    assert (shown["name"], shown["reached"], shown["active"], shown["rows"]) == ("market-close", 1, False, ["F-12"])
