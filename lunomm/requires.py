"""What a command must have been given before it starts: of the mode, for real money, for a Redis elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lunomm.config import Common
from lunomm.errors import ConfigError, UsageError
from lunomm.options import show
from lunomm.redis_address import BUS_KEY

if TYPE_CHECKING:  # a command waits for its own options only
    from lunomm.options.gateway import GatewayOptions
    from lunomm.options.quote import QuoteOptions


def require_mode_of(common: Common, *, tape: Path | None, **of_paper: object) -> None:
    """Refuse what is of another mode than the one that is run.

    Raises:
        UsageError: names the option and the mode it needs.
    """
    if tape is not None and common.mode != "sim":
        raise UsageError(f"--tape: a recording is re-enacted by the simulated exchange only, not in mode {common.mode}")
    for name, given in of_paper.items():
        if given and common.mode != "paper":
            option = "--balance" if name == "balances" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{option}: is of paper trading, not of mode {common.mode}. Say --mode paper")


def require_bus_key(common: Common) -> None:
    """Where Redis is on another machine, what moves money must be sealed.

    Raises:
        ConfigError: no LUNOMM_BUS_KEY.
    """
    if not common.redis.local and common.redis.bus_key is None:
        raise ConfigError(
            f"{BUS_KEY}: absent, and Redis at {show(common.redis.url)} is on another machine, where others may write "
            "quotes. Set the same key on every machine of the pipeline: openssl rand -hex 32",
            code="BUS_KEY",
        )


def require_live(common: Common, quote: QuoteOptions | None, gateway: GatewayOptions | None) -> None:
    """In live mode the size and all limits must have been said.

    Raises:
        ConfigError: names what is missing.
    """
    if common.mode != "live":
        return
    missing: list[str] = []
    if quote is not None and not quote.order_size_explicit:
        missing.append("--order-size")
    if gateway is not None:
        given = {
            "--max-position": gateway.max_position,
            "--max-order-value": gateway.max_order_value,
            "--max-daily-loss": gateway.max_daily_loss,
        }
        missing += [name for name, value in given.items() if value is None]
    if missing:
        raise ConfigError(
            f"--mode live: {', '.join(missing)} not given: nothing trades real money without it. "
            "Give it on the command line, or as LUNOMM_... in .env",
            code="NO_LIMITS",
        )
