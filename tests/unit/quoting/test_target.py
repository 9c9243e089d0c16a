from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.errors import UsageError
from lunomm.quoting.target import TargetSpec, check_asset, parse_target, target_base, total_base


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("50%", TargetSpec(fraction=D("0.5"))),
        (" 12.5 % ", TargetSpec(fraction=D("0.125"))),
        ("0%", TargetSpec(fraction=D(0))),
        ("100%", TargetSpec(fraction=D(1))),
        ("0.05XBT", TargetSpec(amount=D("0.05"), asset="XBT")),
        ("0.05xbt", TargetSpec(amount=D("0.05"), asset="XBT")),
        ("0.05 XBT", TargetSpec(amount=D("0.05"), asset="XBT")),
        ("0.05", TargetSpec(amount=D("0.05"))),
        ("0", TargetSpec(amount=D(0))),
    ],
)
def test_parse(text, spec):
    assert parse_target(text) == spec


@pytest.mark.parametrize(
    "text", ["", "%", "XBT", "-1", "-5%", "101%", "nan", "inf%", "1e3", "1_0", "１", "0x10", "1,5", "50%%", "5XBT%"]
)
def test_anything_else_is_a_usage_error(text):
    with pytest.raises(UsageError, match="--inventory-target"):
        parse_target(text)


def test_the_asset_must_be_the_pairs_base():
    check_asset(parse_target("0.05XBT"), "XBT")
    check_asset(parse_target("0.05"), "ETH")
    check_asset(parse_target("50%"), "ETH")
    with pytest.raises(UsageError, match="XBT"):
        check_asset(parse_target("0.05XBT"), "ETH")


def test_target_in_base():
    worth = total_base(D("0.1"), D(30_000), D(300_000))
    assert worth == D("0.2")
    assert target_base(None, D("0.07"), worth) == D("0.07")
    assert target_base(parse_target("50%"), D("0.07"), worth) == D("0.1")
    assert target_base(parse_target("0%"), D("0.07"), worth) == 0
    assert target_base(parse_target("0.05XBT"), D("0.07"), worth) == D("0.05")


def test_a_share_does_not_chase_its_own_fills():
    spec, fair = parse_target("50%"), D(300_000)
    before = target_base(spec, D(0), total_base(D("0.1"), D(30_000), fair))
    after = target_base(spec, D(0), total_base(D("0.1") + D("0.02"), D(30_000) - D("0.02") * fair, fair))
    assert before == after
