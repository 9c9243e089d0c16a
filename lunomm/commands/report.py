"""``lunomm report [PAIR]``: what a session came to, from its journal, and the market from the tapes recorded beside it.

Reads files only, beside a running gateway or long after it: no exchange, no Redis, no key. Without a name it is the
journal that changed last.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunomm.commands.present import envelope, put_line, put_screen, say
from lunomm.config import Common
from lunomm.errors import UsageError
from lunomm.journal.glance import Glance, glances
from lunomm.journal.store import read_journal
from lunomm.options.report import ReportOptions
from lunomm.quoting.inputs import Fill, OrderUpdate
from lunomm.tape.attribution import Attribution, attribute, attribution_data
from lunomm.tape.beside import read_sidecar
from lunomm.tape.lines import Sidecar, is_ours
from lunomm.tape.market_path import MarketPath
from lunomm.tape.markouts import HORIZONS_S
from lunomm.tape.moments import moment, read_moment
from lunomm.tape.reader import Tape, read_tape
from lunomm.tape.session import Told, tell
from lunomm.tape.walk import in_order, market_path
from lunomm.trading.restored import RestoredPair
from lunomm.views.attribution import attribution_panels, html_page
from lunomm.views.chart import svg
from lunomm.views.report import ReportView, report_screen

AFTER_NS = max(HORIZONS_S) * 1_000_000_000
"""Markouts look so far beyond the end."""

SAID_FROM = 5_000_000
"""Bytes of tapes above which their reading is announced."""

CSV_COLUMNS = (
    "time", "pair", "side", "price", "volume", "base", "value", "counter", "fee_base", "fee_counter", "maker",
    "trade_sequence", "order_id", "client_order_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Read:
    """One pair of the journal, judged."""

    told: Told
    found: Attribution
    tapes: tuple[str, ...]
    notes: tuple[str, ...]


def run(common: Common, pair: str | None, options: ReportOptions) -> list[dict[str, Any]]:
    """Report every pair of one journal, or one.

    Returns: the objects that ``--json`` prints.

    Raises:
        UsageError: no journal, nothing in the window, no tape, or a file cannot be written.
        JournalError: the journal cannot be trusted.
    """
    here = chosen(common.state_dir, pair, options)
    journal = read_journal(here.path, account=here.account, venue=here.venue)
    try:
        # Time zero: every order that ever was, not only those a successor must know of.
        kept, updates = journal.restore(0).pairs, journal.updates(0)
    finally:
        journal.close_reading()
    pairs = [pair] if pair is not None else [name for name in here.pairs if name in kept]
    if options.html is not None and len(pairs) > 1:
        raise UsageError(f"--html: one market a page. Name one of {', '.join(pairs)}")
    done = [_judged(common, here, name, kept[name], updates, options) for name in pairs]
    if options.csv is not None:
        _write(options.csv, "--csv", (fill for one in done for fill in one.told.fills), done)
    for one in done:
        if options.html is not None:
            _page(options.html, here, one)
    data = [_data(here, one) for one in done]
    for one, row in zip(done, data, strict=True):
        if common.json:
            put_line(envelope("report", row))
        else:
            _print(here, one)
    return data


def chosen(folder: Path, pair: str | None, options: ReportOptions) -> Glance:
    """The journal to report: the one named, else the one of that pair and mode that changed last.

    Raises:
        UsageError: code NO_JOURNAL.
    """
    found = [
        here
        for here in glances(folder)
        if (pair is None or pair in here.pairs)
        and (options.mode is None or here.mode == options.mode)
        and (options.journal is None or here.path.name == Path(options.journal).name)
        and here.pairs
    ]
    if not found:
        what = "".join(
            [
                f" of mode {options.mode}" if options.mode else "",
                f" that trades {pair}" if pair else "",
                " of that name" if options.journal else "",
            ]
        )
        raise UsageError(
            f"no journal{what} is in {folder}: no gateway has run here. Run one (lunomm up), or set LUNOMM_STATE_DIR",
            code="NO_JOURNAL",
        )
    return max(found, key=lambda here: _changed(here.path))


def _changed(path: Path) -> float:
    """When it was last written, its log included."""
    log = path.with_name(path.name + "-wal")
    return max(file.stat().st_mtime for file in (path, log) if file.exists())


def _judged(
    common: Common,
    here: Glance,
    pair: str,
    kept: RestoredPair,
    updates: Sequence[OrderUpdate],
    options: ReportOptions,
) -> _Read:
    since = None if options.since is None else read_moment(options.since, "--since")
    until = None if options.until is None else read_moment(options.until, "--until")
    window = tell(pair, kept, updates, since_ns=since, until_ns=until).session
    notes: list[str] = []
    tapes = tapes_beside(common, here, pair, (window.start_ns, window.end_ns + AFTER_NS), options, notes)
    path: MarketPath | None = None
    if tapes:
        path = market_path(tapes, tapes[0].rules)
    told = tell(pair, kept, updates, path, since_ns=since, until_ns=until)
    return _Read(told, attribute(told.session), tuple(tape.path.name for tape in tapes), (*told.notes, *notes))


def tapes_beside(
    common: Common, here: Glance, pair: str, window: tuple[int, int], options: ReportOptions, notes: list[str]
) -> list[Tape]:
    """Those named, checked; else what was recorded of this venue at this time and can be read."""
    if options.no_tape:
        return []
    if options.tape:
        _announce(common, options.tape)
        return in_order([read_tape(path, pair) for path in options.tape])
    beside = [
        path
        for path in sorted((common.state_dir / "tapes").glob(f"{pair}-*"))
        if is_ours(path.name) and isinstance(said := read_sidecar(path), Sidecar) and _of(said, here, pair, window)
    ]
    _announce(common, beside)
    found: list[Tape] = []
    for path in beside:
        try:
            found.append(read_tape(path, pair))
        except UsageError as error:
            notes.append(f"a tape is not used: {error}")
    kept: list[Tape] = []
    for tape in sorted(found, key=lambda tape: tape.started_ns):
        if kept and tape.started_ns < kept[-1].ended_ns:
            notes.append(f"{tape.path.name} is not used: {kept[-1].path.name} has that time already")
        elif kept and tape.rules.grid[:2] != kept[0].rules.grid[:2]:
            notes.append(f"{tape.path.name} is not used: the market's price or volume steps were others then")
        else:
            kept.append(tape)
    return kept


def _announce(common: Common, paths: Sequence[Path]) -> None:
    """Nobody shall think that it hangs."""
    size = sum(path.stat().st_size for path in paths if path.exists())
    if size >= SAID_FROM and not common.json:
        say(f"reading {size / 1e6:.0f} MB of tapes; a day of a busy market takes a minute or two ...")


def _of(said: Sidecar, here: Glance, pair: str, window: tuple[int, int]) -> bool:
    """Whether a tape is of the journal's venue and time."""
    about = said.provenance
    same = about.mode == here.mode and here.run_id in ("", about.run_id)
    ended_ns = said.ended_ns if said.closed and said.ended_ns is not None else window[1]
    return same and said.pair == pair and said.started_ns <= window[1] and ended_ns >= window[0]


def _write(path: Path, option: str, fills: Iterable[Fill], done: Sequence[_Read]) -> None:
    currencies = {one.found.pair: (one.found.base, one.found.counter) for one in done}
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(CSV_COLUMNS)
            for fill in fills:
                writer.writerow(csv_row(fill, *currencies[fill.pair]))
    except OSError as error:
        raise UsageError(f"{option}: cannot write {path}: {error.strerror}. Give another file") from None
    say(f"wrote {path}")


def csv_row(fill: Fill, base: str, counter: str) -> list[str]:
    """One fill for a spreadsheet: exact digits, fees each in its own currency, and no text that is a formula."""
    return [
        moment(fill.ts_ms * 1_000_000),
        _cell(fill.pair),
        "BUY" if fill.side.sign > 0 else "SELL",
        f"{fill.price:f}",
        f"{fill.volume:f}",
        _cell(base),
        f"{fill.counter:f}",
        _cell(counter),
        f"{fill.fee_base:f}",
        f"{fill.fee_counter:f}",
        "maker" if fill.maker else "taker",
        str(fill.sequence),
        _cell(fill.order_id),
        _cell(fill.client_order_id or ""),
    ]


def _cell(text: str) -> str:
    """Outside text that a spreadsheet will not run."""
    cleaned = "".join(c if " " <= c <= "~" else "?" for c in text[:80])
    return "'" + cleaned if cleaned[:1] in ("=", "+", "-", "@") else cleaned


def _page(path: Path, here: Glance, one: _Read) -> None:
    found = one.found
    title = f"{found.pair}: {here.mode} session"
    subtitle = f"{moment(found.start_ns)} to {moment(found.end_ns)}, {here.path.name}"
    picture = svg(found.pair, attribution_panels(found, one.told.fills), subtitle=subtitle)
    text = html_page(title, subtitle, {here.mode: found}, [("", picture)], one.notes)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html: cannot write {path}: {error.strerror}. Give another file") from None
    say(f"wrote {path}")


def _data(here: Glance, one: _Read) -> dict[str, Any]:
    return {
        "journal": here.path.name,
        "venue": here.venue,
        "mode": here.mode,
        "halted": here.halted,
        "start": moment(one.found.start_ns),
        "end": moment(one.found.end_ns),
        "tapes": list(one.tapes),
        "notes": list(one.notes),
        **attribution_data(one.found),
    }


def _print(here: Glance, one: _Read) -> None:
    view = ReportView(one.found, here.mode, here.path.name, here.halted, one.tapes, one.notes)
    put_screen(report_screen(view))
