"""One command run: its module imported, its coroutine run to its end, its data as one line of ``--json``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import typer

from lunomm import config as c
from lunomm.collector import SETTLED_AFTER_S, paused, settle


def run_command(name: str, common: c.Common, *arguments: object, **named: object) -> None:
    """``lunomm.commands.<name>.run`` with these arguments.

    Raises:
        LunommError: whatever it raises. typer.Exit: code 1, where a calibration's verdict is NO.
    """
    with paused():
        import asyncio

        module = importlib.import_module(f"lunomm.commands.{name}")
        from lunomm.commands.piece import run_again
        from lunomm.commands.present import envelope, put_line, say

    def work(now: c.Common) -> Any:
        return module.run(now, *arguments, **named)

    async def settled() -> Any:
        for after_s in SETTLED_AFTER_S:
            asyncio.get_running_loop().call_later(after_s, settle)
        return await run_again(work, common)

    if common.mode != "live" and (complaint := c.exposed(Path.cwd() / ".env")) is not None:
        say(complaint)
    data = asyncio.run(settled())
    if common.json and data is not None:
        put_line(envelope(name, data))
    if name == "calibrate" and isinstance(data, dict) and data.get("verdict") == "NO":
        raise typer.Exit(1)
