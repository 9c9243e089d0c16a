"""Who the master is: as soon as most Sentinels agree, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lunomm.bus.sentinels import Place, Sentinels
from lunomm.redis_address import RedisAddress

A, B = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


def asked(monkeypatch: pytest.MonkeyPatch, answers: Sequence[Place | str | None]) -> Sentinels:
    """Sentinels that answer so; ``hangs``: never."""
    seats = tuple((f"192.0.2.{n}", 26379) for n in range(len(answers)))
    sentinels = Sentinels(RedisAddress(sentinels=seats, service="lunomm"), {}, "test")
    by_seat = dict(zip(map(id, sentinels._seats), answers, strict=True))

    async def ask(seat: object) -> object:
        answer = by_seat[id(seat)]
        if answer == "hangs":
            await asyncio.sleep(3600)
        return answer

    monkeypatch.setattr(sentinels, "_ask", ask)
    return sentinels


@pytest.mark.parametrize(
    ("answers", "master"),
    [
        ((A, A, "hangs"), A),
        (("hangs", A, A), A),
        ((B, A, A), A),
        ((None, None, A), None),
        ((A, B, None), None),
        ((A, A, B, B), None),
    ],
)
async def test_most_of_all_of_them_and_no_longer_than_that_takes(
    monkeypatch: pytest.MonkeyPatch, answers: Sequence[Place | str | None], master: Place | None
) -> None:
    sentinels = asked(monkeypatch, answers)
    async with asyncio.timeout(5):
        assert await sentinels.master() == master
        # Who has not answered yet may go on: cancelled, its connection would be dialled anew at each look.
        assert len(asyncio.all_tasks()) == 1 + answers.count("hangs")
        await sentinels.aclose()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1
