"""Redis and disk: what each finding is worth, and the code a command would end with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lunomm.checks.machine import DiskFacts, RedisFacts, check_disk, check_journals, check_pipeline, check_redis
from lunomm.checks.verdicts import Level, exit_code

GOOD = RedisFacts(
    "127.0.0.1:6379", "redis", embeddable=True, local=True, sealed=False, software="Valkey", version="8.1.1",
    policy="noeviction", limited=False, append_only=True, snapshots=False, latency_ms=0.2, worst_ms=1.0,
)  # fmt: skip
NONE = RedisFacts("127.0.0.1:6379", "nothing", embeddable=True, local=True, sealed=False, binary="valkey-server")


def test_a_good_one_and_none_at_all_pass() -> None:
    assert {verdict.level for verdict in check_redis(GOOD)} == {Level.PASS}
    assert [verdict.check for verdict in check_redis(GOOD)] == ["redis", "redis memory", "redis persistence"]
    (none,) = check_redis(NONE)
    assert none.level is Level.PASS and "embedded" in none.text


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        (replace(NONE, binary=None, no_binary="no server is here. Install one"), 4, "no server is here"),
        (replace(NONE, found="other"), 4, "does not answer as a Redis"),
        (replace(NONE, embeddable=False), 4, "nothing listens"),
        (replace(GOOD, error="Redis at h:1: timed out. Check REDIS_HOST"), 4, "timed out"),
        (replace(GOOD, version="5.0.7"), 3, "too old"),
        (replace(GOOD, local=False), 3, "LUNOMM_BUS_KEY"),
    ],
)
def test_what_fails(facts: RedisFacts, code: int, words: str) -> None:
    verdicts = check_redis(facts)
    assert exit_code(verdicts) == code
    bad = next(verdict for verdict in verdicts if verdict.level is Level.FAIL)
    assert words in bad.text and bad.step


@pytest.mark.parametrize(
    "facts",
    [
        replace(GOOD, policy="allkeys-lru", limited=True),
        replace(GOOD, policy="allkeys-lru", limited=None),
        replace(GOOD, latency_ms=80.0, worst_ms=90.0),
        replace(GOOD, found="loading"),
    ],
)
def test_what_is_warned_about(facts: RedisFacts) -> None:
    verdicts = check_redis(facts)
    assert exit_code(verdicts) == 0
    assert [verdict.step != "" for verdict in verdicts if verdict.level is Level.WARN] == [True]


def test_what_is_not_told_is_not_claimed() -> None:
    silent = replace(GOOD, version=None, policy=None, limited=None, append_only=None, snapshots=None)
    assert [v.level for v in check_redis(silent)] == [Level.PASS] * 3
    assert "unknown version" in check_redis(silent)[0].text
    assert "does not say" in check_redis(silent)[1].text and "does not say" in check_redis(silent)[2].text


def test_another_venue_on_this_redis() -> None:
    assert check_pipeline(GOOD, "sim", None).level is Level.PASS
    there = replace(GOOD, venue="live at x", venue_mode="live", venue_url="x", pieces=("book XBTMYR",))
    assert check_pipeline(there, "live", "x").level is Level.PASS
    assert check_pipeline(there, "sim", None).code == 5
    assert check_pipeline(there, "live", "y").code == 5


@pytest.mark.parametrize(
    ("free_mb", "middle", "worst", "levels"),
    [
        (90_000.0, 1.0, 3.0, [Level.PASS] * 3),
        (700.0, 1.0, 3.0, [Level.PASS, Level.WARN, Level.PASS]),
        (100.0, 1.0, 3.0, [Level.PASS, Level.WARN, Level.PASS]),
        (10.0, 1.0, 3.0, [Level.PASS, Level.FAIL, Level.PASS]),
        (90_000.0, 80.0, 90.0, [Level.PASS, Level.PASS, Level.WARN]),
        (90_000.0, 1.0, 2_000.0, [Level.PASS, Level.PASS, Level.WARN]),
    ],
)
def test_the_disk(free_mb: float, middle: float, worst: float, levels: list[Level]) -> None:
    verdicts = check_disk(DiskFacts("/s", None, free_mb, middle, worst))
    assert [verdict.level for verdict in verdicts] == levels
    assert exit_code(verdicts) == (5 if Level.FAIL in levels else 0)


def test_a_folder_that_cannot_be_written_and_a_halt() -> None:
    (bad,) = check_disk(DiskFacts("/s", error="state folder /s: not writable. Set LUNOMM_STATE_DIR"))
    assert (bad.code, bad.step) == (3, "Set LUNOMM_STATE_DIR")
    assert check_journals([]).level is Level.PASS
    halt = check_journals([("journal-live", "DAILY_LOSS: 20 MYR")])
    assert halt.code == 5 and "DAILY_LOSS" in halt.text and "lunomm resume" in halt.step
