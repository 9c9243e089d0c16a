"""``lunomm doctor`` as a process: on an empty machine, with everything wrong, and as the first look with keys."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from house import House, open_house

from lunomm.simulator.keys import PERMISSIONS, Key, KeyRing
from lunomm.tape.reader import read_tape
from lunomm.tape.walk import survey

TRADING = 1 + 2 + 32 + 64
SECRET = "doctors-own-secret"


async def doctor(folder: Path, *args: str, code: int, env: dict[str, str] | None = None) -> tuple[dict[str, Any], str]:
    """Its object, and everything it wrote."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LUNO", "REDIS"))}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lunomm", "doctor", *args, "--json",
        cwd=folder, env={**clean, "LUNOMM_STATE_DIR": str(folder / "state"), **(env or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = (part.decode() for part in await child.communicate())
    assert child.returncode == code, out + err
    assert "Traceback" not in err and SECRET not in out + err
    data = json.loads(out)["data"]
    assert data["exit_code"] == code
    return data, out + err


def found(data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["check"]: (each["level"], each["text"]) for each in data["checks"]}


@asynccontextmanager
async def trading_house(perms: int = TRADING) -> AsyncIterator[House]:
    async with open_house() as house:
        house.exchange.keys = KeyRing([Key("one", SECRET, "sim", perms)])
        yield house


async def test_an_empty_machine_is_ready_for_the_simulator_and_stays_empty(tmp_path: Path, free_port: int) -> None:
    data, _ = await doctor(tmp_path, code=0, env={"REDIS_PORT": str(free_port)})
    assert (data["mode"], data["failed"], data["warnings"]) == ("sim", 0, 0)
    checks = found(data)
    assert "embedded" in checks["redis"][1] and "needs none" in checks["key"][1]
    assert checks["self-test"][0] == checks["market"][0] == "pass"
    sources = {each["name"]: (each["source"], each["variable"]) for each in data["settings"]}
    assert sources["redis"] == ("environment", "REDIS_PORT") and sources["pair"] == ("default", None)
    assert list((tmp_path / "state").iterdir()) == []


async def test_everything_wrong_at_once_is_all_said(tmp_path: Path, free_port: int) -> None:
    (tmp_path / ".env").write_text(f"LUNO_KEY_ID=one\nLUNO_KEY_SECRET={SECRET}\nLUNOMM_GAMMA=much\nLUNOMM_GAMA=1\n")
    (tmp_path / ".env").chmod(0o644)
    env = {"REDIS_HOST": "redis.invalid"}
    async with trading_house(TRADING - PERMISSIONS["Perm_W_Orders"]) as house:
        data, _ = await doctor(tmp_path, "--mode", "live", "--url", house.url, code=4, env=env)
        assert house.exchange.venue.orders("sim", "XBTMYR") == []
    failures = {check for check, (level, _) in found(data).items() if level == "fail"}
    assert failures == {".env", "key", "redis", "redis seal", "limits"}
    texts = [each["text"] for each in data["checks"] if each["check"] == "settings"]
    assert "LUNOMM_GAMMA (.env)" in texts[0] and "LUNOMM_GAMA (.env)" in texts[1]
    assert "lacks: create orders" in found(data)["key"][1]
    assert all(each["next"] for each in data["checks"] if each["level"] != "pass")
    assert any("--max-position 0.0" in (each["next"] or "") for each in data["checks"])

    gone, _ = await doctor(tmp_path, "--mode", "live", "--url", f"http://127.0.0.1:{free_port}", code=4, env=env)
    assert "cannot connect" in found(gone)["exchange"][1] and "could not be asked" in found(gone)["key"][1]


async def test_the_first_look_records_audits_judges_and_places_nothing(tmp_path: Path, free_port: int) -> None:
    env = {"LUNO_KEY_ID": "one", "LUNO_KEY_SECRET": SECRET, "REDIS_PORT": str(free_port), "LUNOMM_ORDER_SIZE": "0.002"}
    async with trading_house() as house:
        data, _ = await doctor(tmp_path, "--live", "--for", "13", "--url", house.url, code=0, env=env)
        assert house.exchange.venue.orders("sim", "XBTMYR") == []
        assert await refused(tmp_path, house.url, env)
    assert found(data)["limits"][0] == "warn" and found(data)["key"] == (
        "pass",
        "accepted; may view balance, view transactions, view orders, create orders; can neither send nor withdraw",
    )
    seen = data["recorded"]
    assert seen["audit"]["checks"] >= 1 and seen["audit"]["misses"] == 0 and seen["orders_placed"] == 0
    (path,) = seen["tapes"]
    facts, walk = survey(read_tape(Path(path)))
    assert walk.counts.total() == 0 and facts.snapshots == 1
    assert seen["calibration"]["verdict"] in ("NO", "THIN", "GO") and "strategy" in seen["backtest"]["lanes"]
    assert {each["check"] for each in seen["checks"]} == {"stream", "audit", "fees", "paper queue"}


async def refused(folder: Path, url: str, env: dict[str, str]) -> bool:
    """With a key that is not accepted nothing is recorded."""
    data, _ = await doctor(folder, "--live", "--url", url, code=3, env={**env, "LUNO_KEY_SECRET": "another"})
    return data["recorded"] is None and found(data)["key"][0] == "fail"
