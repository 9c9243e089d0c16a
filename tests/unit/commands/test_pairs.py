"""Several pairs in one process: one that fails starts over, the others never notice."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lunomm.commands import pairs
from lunomm.commands.pairs import LONGEST_PAUSE_S, Slot, keep
from lunomm.errors import CredentialsError, ExchangeError


class Stub:
    """As much of a feed and of a piece as the keeper touches."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed: list[str] = []

    def fail(self, text: str) -> None:
        self.failed.append(text)

    def tick(self) -> str:
        return self.name


def piece(said: list[Any]) -> Any:
    async def publish(channel: Any, tick: Any) -> None:
        said.append(tick)

    return SimpleNamespace(name="book", bus=SimpleNamespace(publish=publish), last_error=None)


async def endless(beats: list[str], name: str) -> None:
    while True:
        beats.append(name)
        await asyncio.sleep(0)


async def raising(error: Exception) -> None:
    raise error


async def test_one_pair_fails_and_starts_over_while_the_other_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "FIRST_PAUSE_S", 0.001)
    said: list[Any] = []
    beats: list[str] = []
    renewed = asyncio.Event()
    bad, good = Slot("XBTZAR", cast(Any, Stub("bad"))), Slot("XBTMYR", cast(Any, Stub("good")))
    first = bad.feed
    tries = [ExchangeError("not now"), None]

    def loops(feed: Any) -> Any:
        work = raising(ExchangeError("tick changed")) if feed.name == "bad" else endless(beats, feed.name)
        return [("stream", work), ("other", endless(beats, feed.name + " other"))]

    async def renew(old: Any) -> Any:
        error = tries.pop(0)
        if error is not None:
            raise error
        renewed.set()
        return Stub("fresh")

    stub = piece(said)
    work = [asyncio.create_task(keep(stub, slot, loops, renew, alone=False)) for slot in (bad, good)]
    async with asyncio.timeout(20):
        await renewed.wait()
    for task in work:
        assert not task.done()
        task.cancel()
    await asyncio.wait(work)
    assert [text.split(": ")[1].split(".")[0] for text in cast(Any, first).failed] == ["tick changed", "not now"]
    assert said == ["bad", "bad"] and bad.failures == 2 and good.failures == 0
    assert beats.count("good") > 2


@pytest.mark.parametrize(
    ("error", "alone"), [(ExchangeError("x"), True), (CredentialsError("key"), False), (KeyError("bug"), True)]
)
async def test_what_ends_the_piece(error: Exception, alone: bool) -> None:
    slot = Slot("XBTMYR", cast(Any, Stub("it")))

    async def renew(old: Any) -> Any:
        raise AssertionError("nothing is started again")

    with pytest.raises(type(error)):
        await keep(piece([]), slot, lambda feed: [("x", raising(error))], renew, alone=alone)


def test_the_pause_grows_to_a_minute() -> None:
    slot = Slot("XBTMYR", cast(Any, None), failures=1)
    pauses = []
    for slot.failures in range(1, 10):
        pauses.append(slot.pause_s())
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0] and pauses[-1] == LONGEST_PAUSE_S
