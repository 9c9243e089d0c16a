"""``lunomm set``, ``pause`` and ``unpause``: a quoter of its own process on a real Redis; the test plays the rest."""

from __future__ import annotations

import os
import signal
import time

import pytest
from test_quote_command import LIVE, PAIR, others, quote, two_sided, until

from lunomm.bus.channels import CONTROL, HEALTH, health_key
from lunomm.bus.client import Bus
from lunomm.commands.control import send_control
from lunomm.config import Common
from lunomm.errors import BusError, LunommError, UsageError
from lunomm.market.presence import Change, ControlRequest
from lunomm.quoting.intents import Why

SIDES = ["--order-size", "0.002"]


def common(redis_server, state_dir) -> Common:
    return Common(mode="live", redis=redis_server.address, state_dir=state_dir)


async def test_a_quoter_is_changed_paused_and_started_again_in_the_same_session(redis_server, state_dir):
    here = common(redis_server, state_dir)
    # The supervisor of both quoters is this process: they are two lives of one piece.
    supervised = {"LUNOMM_SUPERVISED": str(os.getpid())}
    async with others(redis_server.address) as them:
        async with quote(state_dir, *LIVE, *SIDES, **supervised):
            before = await until(them.now_wanted(two_sided), "quotes")
            done = await send_control(here, PAIR, "set", {"gamma": "4", "min-spread": "0.004"}, reason="wide")
            assert done.changes == (
                Change(name="gamma", old="1", new="4"),
                Change(name="min_spread", old="0", new="0.004"),
            )
            assert not done.journaled  # no gateway has a heartbeat here
            after = await until(them.now_wanted(lambda w: two_sided(w) and w.gamma == 4), "quotes of the new gamma")
            assert not {i.id for i in after.intents} & {i.id for i in before.intents}
            health = await them.bus.get(HEALTH, PAIR, name=health_key("quote", PAIR))
            assert health.settings["order_size"] == "0.002"
            with pytest.raises(UsageError, match=r"below --min-spread 0\.004"):
                await send_control(here, PAIR, "set", {"max_spread": "0.001", "gamma": "9"})
            await send_control(here, PAIR, "pause", reason="lunch")
            await until(them.now_wanted(lambda w: not w.intents and w.sides[0].why is Why.PAUSED), "the pause")
        async with quote(state_dir, *LIVE, *SIDES, **supervised):
            epoch = after.epoch
            again = await until(
                them.now_wanted(lambda w: w.epoch > epoch and w.sides[0].why is Why.PAUSED), "still paused"
            )
            assert again.gamma == 4
            assert again.sides[0].detail.endswith(": lunch")
            await send_control(here, PAIR, "unpause")
            await until(them.now_wanted(two_sided), "quoting again")
        async with quote(state_dir, *LIVE, *SIDES) as process:
            await until(
                them.now_wanted(lambda w: w.epoch > again.epoch and two_sided(w) and w.gamma == 1), "its command line"
            )
            await hostile_requests_are_answered_once(them.bus)
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(BusError) as silent:
                await send_control(here, PAIR, "pause", timeout_s=0.5)
            assert (silent.value.code, silent.value.exit_code) == ("NO_ANSWER", 4)


async def hostile_requests_are_answered_once(bus: Bus) -> None:
    asked = {
        "unknown": [Change(name="__class__", new="1")],
        "code": [Change(name="fair_price", new="os:system")],
        "big": [Change(name="gamma", new="9" * 400)],
    }
    for name, changes in asked.items():
        for _ in range(2):
            await bus.append(CONTROL, request(name, changes))
    await bus.append(CONTROL, request("old", [Change(name="gamma", new="7")], ts_ms=1))
    await bus.append(CONTROL, request("last", [Change(name="gamma", new="2")]))

    answers: list[ControlRequest] = []
    while not any(a.answers == "last" for a in answers):
        answers = [a for _, a in await bus.read_last(CONTROL, PAIR, 100) if a.verb == "answer"]
    told = [(a.answers, a.accepted) for a in answers if a.answers in (*asked, "old", "last")]
    assert told == [("unknown", False), ("code", False), ("big", False), ("old", False), ("last", True)]


def request(name: str, changes: list[Change], ts_ms: int | None = None) -> ControlRequest:

    now = time.time_ns() // 1_000_000
    return ControlRequest(
        pair=PAIR, request_id=name, verb="set", ts_ms=now if ts_ms is None else ts_ms, who="x@y", changes=changes
    )


async def test_nobody_there_is_said(redis_server, state_dir):
    here = common(redis_server, state_dir)
    for changes, code in (({"gamma": "2"}, "NO_QUOTER"), ({"max_position": "0.1"}, "NO_GATEWAY")):
        with pytest.raises(LunommError) as refused:
            await send_control(here, PAIR, "set", changes)
        assert (refused.value.code, refused.value.exit_code) == (code, 1)
    with pytest.raises(UsageError, match="one after another"):
        await send_control(here, PAIR, "set", {"gamma": "2", "max_position": "0.1"})
