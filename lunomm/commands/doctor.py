"""``lunomm doctor [PAIR]``: is everything here that a start needs?

Settings, key, Redis, exchange, disk, and a self-test. Facts are gathered at once, each with a time of its own, so that
what is dead costs a few seconds; what they mean is decided in `lunomm.checks`. Nothing is started and nothing is
traded: the self-test's order rests at a simulated exchange inside this process.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lunomm import __version__
from lunomm.checks.machine import DiskFacts, check_disk, check_journals, check_pipeline, check_redis
from lunomm.checks.settings import check_env_file, check_limits, check_settings
from lunomm.checks.venue import KeyFacts, SelfTest, VenueFacts, check_key, check_self_test, check_venue
from lunomm.checks.verdicts import Verdict, exit_code, failed, split_advice
from lunomm.commands import venue_finder
from lunomm.commands.doctor_machine import disk_facts, halted, redis_facts
from lunomm.commands.doctor_settings import Known
from lunomm.commands.doctor_venue import Told, ask_venue, own_exchange, place_of, self_test
from lunomm.commands.present import envelope, put_line, put_screen
from lunomm.errors import LunommError
from lunomm.journal.store import venue_name
from lunomm.luno.hosts import endpoint
from lunomm.trading.suggestion import suggest
from lunomm.views.doctor import DoctorView, doctor_data, doctor_screen


@dataclass(frozen=True)
class Examined:
    """What was found, and what the exchange told, for whoever goes on from there."""

    view: DoctorView
    told: Told

    @property
    def code(self) -> int:
        return exit_code(self.view.verdicts)


def run(known: Known, env: Mapping[str, str]) -> int:
    """Look, print, and return the exit code."""
    found = asyncio.run(examine(known, env))
    show(found.view, json=known.common.json)
    return found.code


def show(view: DoctorView, *, json: bool) -> None:
    """Print it, or its object."""
    if json:
        put_line(envelope("doctor", doctor_data(view)))
    else:
        put_screen(doctor_screen(view), trim=True)


async def examine(known: Known, env: Mapping[str, str], *, first_run: bool = False) -> Examined:
    """Gather and judge. first_run: nothing is traded after it, so limits may still be missing."""
    common, pair = known.common, known.pair
    key = KeyFacts(common.key is not None, known.key_error)
    disk = asyncio.create_task(asyncio.to_thread(disk_facts, common.state_dir))
    redis = asyncio.create_task(redis_facts(common.redis, pair, env)) if known.redis_error is None else None
    told, run_id = await _venue(known, key)
    test, own = await _self_test(known, told, key)
    told = told or own
    disk_found = await disk
    verdicts: list[Verdict] = [
        *check_settings(known.named, known.wrong, known.names),
        check_env_file(known.file, common.mode),
        check_key(told.key, common.mode, first_run=first_run),
        *_disk(disk_found, common.state_dir, _journal_of(known, run_id)),
    ]
    if redis is None:
        head, step = split_advice(known.redis_error or "")
        verdicts.append(failed("redis", head, step, 3))
    else:
        facts = await redis
        verdicts += check_redis(facts)
        if facts.error is None and facts.found == "redis":
            place = None if common.mode != "live" else common.url or "https://api.luno.com"
            verdicts.append(check_pipeline(facts, common.mode, place))
    verdicts += check_venue(told.venue, pair)
    if common.mode == "live":
        verdicts.append(check_limits(known.missing, _suggestion(told), first_run=first_run))
    verdicts.append(check_self_test(test))
    build = f"lunomm {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Examined(DoctorView(pair, common.mode, build, known.settings, verdicts), told)


async def _venue(known: Known, key: KeyFacts) -> tuple[Told | None, str]:
    """What the exchange says, and its run where it is one of ours; None where none runs."""
    common = known.common
    try:
        found = await place_of(common)
    except LunommError as error:
        return Told(VenueFacts("the exchange", error=str(error)), key), ""
    if found is None:
        return None, ""
    place, login, name = found
    info = None if common.mode == "live" else await venue_finder.ask(place.rest)
    return await ask_venue(common, known.pair, key, place, login, name), "" if info is None else info.run_id


async def _self_test(known: Known, told: Told | None, key: KeyFacts) -> tuple[SelfTest, Told]:
    """The test, and, where no exchange was asked, what its exchange says: the one a command would start is alike."""
    own = Told(VenueFacts("the simulated exchange", error="it does not start. Run lunomm doctor --debug"), key)
    try:
        async with own_exchange(known.pair) as place:
            test = await self_test(place, known.pair)
            if told is None:
                name = "the simulated exchange"
                own = await ask_venue(known.common, known.pair, key, place, venue_finder.SIM_KEY, name)
                own.venue = replace(own.venue, started=own.venue.error is None)
    except (LunommError, OSError) as error:
        return SelfTest(failed=f"the simulated exchange does not start: {error}"), own
    return test, own


def _journal_of(known: Known, run_id: str) -> str | None:
    """What a journal of this venue is named by; None where no venue runs."""
    common = known.common
    if common.mode == "live":
        return venue_name("live", host=endpoint(common.url).host)
    return venue_name(common.mode, run_id=run_id) if run_id else None


def _disk(found: DiskFacts, folder: Path, venue: str | None) -> list[Verdict]:
    verdicts = check_disk(found)
    if found.error is None:
        verdicts.append(check_journals(halted(folder, venue)))
    return verdicts


def _suggestion(told: Told) -> str:
    """Limits to begin with, from what the account holds."""
    rules, held, price = told.rules, told.held, told.price
    if rules is None or held is None or price is None:
        return ""
    found = suggest(held[rules.base], held[rules.counter], price, rules)
    if found is None:
        return ""
    return f"for what this account holds, to begin with: --order-size {rules.min_volume:f} {found.options}"
