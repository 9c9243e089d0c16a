"""`up`'s exchange when somebody takes the port between the look and the start."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from lunomm.commands import up_exchange as up
from lunomm.config import read_common
from lunomm.options.up import UpOptions


async def test_a_port_taken_in_between_is_replaced(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setitem(up.USUAL_PORTS, "sim", taken)
        real = up._free_port
        monkeypatch.setattr(up, "_free_port", lambda first, *, usual=True: taken if usual else real(first, usual=False))
        common = replace(read_common({}, json=False), state_dir=state_dir)
        world = await up.World.find_or_start(common, UpOptions(pairs=("XBTMYR",)))
        try:
            found = up.venue_finder.noted_exchange(state_dir)
            assert found is not None
            assert not found.url.endswith(f":{taken}")
        finally:
            await world.end(True)
