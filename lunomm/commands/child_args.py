"""The command lines ``up`` gives its children: everything resolved, nothing left to the environment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lunomm.config import Common
from lunomm.options.book import BookOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions


def venue_args(common: Common) -> list[str]:
    """Mode and URL."""
    args = ["--mode", common.mode]
    return args if common.url is None else [*args, "--url", common.url]


def book_args(pairs: tuple[str, ...], options: BookOptions) -> list[str]:
    given = {
        "--vol-window": options.vol_window_s,
        "--kappa-lookback": options.kappa_lookback_s,
        "--vol-price": options.vol_price,
        "--depth": options.depth,
        "--audit-s": options.audit_s,
        "--record": options.record,
        "--record-max-mb": options.record_max_mb,
    }
    return ["book", *pairs, *_flat(given)]


def quote_args(pair: str, options: QuoteOptions) -> list[str]:
    given: dict[str, object] = {
        "--gamma": options.gamma,
        "--eta": options.eta,
        "--min-spread": options.min_spread,
        "--order-refresh-rate-s": options.order_refresh_rate_s,
        "--filled-order-delay-s": options.filled_order_delay_s,
        "--max-order-age-s": options.max_order_age_s,
        "--horizon-s": options.horizon_s,
        "--spread-formula": options.spread_formula,
        "--size-rule": options.size_rule,
        "--reprice-at": options.reprice_at,
        "--inventory-target": options.inventory_target,
        "--kappa-prior": options.kappa_prior,
        "--min-size-policy": options.min_size_policy,
        "--model": options.model,
        "--gamma-ref": options.gamma_ref,
        "--target-skew": options.target_skew,
        "--drift": options.drift,
        "--adverse-selection": options.adverse_selection,
        "--max-spread": options.max_spread,
        "--tolerance-ticks": options.tolerance_ticks,
        "--fair-price": options.fair_price,
        "--levels": options.levels,
        "--level-spacing": options.level_spacing,
        "--reference": options.reference,
        "--order-size": options.order_size if options.order_size_explicit else None,
    }
    flags = {"--no-improve": options.no_improve, "--ignore-fees": options.ignore_fees}
    return ["quote", pair, *_flat(given), *(name for name, on in flags.items() if on)]


def gateway_args(pairs: tuple[str, ...], options: GatewayOptions) -> list[str]:
    given: dict[str, object] = {
        "--update-balance-interval-s": options.update_balance_interval_s,
        "--max-position": options.max_position,
        "--max-order-value": options.max_order_value,
        "--max-daily-loss": options.max_daily_loss,
        "--max-open-value": options.max_open_value,
        "--base-account": options.base_account,
        "--counter-account": options.counter_account,
    }
    return ["gateway", *pairs, *_flat(given)]


def _flat(given: Mapping[str, object]) -> list[str]:
    args: list[str] = []
    for name, value in given.items():
        if value is not None:
            # `=` because a value such as -0.005 must not look like an option; `f` because 1E-7 is no plain amount.
            args.append(f"{name}={value:f}" if isinstance(value, Decimal) else f"{name}={value}")
    return args
