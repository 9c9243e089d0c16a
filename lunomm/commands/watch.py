"""``lunomm watch``: tells of trouble. One structured line for each alarm, a webhook, an endpoint for Prometheus.

A process of its own that only reads the bus: it tells also when the piece that is in trouble cannot, it may run on
another machine, and nothing here can slow an order down.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec

from lunomm.bus.client import Bus
from lunomm.commands.pipeline import PipelineReader
from lunomm.commands.present import envelope, put_line, say
from lunomm.commands.signals import ending
from lunomm.commands.webhook import Webhook
from lunomm.config import Common
from lunomm.errors import BusError, ConfigError, InstanceError
from lunomm.options.watch import WatchOptions
from lunomm.views.alerts import Alarms, Alert
from lunomm.views.metrics import METRICS, Sample, samples

LOOK_S = 1.0


async def run(common: Common, pairs: Sequence[str], options: WatchOptions) -> None:
    """Watch until Ctrl-C, SIGTERM or ``--for``.

    Args:
        pairs: what to watch; empty = every pair on this Redis.

    Raises:
        ConfigError: a metrics port without prometheus-client. InstanceError: the port is taken.
    """
    stop = asyncio.Event()
    end = None if common.for_s is None else time.monotonic() + common.for_s
    newest: list[Sample] = []
    alarms = Alarms()
    async with Bus(common.redis, "watch") as bus, Webhook(options.webhook) as hook:
        with ending(stop), _endpoint(options.metrics_port, lambda: newest):
            reader = PipelineReader(bus, pairs, keep=True)
            say("watching" + (f"; metrics on http://127.0.0.1:{options.metrics_port}" if options.metrics_port else ""))
            while not stop.is_set() and (end is None or time.monotonic() < end):
                now_ms = time.monotonic_ns() / 1e6
                try:
                    view = await reader.read()
                    told, redis_up = alarms.look(view, now_ms), True
                except BusError as error:
                    view = reader.last
                    told, redis_up = alarms.blind(str(error), now_ms), False
                newest[:] = samples(view, alarms.raised, redis_up=redis_up)
                for alert in told:
                    data = alert_data(alert, time.time(), view.venue)
                    if not put_line(envelope("watch", data) if common.json else log_line(data)):
                        return
                    hook.tell(data, alert.words)
                try:
                    async with asyncio.timeout(LOOK_S):
                        await stop.wait()
                except TimeoutError:
                    continue


def alert_data(alert: Alert, wall_s: float, venue: str) -> dict[str, Any]:
    """What is told of one alarm, as plain JSON types."""
    return {
        "ts": datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds"),
        "event": alert.event,
        "kind": alert.trouble.kind,
        "pair": alert.trouble.pair,
        "piece": alert.trouble.piece,
        "text": alert.trouble.text,
        "stood_s": round(alert.stood_ms / 1000, 1),
        "venue": venue,
    }


def log_line(data: dict[str, Any]) -> str:
    """``name=value`` each, texts as JSON strings: one line, for people and for programs."""
    words = {key: value if _is_word(value) else msgspec.json.encode(value).decode() for key, value in data.items()}
    return " ".join(f"{key}={value}" for key, value in words.items())


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value) and all(c.isalnum() or c in "-_.:+" for c in value)


# --- Prometheus ----------------------------------------------------------------------------------------------------


class Collector:
    """Hands the newest samples to prometheus-client, which asks from a thread of its own."""

    def __init__(self, newest: Callable[[], Sequence[Sample]], gauge: Any) -> None:
        self._newest, self._gauge = newest, gauge

    def collect(self) -> list[Any]:
        families: dict[str, Any] = {}
        for name, labels, value in tuple(self._newest()):
            family = families.get(name)
            if family is None:
                family = families[name] = self._gauge(name, METRICS[name], labels=list(labels))
            family.add_metric(list(labels.values()), value)
        return list(families.values())


def _endpoint(port: int | None, newest: Callable[[], Sequence[Sample]]) -> AbstractContextManager[None]:
    """``GET /metrics`` on loopback while it lasts; nothing without a port."""
    return nullcontext() if port is None else _serving(port, newest)


@contextmanager
def _serving(port: int, newest: Callable[[], Sequence[Sample]]) -> Any:
    try:
        client = importlib.import_module("prometheus_client")
        core = importlib.import_module("prometheus_client.core")
    except ImportError:
        raise ConfigError(
            "--metrics-port: needs prometheus-client, which is not installed. Install it with: "
            "pip install 'prometheus-client>=0.22,<1'"
        ) from None
    registry = client.CollectorRegistry(auto_describe=False)
    registry.register(Collector(newest, core.GaugeMetricFamily))
    try:
        server, thread = client.start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise InstanceError(f"--metrics-port: {port}: {error.strerror}. Give another port", code="PORT_TAKEN") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
