from __future__ import annotations

from decimal import Decimal as D

import pytest
from quoting_cases import DAY_SIGMA, account, rules, tick

from lunomm.errors import ModelError
from lunomm.market.rules import Side
from lunomm.quoting.estimates import InUse
from lunomm.quoting.intents import Why
from lunomm.quoting.plan import Picture, picture, warnings
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.sizing import Lot

USED = InUse(DAY_SIGMA, 1 / 300, 0.09, "live")
PLENTY = {Side.BID: D(10**6), Side.ASK: D(10)}


def seen(position: str = "0.1", *, target: str = "0.1", options: QuoterOptions | None = None, **changes) -> Picture:
    return picture(
        options or QuoterOptions(),
        rules(),
        tick(half=1_000),
        changes.pop("estimates", USED),
        lot=Lot(D("0.02"), None),
        target=D(target),
        position=D(position),
        account=account(position, **changes),
        spendable=PLENTY,
    )


def test_inventory_is_clipped_inside_the_skew_but_told_as_it_is():
    far = seen("5.1")
    assert far.lots == pytest.approx(250.0)
    assert far.model.n == 5.0  # max_position 0.1 is five lots
    assert far.plans[Side.BID].why is Why.POSITION_LIMIT
    assert far.plans[Side.BID].urgent
    assert far.plans[Side.ASK].price is not None


@pytest.mark.parametrize(
    ("case", "target", "position", "bid", "ask"),
    [
        ("the gateway's target binds although ours is elsewhere", "0.02", "0.05", "0.019850", "0.02"),
        ("below the gateway's limit no ask, wherever our target is", "0", "0", "0.02", None),
    ],
)
def test_both_targets_limit(case, target, position, bid, ask):
    found = seen(position, target=target)
    sizes = [found.plans[side].size if found.plans[side].price is not None else None for side in (Side.BID, Side.ASK)]
    assert sizes == [None if size is None else D(size) for size in (bid, ask)], case


def test_a_position_that_no_model_can_price():
    with pytest.raises(ModelError):
        seen(estimates=InUse(DAY_SIGMA, float("nan"), None, "live"))


def test_warnings_need_no_picture():
    assert warnings(QuoterOptions(), None, None) == []
    assert warnings(QuoterOptions(), None, InUse(1.0, 1.0, None, "prior", ("said",))) == ["said"]
