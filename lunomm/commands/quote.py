"""``lunomm quote [PAIR]``: joins the bus to the quoter. No arithmetic on prices here; every decision is in ``quoting``.

Three loops feed the quoter (ticks, order events, and what is polled because its last value is all that counts), one
writes
what it wants: at once when that changed, else every half second, so that the key of three seconds dies only with its
writer. A Redis that goes away is waited for: the quoter sees no beat, wants nothing, and begins again when ticks
return.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import fields
from typing import Any

import msgspec
from rich.console import Console

from lunomm.bus.channels import ACCOUNT, LOB, LOOKS, ORDER_UPDATES, ORDERS, PARAMS, QUOTES, RULES
from lunomm.commands.fair_function import resolve
from lunomm.commands.piece import Piece, open_piece
from lunomm.commands.present import is_screen, say
from lunomm.commands.quote_control import Requests
from lunomm.config import Common
from lunomm.errors import BusError, UsageError
from lunomm.market.records import Tick
from lunomm.options.quote import QuoteOptions
from lunomm.quoting.avellaneda_stoikov import SpreadFormula
from lunomm.quoting.fair_price import FairPrice
from lunomm.quoting.freshness import too_old
from lunomm.quoting.intents import WantedQuotes
from lunomm.quoting.looks import LookLog
from lunomm.quoting.models import ModelName
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.risk_aversion import GammaRef, parse_target_skew
from lunomm.quoting.sizing import MinSizePolicy, SizeRule
from lunomm.requires import require_live
from lunomm.views.quote import QuoteView, quote_data, quote_line, quote_screen

WRITE_S = 0.5
"""The wanted state is rewritten this often; its key lives six times as long."""

POLL_S = 0.5
RETRY_S = 0.2
SLOW_POLLS = 4
"""Rules and calibrations change rarely: every fourth poll."""

REMEMBERED = 500
"""Order events read at the start, so that a restart keeps the rest after a fill."""


async def run(common: Common, pairs: tuple[str, ...], options: QuoteOptions) -> dict[str, Any] | None:
    """Quote one pair until stopped.

    Raises:
        ConfigError: live without an explicit order size.
        UsageError: not exactly one pair, or a target in another asset.
        InstanceError: another quoter has the pair.
    """
    require_live(common, options, None)
    if len(pairs) != 1:
        raise UsageError(f"quote: {len(pairs)} pairs given: one quote serves one pair. Start one quote for each")
    quoter_options(options)  # what excludes each other is refused before anything is opened
    await _quote(common, pairs[0], options, resolve(options.fair_price))
    return None


def quoter_options(options: QuoteOptions) -> QuoterOptions:
    """The command's options as the pure quoter takes them."""
    return QuoterOptions(
        order_size=options.order_size,
        gamma=options.gamma,
        eta=options.eta,
        min_spread=options.min_spread,
        order_refresh_rate_s=options.order_refresh_rate_s,
        filled_order_delay_s=options.filled_order_delay_s,
        max_order_age_s=options.max_order_age_s,
        horizon_s=options.horizon_s,
        spread_formula=SpreadFormula(options.spread_formula),
        size_rule=SizeRule(options.size_rule),
        reprice_at=options.reprice_at,
        inventory_target=options.inventory_target,
        kappa_prior=options.kappa_prior,
        min_size_policy=MinSizePolicy(options.min_size_policy),
        model=ModelName(options.model),
        gamma_ref=GammaRef(options.gamma_ref),
        target_skew=None if options.target_skew is None else parse_target_skew(options.target_skew),
        drift_daily=options.drift / 100,
        impact_bp=options.adverse_selection,
        max_spread=options.max_spread,
        no_improve=options.no_improve,
        ignore_fees=options.ignore_fees,
        tolerance_ticks=options.tolerance_ticks,
        levels=options.levels,
        level_spacing_bp=options.level_spacing,
        reference=options.reference,
    )


def asked(options: QuoteOptions) -> str:
    """What was not left at its default, as JSON: the parameters of a session, for its journal."""
    default = QuoteOptions()
    given = {f.name: value for f in fields(options) if (value := getattr(options, f.name)) != getattr(default, f.name)}
    return msgspec.json.encode(given).decode()


async def _quote(common: Common, pair: str, options: QuoteOptions, fair_price: FairPrice) -> None:
    async with open_piece("quote", common, (pair,), lease=True) as piece:
        piece.bus.one_build = True
        quoter = Quoter(pair, quoter_options(options), epoch_ms=await _epoch_ms(piece, pair), fair_price=fair_price)
        desk = Desk(piece, pair, quoter, quiet=common.json or is_screen(Console()), asked=asked(options))
        requests = Requests(piece, pair, quoter, options, quoter_options, desk.changed)
        # What was set and paused before `up` started this quoter again holds before anything is wanted.
        await requests.catch_up()
        for work, name in (
            (requests.hear(), "control"),
            (desk.follow_ticks(), "ticks"),
            (desk.follow_orders(), "orders"),
            (desk.poll(), "polls"),
            (desk.tell_looks(), "looks"),
            *((desk.follow_reference(leg), f"ticks of {leg}") for leg in quoter.reference_pairs),
        ):
            piece.start(work, name)
        writer = piece.start(desk.write(), "writer")
        piece.present(
            lambda: quote_screen(desk.view()), lambda: quote_line(desk.view()), lambda: quote_data(desk.view())
        )
        try:
            await piece.wait()
        finally:
            writer.cancel()
            await asyncio.wait((writer,))
            await desk.say_nothing_wanted()


async def _epoch_ms(piece: Piece, pair: str) -> int:
    """This quoter's start by the wall clock, above the last quoter's: a clock set back must not make us the older
    one."""
    try:
        last, account = await piece.bus.get(QUOTES, pair), await piece.bus.get(ACCOUNT, pair)
    except BusError:
        return piece.clock.wall_ms()
    believed = account.quoter_epoch if account is not None else None
    return max(piece.clock.wall_ms(), (last.epoch if last is not None else 0) + 1, (believed or 0) + 1)


class Desk:
    """One quoter with its loops.

    quiet: a live screen or JSON lines show the warnings; else each is said once on stderr.
    """

    def __init__(self, piece: Piece, pair: str, quoter: Quoter, *, quiet: bool, asked: str = "") -> None:
        self.quoter = quoter
        self.asked = asked
        self._piece = piece
        self._pair = pair
        self._quiet = quiet
        self.news = asyncio.Event()
        self.looks = LookLog(pair, quoter.epoch_ms)
        self._wanted: WantedQuotes | None = None
        self._problem = ""
        self._said: set[str] = set()
        self._written = 0
        self._errors = 0
        self._late = 0

    def view(self) -> QuoteView:
        """What the screen shows, as of now."""
        account = self.quoter.account
        return QuoteView(
            pair=self._pair,
            now_ms=self._piece.clock.exchange_ms(),
            quotes=self._wanted,
            rules=self.quoter.rules,
            max_position=account.max_position if account is not None else None,
            maker_fee=account.maker_fee if account is not None else None,
            problem=self._problem,
            refresh_s=self.quoter.options.order_refresh_rate_s,
            rest_s=self.quoter.options.filled_order_delay_s,
            max_age_s=self.quoter.options.max_order_age_s,
        )

    def changed(self, options: QuoteOptions) -> None:
        """A person changed something: what is wanted by it goes out at once, and so does what was asked for."""
        self.asked = asked(options)
        self.news.set()

    # --- in ----------------------------------------------------------------------------------------------------------

    async def follow_ticks(self) -> None:
        # The channel only, never the key's last value: that says nothing about whether book is alive.
        async for tick in self._piece.bus.listen(LOB, self._pair):
            age_ns = self._age_ns(tick)
            if age_ns is not None:
                self.quoter.on_tick(tick, self._piece.clock.now(), age_ns)
                self.looks.ticked(tick.sequence)
                self.news.set()

    async def follow_reference(self, pair: str) -> None:
        async for tick in self._piece.bus.listen(LOB, pair):
            age_ns = self._age_ns(tick)
            if age_ns is not None:
                self.quoter.on_reference(tick, self._piece.clock.now(), age_ns)
                self.news.set()

    def _age_ns(self, tick: Tick) -> int | None:
        """Since it was published; None, and counted, when that is too long ago to be the market."""
        wall_ms = self._piece.clock.wall_ms()
        if too_old(tick, wall_ms):
            self._late += 1
            return None
        return int((wall_ms - tick.ts) * 1e6)

    async def follow_orders(self) -> None:
        after = await self._remember()
        async for _, update in self._piece.bus.follow(ORDER_UPDATES, self._pair, after=after):
            self.quoter.on_order_update(update, self._piece.clock.now())
            self.looks.heard(update.number)
            self.news.set()

    async def _remember(self) -> str:
        """Take in the newest order events; the id after which to follow."""
        while True:
            try:
                rows = await self._piece.bus.read_last(ORDER_UPDATES, self._pair, REMEMBERED)
            except BusError as e:
                self._failed(e)
                await asyncio.sleep(RETRY_S)
                continue
            for _, update in rows:
                self.quoter.on_order_update(update, self._piece.clock.now())
                self.looks.heard(update.number)
            return rows[-1][0] if rows else "-"

    async def poll(self) -> None:
        bus, polls = self._piece.bus, 0
        while True:
            try:
                if polls % SLOW_POLLS == 0 or self.quoter.rules is None:
                    rules, params = await bus.get(RULES, self._pair), await bus.get(PARAMS, self._pair)
                    now = self._piece.clock.now()
                    if rules is not None:
                        self.quoter.on_rules(rules, now)
                    if params is not None:
                        self.quoter.on_params(params, now)
                        self.looks.calibrated(params, now.exchange_ns)
                account, orders = await bus.get(ACCOUNT, self._pair), await bus.hash_get(ORDERS, self._pair)
            except BusError as e:
                self._failed(e)
            else:
                now = self._piece.clock.now()
                self.quoter.on_account(account, now)
                self.quoter.on_orders(orders, now)
                self.looks.polled()
                self.news.set()
                polls += 1
            await asyncio.sleep(POLL_S)

    # --- out ---------------------------------------------------------------------------------------------------------

    async def write(self) -> None:
        """Publish what is wanted: at once when it changed, else every half second, for ever."""
        published: object = None
        at = 0.0
        while True:
            self.news.clear()
            now = self._piece.clock.now()
            self._wanted = wanted = self.quoter.wanted(now)
            self.looks.looked(wanted, now.exchange_ns)
            gist = _gist(wanted)
            if gist != published or time.monotonic() - at >= WRITE_S:
                at = time.monotonic()
                if not await self._publish(wanted):
                    await asyncio.sleep(RETRY_S)
                    continue
                published = gist
            await self._pause(min(at + WRITE_S - time.monotonic(), self._wake_s()))

    async def tell_looks(self) -> None:
        """For the tape, where one is recorded. What does not arrive is missing there, and its number says so."""
        while True:
            await asyncio.sleep(WRITE_S)
            looks = self.looks.take()
            try:
                if looks is not None:
                    await self._piece.bus.publish(LOOKS, looks)
            except BusError as e:
                self._failed(e)

    async def say_nothing_wanted(self) -> None:
        """Tell the gateway at once; were this lost, the key would still die within three seconds."""
        self.quoter.stop()
        self._wanted = self.quoter.wanted(self._piece.clock.now())
        await self._publish(self._wanted)

    async def _publish(self, wanted: WantedQuotes) -> bool:
        wanted.asked = self.asked
        try:
            await self._piece.bus.publish(QUOTES, wanted)
        except BusError as e:
            self._failed(e)
            return False
        self._problem = ""
        self._written += 1
        self._piece.counters.update(
            {
                "quotes": float(len(wanted.intents)),
                "written": float(self._written),
                "bus_errors": float(self._errors),
                "late_ticks": float(self._late),
            }
        )
        if not self._piece.stop.is_set():
            self._piece.state = _state(wanted)
        for text in wanted.warnings:
            self._warn(text)
        return True

    def _failed(self, error: BusError) -> None:
        self._errors += 1
        self._problem = str(error)
        self._piece.last_error = str(error)

    def _warn(self, text: str) -> None:
        # A warning whose numbers moved is the same warning.
        kind = re.sub(r"[0-9.]+", "#", text)
        if kind not in self._said:
            self._said.add(kind)
            if not self._quiet:
                say(text)

    def _wake_s(self) -> float:
        """Real seconds until the quoter must be asked again though nothing was heard."""
        now = self._piece.clock.now()
        at = self.quoter.wake_ns(now)
        return WRITE_S if at is None else (at - now.exchange_ns) / 1e9 / self._piece.clock.speed

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self.news.wait()
        except TimeoutError:
            return


def _gist(wanted: WantedQuotes) -> tuple[object, ...]:
    """What the gateway or a reader would act on: intents and reasons, without the numbers that move with every tick."""
    return (*(intent.id for intent in wanted.intents), *((report.side, report.why) for report in wanted.sides))


def _state(wanted: WantedQuotes) -> str:
    """One word for the heartbeat: OK while anything is wanted, else the reason."""
    reasons = [report.why for report in wanted.sides if report.why is not None]
    return "OK" if wanted.intents or not reasons else reasons[0].value
