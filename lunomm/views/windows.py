"""The pieces' own screens, drawn by ``up`` from what they say on the bus.

What only the piece itself knows (what holds an order back, the age of its user stream) is absent here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lunomm.market.presence import Health
from lunomm.market.records import TakerOrder
from lunomm.quoting.intents import WantedQuotes, Why
from lunomm.views.book import BookView, book_screen
from lunomm.views.calibrate import CalibrateView, calibrate_screen
from lunomm.views.gateway import GatewayView, gateway_screen
from lunomm.views.orders import Trading
from lunomm.views.panel import Heard
from lunomm.views.pipeline import PIECE_STALE_MS, PairView, PipelineView, sound_pair
from lunomm.views.quote import QuoteView, quote_screen
from lunomm.views.screen import Sized
from lunomm.views.status import status_screen
from lunomm.views.text import age, safe

PAUSED = "PAUSED"


def window(name: str, view: PipelineView, selected: int, trades: Sequence[TakerOrder] = ()) -> Sized:
    """The screen of that name (one of the panel's) for pair ``selected``. trades: its taker orders, oldest first."""
    if name == "overview" or not view.pairs:
        return status_screen(view, selected)
    pair = sound_pair(view.pairs[min(selected, len(view.pairs) - 1)])
    if name == "book":
        return book_screen([book_window(view, pair, trades)])
    if name == "quote":
        return quote_screen(quote_window(view, pair))
    if name == "gateway":
        return gateway_screen(gateway_window(view, pair))
    return calibrate_screen(calibrate_window(pair))


def heard(view: PipelineView) -> tuple[Heard, ...]:
    """What the keys must know of each pair: the quoter's parameters, and whether it is paused."""
    return tuple(
        Heard(
            pair.pair,
            _settings(view, pair.pair),
            _paused(view, pair),
            "" if pair.rules is None else safe(pair.rules.base, 8),
        )
        for pair in view.pairs
    )


def _settings(view: PipelineView, pair: str) -> dict[str, str]:
    health = health_of(view, "quote", pair)
    return {} if health is None else {safe(name, 40): safe(text, 40) for name, text in health.settings.items()}


def _paused(view: PipelineView, pair: PairView) -> str | None:
    health = health_of(view, "quote", pair.pair)
    if health is None or health.state != PAUSED:
        return None
    quotes = pair.quotes
    sides = [] if quotes is None else quotes.sides
    return next((safe(side.detail, 160) for side in sides if side.why is Why.PAUSED), "paused")


def health_of(view: PipelineView, piece: str, pair: str) -> Health | None:
    """The piece's last heartbeat; None when it is gone."""
    return next((each.health for each in view.pieces if (each.piece, each.pair) == (piece, pair)), None)


def book_window(view: PipelineView, pair: PairView, trades: Sequence[TakerOrder]) -> BookView:
    health = health_of(view, "book", pair.pair)
    problem = "" if health is None else health.last_error or ""
    return BookView(
        pair=pair.pair,
        tick=pair.tick,
        rules=pair.rules,
        mids=pair.mids,
        trades=tuple(trades),
        frames_per_s=_counted(health, "frames_per_s"),
        resyncs=int(_counted(health, "resyncs") or 0),
        note=_silence("book", pair.tick_age_ms) or problem,
        recording=health is not None and isinstance(health.counters.get("recording"), str),
    )


def quote_window(view: PipelineView, pair: PairView) -> QuoteView:
    settings, account = _settings(view, pair.pair), pair.account
    return QuoteView(
        pair=pair.pair,
        now_ms=view.now_ms,
        quotes=pair.quotes,
        rules=pair.rules,
        max_position=None if account is None else account.max_position,
        maker_fee=None if account is None else account.maker_fee,
        problem="" if pair.quotes is None else _silence("quoter", pair.quotes_age_ms),
        refresh_s=_seconds(settings, "order_refresh_rate_s"),
        rest_s=_seconds(settings, "filled_order_delay_s"),
        max_age_s=_seconds(settings, "max_order_age_s"),
    )


def gateway_window(view: PipelineView, pair: PairView) -> GatewayView:
    health, account = health_of(view, "gateway", pair.pair), pair.account
    problem = "no gateway is heard" if health is None else health.last_error or ""
    guardian = None if health is None else health.counters.get("guardian")
    trading = Trading(
        pair=pair.pair,
        rules=pair.rules,
        account=account,
        orders=tuple(order for order in pair.orders if not order.state.terminal),
        fills=pair.fills,
        ready=health is not None and health.state != "STARTING",
        quoter_alive=_is_heard(pair.quotes, pair.quotes_age_ms),
        tick=pair.tick,
        quotes=pair.quotes,
    )
    return GatewayView(
        pairs=(trading,),
        now_ms=view.now_ms,
        mode="" if health is None else safe(health.mode, 10),
        stream_up=health is not None and health.counters.get("user_stream") == "up",
        halted=pair.halted,
        stopping=health is not None and health.state == "STOPPING",
        calls=0 if account is None else account.calls_used,
        problem=problem or _silence("gateway", pair.account_age_ms),
        guardian=guardian if isinstance(guardian, str) else "",
        lease="" if health is None else f"process {health.pid} for {age(max(health.ts_ms - health.started_ms, 0))}",
        calls_limit=300 if account is None else account.calls_limit,
    )


def calibrate_window(pair: PairView) -> CalibrateView:
    params = pair.params
    return CalibrateView(
        pair=pair.pair,
        source="calibrate, which measures once a minute" if params is None else params.provenance,
        params=params,
        counter="" if pair.rules is None else pair.rules.counter,
        at_age_ms=pair.params_age_ms,
        rules=pair.rules,
    )


def _is_heard(quotes: WantedQuotes | None, age_ms: float | None) -> bool:
    return quotes is not None and age_ms is not None and age_ms <= PIECE_STALE_MS


def _silence(who: str, age_ms: float | None) -> str:
    return "" if age_ms is None or age_ms <= PIECE_STALE_MS else f"the {who} has said nothing for {age(age_ms)}"


def _counted(health: Health | None, name: str) -> float | None:
    value = None if health is None else health.counters.get(name)
    return float(value) if isinstance(value, int | float) and abs(value) < 1e12 else None


def _seconds(settings: dict[str, str], name: str) -> float | None:
    try:
        value = Decimal(settings[name])
    except (KeyError, ArithmeticError):
        return None
    return float(value) if value.is_finite() and abs(value) < 10**9 else None
