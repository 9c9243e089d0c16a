"""The quoter: ticks, calibrations, accounts and order events in; the quotes that should be resting now out, each with
its why.

Synchronous and deterministic: live trading, tapes and backtests drive this one object. It sends nothing and cannot wake
itself, so it also says when to be asked next (:meth:`Quoter.wake_ns`). The rules of the game:

* Anything wrong with the data, the account or the market withdraws both sides at once. Timing never delays a
  withdrawal.
* A side changes at its refresh, after a fill on either side, when the fair price drifted, or when its order is too
  old; and only if price or size really changed (queue priority has value). A change is a new intent with a new id.
* The lot is fixed while anything of ours rests, so that inventory keeps its unit.
* No own bid at or above an own ask, not even across an old and a new order.

Events say what the exchange did to an intent; the state they repeat (ACCOUNT, ORDERS) heals whatever a lost event
left open.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from lunomm.errors import ModelError, UsageError
from lunomm.market.clock import Now
from lunomm.market.records import Params, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting import fair_price
from lunomm.quoting import plan as planning
from lunomm.quoting.estimates import InUse, Missing, choose
from lunomm.quoting.fair_price import FairPrice
from lunomm.quoting.freshness import Freshness
from lunomm.quoting.holdings import Holdings, plausible
from lunomm.quoting.inputs import Account, OrderState, OrderUpdate, OrderView, UpdateKind
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes, Why
from lunomm.quoting.message import Known, tell
from lunomm.quoting.place import queue_of
from lunomm.quoting.plan import Picture
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.reference import Reference
from lunomm.quoting.side import Plan, SideState, intent_id, meet, seconds
from lunomm.quoting.sizing import ACCOUNT_SHARE, Lot, effective_lot
from lunomm.quoting.target import check_asset, parse_target, target_base, total_base
from lunomm.quoting.timing import SECOND_NS, Timing
from lunomm.quoting.vanished import Vanished

OUTDATED_NS = 3 * SECOND_NS
"""A gateway that has believed a newer quoter for so long, while this one still held its pair, believed one that is
gone."""

Slot = tuple[Side, int]
"""A side's level, 0 nearest to the fair price."""

Gate = tuple[Why, str]


@dataclass
class _Wanted:
    """What one call of :meth:`Quoter.wanted` found out before it looked at the sides."""

    gate: Gate | None
    picture: Picture | None
    estimates: InUse | None


class Quoter:
    """What should be resting for one pair.

    Args:
        epoch_ms: this quoter's start, Unix ms: names its intents and orders quoters among each other.
        fair_price: what to quote around.
    """

    def __init__(
        self, pair: str, options: QuoterOptions, *, epoch_ms: int, fair_price: FairPrice = fair_price.mid
    ) -> None:
        self.pair = pair
        self.options = options
        self.epoch_ms = epoch_ms
        self._fair_price = fair_price
        self._target = parse_target(options.inventory_target) if options.inventory_target is not None else None
        timing = _timing(options)
        # Nearest levels first: what is short goes to them.
        self._slots: dict[Slot, SideState] = {slot: SideState(slot[0], timing, slot[1]) for slot in _all_slots(options)}
        self._fresh = Freshness()
        self._reference = None if options.reference is None else Reference(options.reference, pair)
        self._hold = Holdings()
        self._rules: PairRules | None = None
        self._params: Params | None = None
        self._lot: Lot | None = None
        self._paused: str | None = None
        self._stopping = False
        self._counter = 0
        self._number = 0
        self._vanished: dict[Slot, Vanished] = {slot: Vanished() for slot in self._slots}
        self._outdated_ns: int | None = None

    @property
    def rules(self) -> PairRules | None:
        """The newest rules heard of."""
        return self._rules

    @property
    def account(self) -> Account | None:
        """The newest account heard of."""
        return self._hold.account

    # --- events ------------------------------------------------------------------------------------------------------

    def on_rules(self, rules: PairRules, now: Now) -> None:
        """The pair's rules. New scales or limits void what is wanted: it may lie off the grid now.

        Raises:
            UsageError: the inventory target was typed in another asset than the pair's base.
        """
        if self._target is not None:
            check_asset(self._target, rules.base)
        if self._rules is not None and rules.grid != self._rules.grid:
            self._withdraw()
            self._lot = None
        self._rules = rules

    def on_tick(self, tick: Tick, now: Now, age_ns: int = 0) -> None:
        """age_ns: since it was published."""
        self._fresh.on_tick(tick, now, age_ns)

    @property
    def reference_pairs(self) -> tuple[str, ...]:
        """Markets whose ticks are wanted beside the pair's own."""
        return () if self._reference is None else self._reference.pairs

    def on_reference(self, tick: Tick, now: Now, age_ns: int = 0) -> None:
        """A tick of one of :attr:`reference_pairs`. age_ns: since it was published."""
        if self._reference is not None:
            self._reference.on_tick(tick, now, age_ns)

    def on_params(self, params: Params, now: Now) -> None:
        self._params = params

    def on_account(self, account: Account | None, now: Now) -> None:
        """The account as the gateway publishes it; None while there is none."""
        self._hold.on_account(account, now)
        self._be_newest(account.quoter_epoch if account is not None else None, now)

    def _be_newest(self, believed: int | None, now: Now) -> None:
        """Step above a predecessor whose clock was ahead of ours: its gateway would never believe us else."""
        if believed is None or believed <= self.epoch_ms:
            self._outdated_ns = None
        elif self._outdated_ns is None:
            self._outdated_ns = now.mono_ns
        elif now.mono_ns - self._outdated_ns >= OUTDATED_NS:
            self.epoch_ms = believed + 1

    def on_order_update(self, update: OrderUpdate, now: Now) -> None:
        """One event of one of our orders, of this quoter's or an earlier one's; others' pairs are ignored."""
        if update.pair != self.pair or update.side is None or update.intent_id is None:
            return
        amounts = (update.filled, update.volume, update.last_volume, update.last_fee_base)
        if not all(amount is None or plausible(amount) for amount in amounts):
            return
        if update.kind is UpdateKind.FILL:
            self._hold.on_fill(update)
        side, intent = self._slots.get((update.side, update.level or 0)), update.intent_id
        if side is None:
            return  # a level of an earlier quoter
        if update.filled is not None:
            side.filled(intent, update.filled)
        if update.kind is UpdateKind.REFUSAL:
            side.refused(intent, update.code or "refused", now.exchange_ns)
            return
        complete = update.filled is not None and update.volume is not None and update.filled >= update.volume > 0
        if complete:
            side.completed(intent, update.ts_ms * 1_000_000, now.exchange_ns)
        elif update.state is not None:
            self._order_state(side, intent, update.state, update.ts_ms, now)

    def on_orders(self, orders: dict[str, OrderView], now: Now) -> None:
        """All working and intended orders by intent id: what a lost event would have said is read off them."""
        for side in self._slots.values():
            intent = side.intent.id if side.intent is not None else None
            if self._vanished[side.slot].gone(intent, orders, self._hold.orders, now.exchange_ns) and intent:
                side.gone(intent, "VANISHED", now.exchange_ns)
        self._hold.on_orders(orders)
        for order in self._hold.orders.values():
            at = self._slots.get((order.side, order.level))
            if at is None:
                continue
            side = at
            side.filled(order.intent_id, order.filled)
            self._order_state(side, order.intent_id, order.state, order.updated_ms, now)

    def pause(self, detail: str = "paused") -> None:
        """Want nothing until :meth:`resume`. detail: who, and why, for the reports."""
        self._paused = detail

    def resume(self) -> None:
        self._paused = None

    @property
    def paused(self) -> str | None:
        """Who paused it, and why; None while it may quote."""
        return self._paused

    def change(self, options: QuoterOptions) -> None:
        """Quote by other options from the next look on, at once; an order that stays as it is keeps its place.

        Waits that run (a rest after a fill, a back-off) keep their length. A level that is no longer wanted goes.

        Raises:
            UsageError: they want another fair price or reference (which need a new quoter), or a target in another
                asset; nothing was changed.
        """
        if options.reference != self.options.reference:
            raise UsageError("--reference: cannot change while it runs. Start quote again with it")
        target = parse_target(options.inventory_target) if options.inventory_target is not None else None
        if target is not None and self._rules is not None:
            check_asset(target, self._rules.base)
        before, self.options, self._target = self.options, options, target
        timing = _timing(options)
        slots = {slot: self._slots.get(slot) or SideState(slot[0], timing, slot[1]) for slot in _all_slots(options)}
        self._slots = slots
        self._vanished = {slot: self._vanished.get(slot) or Vanished() for slot in slots}
        for side in slots.values():
            side.retime(timing)
            side.look_again()
        if (options.order_size, options.levels) != (before.order_size, before.levels):
            self._lot = None

    def stop(self) -> None:
        """Want nothing, for good."""
        self._stopping = True

    def _order_state(self, side: SideState, intent: str, state: OrderState, ts_ms: int, now: Now) -> None:
        if state is OrderState.FILLED:
            side.completed(intent, ts_ms * 1_000_000, now.exchange_ns)
        elif state is OrderState.REJECTED:
            side.rejected(intent, now.exchange_ns)
        elif state.terminal:
            side.gone(intent, state.value, now.exchange_ns)
        elif state is OrderState.WORKING:
            side.accepted(intent)

    # --- what is wanted ----------------------------------------------------------------------------------------------

    def wanted(self, now: Now) -> WantedQuotes:
        """The complete wanted state at ``now``; each call is a new message with the next number."""
        found = self._look(now)
        picture = found.picture
        if found.gate is not None:
            self._withdraw()
        elif picture is not None:
            self._decide(picture, now)
        self._number += 1
        reports = [self._report(side, found, now) for side in self._slots.values()]
        return self._message(found, reports, now)

    def wake_ns(self, now: Now) -> int | None:
        """Exchange time at which something changes that only the clock changes; None while nothing can."""
        waits = [side.wake_ns(now.exchange_ns) for side in self._slots.values()]
        waits.append(self._fresh.stale_in_ns(now))
        if self._reference is not None:
            waits.append(self._reference.stale_in_ns(now))
        return min((now.exchange_ns + wait for wait in waits if wait is not None and wait > 0), default=None)

    def unmoved_by(self, fair_mid: float, now: Now) -> bool:
        """Whether a tick whose only news is this fair mid (counter per base) would change nothing before `wake_ns`.

        Always False where the quoter prices around anything but the mid.
        """
        if self._fair_price is not fair_price.mid or self._reference is not None:
            return False
        return all(side.unmoved_by(fair_mid, now.exchange_ns) for side in self._slots.values())

    def _look(self, now: Now) -> _Wanted:
        gate = self._switched_off() or self._not_ready(now)
        rules, account, tick = self._rules, self._hold.account, self._fresh.tick
        if gate is not None and gate[0] not in (Why.PAUSED, Why.HALTED, Why.STOPPING):
            return _Wanted(gate, None, None)
        if (
            rules is None
            or account is None
            or tick is None
            or tick.fair_mid is None
            or self._not_ready(now) is not None
        ):
            return _Wanted(gate, None, None)
        estimates = choose(tick, self._params, self.options.kappa_prior, float(tick.fair_mid), now.exchange_ms)
        if isinstance(estimates, Missing):
            return _Wanted(gate or (Why.WARMING_UP, estimates.what), None, None)
        try:
            if self._reference is None:
                around = fair_price.evaluate(self._fair_price, tick)
            else:
                around = self._reference.price(float(tick.fair_mid))
            return _Wanted(gate, self._picture(rules, account, tick, estimates, around), estimates)
        except (ModelError, ArithmeticError) as e:
            return _Wanted(gate or (Why.MODEL, str(e)), None, estimates)

    def _switched_off(self) -> Gate | None:
        if self._stopping:
            return Why.STOPPING, "the quoter stops"
        if self._paused is not None:
            return Why.PAUSED, self._paused[:200]
        account = self._hold.account
        if account is not None and account.halted is not None:
            return Why.HALTED, account.halted[:200]
        return None

    def _not_ready(self, now: Now) -> Gate | None:
        if self._rules is None:
            return Why.NO_RULES, "no pair rules from book yet"
        trouble = self._fresh.trouble(now) or (self._reference.trouble(now) if self._reference is not None else None)
        if trouble is not None:
            return trouble
        if self._hold.missing(now):
            return Why.NO_ACCOUNT, "no account from the gateway: is it running?"
        return None

    def _picture(self, rules: PairRules, account: Account, tick: Tick, estimates: InUse, around: float) -> Picture:
        fair = tick.fair_mid
        assert fair is not None  # _not_ready has looked
        worth = total_base(account.base.total, account.counter.total, fair)
        target = target_base(self._target, account.inventory_target, worth)
        if self._lot is None or not (self._hold.resting or any(s.intent is not None for s in self._slots.values())):
            self._lot = effective_lot(
                self.options.order_size,
                rules,
                worth=worth,
                target=target,
                share=max(ACCOUNT_SHARE, self.options.levels),
            )
        return planning.picture(
            self.options,
            rules,
            tick,
            estimates,
            lot=self._lot,
            target=target,
            position=self._hold.position(account),
            account=account,
            spendable={side: self._hold.spendable(side, account) for side in Side},
            fair=around,
            worth=worth,
        )

    def _decide(self, picture: Picture, now: Now) -> None:
        changed = {slot: self._wish(state, picture, now) for slot, state in self._slots.items()}
        for slot in self._slots:
            plan = changed[slot]
            if plan is None or plan.price is None:
                continue
            for opposite, beside in self._slots.items():
                if opposite[0] is slot[0] or changed[opposite] is not None or beside.intent is None:
                    continue
                if meet(slot[0], plan.price, beside.intent.price):
                    # The other side was priced in another market: it moves along, at once.
                    beside.withdraw()
                    fresh = picture.plan(*opposite)
                    free = beside.waiting(now.exchange_ns) is None
                    changed[opposite] = fresh if free and fresh.price is not None else None
        for slot, plan in changed.items():
            self._settle(self._slots[slot], plan, now)

    def _wish(self, state: SideState, picture: Picture, now: Now) -> Plan | None:
        """The slot's new plan if it is to change now, else None; withdraws what must not stand."""
        plan = picture.plan(*state.slot)
        if plan.urgent:
            state.withdraw()
        if state.waiting(now.exchange_ns) is not None:
            return None
        if state.intent is None:
            return plan if plan.price is not None else None
        why = state.due(plan.priced, picture.lot.size, now.exchange_ns)
        if why is None or state.keeps(
            plan, why, queue_of(self._fresh.tick, state, plan, picture, self.options), self._tolerance()
        ):
            return None
        if plan.price is None:
            state.withdraw()
            return None
        return plan

    def _settle(self, state: SideState, plan: Plan | None, now: Now) -> None:
        if plan is None or plan.price is None:
            return
        side, opposite = state.side, self._hold.foremost(state.side.other)
        if opposite is not None and meet(side, plan.price, opposite):
            state.withdraw()  # our own old order stands in the way: first it leaves
            return
        self._counter += 1
        new = Intent(
            id=intent_id(self.epoch_ms, self._counter, side, state.level),
            side=side,
            level=state.level,
            price=plan.price,
            size=plan.size,
            created_ms=now.exchange_ms,
        )
        state.want(new, plan, now.exchange_ns)

    def _tolerance(self) -> Decimal:
        rules, ticks = self._rules, self.options.tolerance_ticks
        return Decimal(0) if rules is None else ticks * rules.tick_size

    def _withdraw(self) -> None:
        for side in self._slots.values():
            side.withdraw()

    # --- the message -------------------------------------------------------------------------------------------------

    def _report(self, state: SideState, found: _Wanted, now: Now) -> SideReport:
        plan = found.picture.plan(*state.slot) if found.picture is not None else None
        report = state.report(now.exchange_ns, plan, found.gate)
        if state.intent is None and report.why is None:
            detail = (
                f"our own {state.side.other.value.lower()} at {self._hold.foremost(state.side.other)} must leave first"
            )
            return msgspec.structs.replace(report, why=Why.OWN_ORDER, detail=detail, next_ms=None)
        return report

    def _message(self, found: _Wanted, reports: list[SideReport], now: Now) -> WantedQuotes:
        intents = [side.intent for side in self._slots.values() if side.intent is not None]
        known = Known(self._fresh.tick, found.picture, found.estimates)
        return tell(self.pair, self.epoch_ms, self._number, now.exchange_ms, self.options, intents, reports, known)


def _timing(options: QuoterOptions) -> Timing:
    return Timing(
        refresh_ns=seconds(options.order_refresh_rate_s),
        filled_delay_ns=seconds(options.filled_order_delay_s),
        max_age_ns=seconds(options.max_order_age_s),
        reprice_at=options.reprice_at,
    )


def _all_slots(options: QuoterOptions) -> list[Slot]:
    return [(side, level) for level in range(options.levels) for side in Side]
