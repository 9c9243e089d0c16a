"""Exchanges for the clients of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served import Served


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """These clients believe the environment; loopback goes through no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts an exchange with options; all are ended with the test."""
    running: list[Served] = []

    def begin(*options: str) -> Served:
        running.append(Served(tmp_path, *options))
        return running[-1]

    yield begin
    for exchange in running:
        exchange.close()
