"""Options that several commands take, said once: of `quote`, `gateway` and `book`, which `up` and `backtest` take too.

@app.command()
@taking(QUOTE, GATEWAY)
def both(pair: o.Pair = None, *, mode: o.Mode = None, **given: Any) -> None:
    options = QUOTE(given)
"""

# Annotations are read as they stand here: every command line would else wait for them to be evaluated from text.

import copy
import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, cast, get_args

from lunomm import cli_options as o

if TYPE_CHECKING:  # a command waits for its own options only
    from lunomm.options.book import BookOptions
    from lunomm.options.gateway import GatewayOptions
    from lunomm.options.quote import QuoteOptions

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


class Group(Generic[T]):
    """Options that belong together: parameters of a command, and what is made of them.

    Args:
        make: its parameters are the options. parameters: instead of its own; some may be left out.
    """

    def __init__(self, make: Callable[..., T], parameters: list[inspect.Parameter] | None = None) -> None:
        self._make = make
        self.parameters = list(inspect.signature(make).parameters.values()) if parameters is None else parameters

    def __call__(self, given: Mapping[str, Any]) -> T:
        """What is made of the group's own among all that a command was given.

        Raises:
            UsageError: as what is made says.
        """
        return self._make(**{each.name: given[each.name] for each in self.parameters})

    def bare(self, *without: str, **defaults: object) -> "Group[T]":
        """The same but some, and without their LUNOMM_ variables: no setting reaches them. defaults: other ones."""
        kept = [each for each in self.parameters if each.name not in without]
        return Group(self._make, [_without_variable(each, defaults.get(each.name, each.default)) for each in kept])


def _without_variable(parameter: inspect.Parameter, default: object) -> inspect.Parameter:
    kind, option = get_args(parameter.annotation)
    option = copy.copy(option)
    option.envvar = None
    return parameter.replace(annotation=Annotated[kind, option], default=default)


def taking(*groups: Group[Any]) -> Callable[[C], C]:
    """A command that takes the options of these groups in its ``**given``: after its first parameters, before the
    keyword-only ones."""

    def wrap(command: C) -> C:
        own = list(inspect.signature(command, eval_str=True).parameters.values())
        first = [each for each in own if each.kind is each.POSITIONAL_OR_KEYWORD]
        last = [each for each in own if each.kind is each.KEYWORD_ONLY]
        among = [each for group in groups for each in group.parameters]
        every = [each.replace(kind=each.KEYWORD_ONLY) for each in (*first, *among, *last)]
        cast(Any, command).__signature__ = inspect.Signature(every)
        return command

    return wrap


def _quote(
    order_size: o.OrderSize = None,
    gamma: o.Gamma = 1.0,
    eta: o.Eta = -0.005,
    min_spread: o.MinSpread = 0.0,
    order_refresh_rate_s: o.Refresh = 60.0,
    filled_order_delay_s: o.FilledDelay = 60.0,
    max_order_age_s: o.MaxAge = 1800.0,
    horizon_s: o.Horizon = 86_400.0,
    spread_formula: o.Formula = "paper",
    size_rule: o.SizeRule = "decay",
    reprice_at: o.RepriceAt = 0.5,
    inventory_target: o.Target = None,
    kappa_prior: o.KappaPrior = None,
    min_size_policy: o.MinSize = "floor",
    model: o.Model = "as",
    gamma_ref: o.GammaRef = "lot",
    target_skew: o.TargetSkew = None,
    drift: o.Drift = 0.0,
    adverse_selection: o.Adverse = 0.0,
    max_spread: o.MaxSpread = None,
    no_improve: o.NoImprove = False,
    ignore_fees: o.IgnoreFees = False,
    tolerance_ticks: o.Tolerance = 1,
    fair_price: o.FairPrice = "mid",
    levels: o.Levels = 1,
    level_spacing: o.Spacing = None,
    reference: o.Reference = None,
) -> "QuoteOptions":
    given: dict[str, Any] = dict(locals())
    from lunomm.options.quote import QuoteOptions

    size: Decimal | None = given.pop("order_size")
    return QuoteOptions(order_size=Decimal(1) if size is None else size, order_size_explicit=size is not None, **given)


def _gateway(
    update_balance_interval_s: o.BalanceEvery = 2.0,
    max_position: o.MaxPosition = None,
    max_order_value: o.MaxOrderValue = None,
    max_daily_loss: o.MaxDailyLoss = None,
    max_open_value: o.MaxOpenValue = None,
    base_account: o.BaseAccount = None,
    counter_account: o.CounterAccount = None,
) -> "GatewayOptions":
    given: dict[str, Any] = dict(locals())
    from lunomm.options.gateway import GatewayOptions

    return GatewayOptions(**given)


def _book(
    vol_window: o.VolWindow = 600.0,
    kappa_lookback: o.KappaLookback = 1200.0,
    vol_price: o.VolPrice = "mid",
    depth: o.Depth = 10,
    audit_s: o.AuditEvery = 60.0,
    record: o.Record = None,
    no_record: o.NoRecord = False,
    record_max_mb: o.RecordMax = 2048.0,
) -> "BookOptions":
    from lunomm.options.book import BookOptions

    return BookOptions(
        vol_window_s=vol_window,
        kappa_lookback_s=kappa_lookback,
        vol_price=cast(Any, vol_price),
        depth=depth,
        audit_s=audit_s,
        record=None if no_record else record,
        record_max_mb=record_max_mb,
    )


QUOTE, GATEWAY, BOOK = Group(_quote), Group(_gateway), Group(_book)
