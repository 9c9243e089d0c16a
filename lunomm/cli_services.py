"""All at once, and the simulated exchange: `up`, `exchange` and `down`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm import requires
from lunomm.cli_groups import BOOK, GATEWAY, QUOTE, taking
from lunomm.cli_running import run_command

SERVICES = "All at once, and the simulated exchange"

app = typer.Typer()


@app.command(rich_help_panel=SERVICES)
@taking(QUOTE, GATEWAY, BOOK)
def up(
    pairs: o.Pairs = None,
    tape: o.Tape = None,
    speed: o.Speed = 1.0,
    seed: o.Seed = 1,
    profile: o.Profile = None,
    fee_tier: o.FeeTier = None,
    upstream: o.Upstream = None,
    balance: o.Balances = None,
    latency_ms: o.LatencyMs = None,
    *,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
    **given: Any,
) -> None:
    """The whole pipeline, supervised; Ctrl-C ends it with no order left."""
    from lunomm.options.up import UpOptions

    env = c.environment()
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug, upstream=upstream)
    requires.require_bus_key(common)
    requires.require_mode_of(common, tape=tape, upstream=upstream, balances=balance, latency_ms=latency_ms)
    record = _record(env, given["record"], no_record=given["no_record"], tape=tape)
    options = UpOptions(
        pairs=c.parse_pairs(pairs, env),
        tape=tape,
        speed=speed,
        seed=seed,
        profile=profile,
        fee_tier=c.fee_tier(fee_tier, common.mode),
        balances=tuple(balance or ()),
        latency_ms=latency_ms,
        quote=QUOTE(given),
        gateway=GATEWAY(given),
        book=replace(BOOK(given), record=record),
    )
    run_command("up", common, options.pairs, options)


def _record(env: dict[str, str], record: Path | None, *, no_record: bool, tape: Path | None) -> Path | None:
    """`up` records into the state folder unless told otherwise; a tape that is re-enacted is not recorded again."""
    if no_record or tape is not None:
        return None
    return record or c.read_state_dir(env) / "tapes"


@app.command(rich_help_panel=SERVICES)
def exchange(
    pairs: o.Pairs = None,
    port: o.Port = None,
    seed: o.Seed = 1,
    profile: o.Profile = None,
    tape: o.Tape = None,
    tape_lead_s: o.TapeLead = 1.0,
    speed: o.Speed = 1.0,
    fee_tier: o.FeeTier = None,
    behaviour: o.Switches = None,
    fault: o.Faults = None,
    account: o.Accounts = None,
    upstream: o.Upstream = None,
    balance: o.Balances = None,
    latency_ms: o.LatencyMs = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
) -> None:
    """A simulated Luno on loopback: seeded order flow, a recorded tape re-enacted, or paper trading (--upstream).

    Profiles of the flow: theory (known sigma, A and kappa), and look-alikes: XBTZAR (as recorded), XBTMYR (one tick
    wide), thin (a seldom traded alt), stable (a dollar coin). GET /sim/info states the truth of each pair.
    """
    if behaviour is not None and "list" in behaviour:
        from lunomm.simulator.behaviour import table

        typer.echo(table())
        return
    if fault is not None and "list" in fault:
        from lunomm.simulator.fault_table import table as faults_table

        typer.echo(faults_table())
        return
    env = c.environment()
    from lunomm.options.exchange import ExchangeOptions

    options = ExchangeOptions(
        port=port,
        seed=seed,
        profile=profile,
        pairs=c.parse_pairs(pairs, env),
        tape=tape,
        tape_lead_s=tape_lead_s,
        speed=speed,
        fee_tier=c.fee_tier(fee_tier, "sim" if upstream is None else "paper"),
        behaviour=tuple(behaviour or ()),
        faults=tuple(fault or ()),
        accounts=tuple(account or ()),
        upstream=upstream,
        balances=tuple(balance or ()),
        latency_ms=latency_ms,
    )
    common = c.read_common(env, json=json, for_s=for_s, debug=debug, venue=False)
    run_command("exchange", common, options)


@app.command(rich_help_panel=SERVICES)
def down(force: o.Force = False, json: o.Json = False, debug: o.Debug = False) -> None:
    """Stops the pieces, the simulated exchange and the embedded Redis, gateway first."""
    common = c.read_common(c.environment(), json=json, debug=debug, venue=False)
    run_command("down", common, force=force)
