"""What doctor sees of a real server, of a stranger on the port, and of the disk."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from lunomm.bus.client import Bus
from lunomm.bus.venue import VenueInfo, claim
from lunomm.checks.machine import check_pipeline, check_redis
from lunomm.checks.verdicts import Level
from lunomm.commands.doctor_machine import disk_facts, redis_facts
from lunomm.config import RedisAddress

if TYPE_CHECKING:
    from conftest import RedisServer


async def test_a_server_of_ours_and_what_runs_on_it(redis_server: RedisServer, bus: Bus) -> None:
    await claim(bus, "XBTMYR", VenueInfo(pair="", mode="live", url="https://api.luno.com", run_id="live"))
    facts = await redis_facts(redis_server.address, "XBTMYR", {})
    assert (facts.found, facts.error, facts.policy, facts.append_only) == ("redis", None, "noeviction", True)
    assert facts.version is not None and facts.latency_ms is not None and facts.latency_ms <= (facts.worst_ms or 0)
    assert {verdict.level for verdict in check_redis(facts)} == {Level.PASS}
    assert check_pipeline(facts, "live", "https://api.luno.com").level is Level.PASS
    assert check_pipeline(facts, "sim", None).code == 5
    await bus.call(bus.redis.config_set("maxmemory-policy", "allkeys-lru"))
    try:
        unlimited = await redis_facts(redis_server.address, "XBTZAR", {})
    finally:
        await bus.call(bus.redis.config_set("maxmemory-policy", "noeviction"))
    assert (unlimited.policy, unlimited.limited, unlimited.venue) == ("allkeys-lru", False, None)


async def test_a_stranger_and_nobody(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        facts = await redis_facts(RedisAddress(port=stranger.getsockname()[1]), "XBTMYR", {})
    assert facts.found == "other"
    nobody = await redis_facts(RedisAddress(port=free_port), "XBTMYR", {})
    assert nobody.found == "nothing" and nobody.binary is not None
    assert (await redis_facts(RedisAddress(port=free_port, db=3), "XBTMYR", {})).error is not None


def test_the_disk_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    facts = disk_facts(tmp_path / "new" / "state")
    assert facts.error is None and (facts.free_mb or 0) > 0 and 0 < (facts.fsync_ms or 0) <= (facts.worst_ms or 0)
    assert list((tmp_path / "new" / "state").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert "LUNOMM_STATE_DIR" in (disk_facts(tmp_path / "file").error or "")
