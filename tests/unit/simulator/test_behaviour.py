from __future__ import annotations

from dataclasses import fields

import pytest

from lunomm.errors import UsageError
from lunomm.simulator.behaviour import Behaviour, parse_behaviour, table, values

NAMES = [field.name for field in fields(Behaviour)]


@pytest.mark.parametrize("name", NAMES)
def test_every_switch_can_be_set_to_each_of_its_values_and_stands_in_the_table(name: str) -> None:
    assert parse_behaviour([f"{name}={values(name)[0]}"]) == Behaviour()
    others = {getattr(parse_behaviour([f"{name}={value}"]), name) for value in values(name)}
    assert len(others) == len(values(name)) and getattr(Behaviour(), name) in others
    (row,) = (line for line in table().splitlines() if line.startswith(f"{name} "))
    assert row[19:].startswith(", ".join(values(name)))


def test_the_table_lists_nothing_else() -> None:
    assert {line.split()[0] for line in table().splitlines() if line[:1].isalpha()} == {*NAMES, "name"}


def test_the_last_of_a_name_wins() -> None:
    assert parse_behaviour(["cancel_gone=404", " cancel_gone = FALSE ", "self_trade=off"]) == Behaviour(
        cancel_gone="false", self_trade=False
    )


@pytest.mark.parametrize(
    "text", ["", "nope=yes", "self_trade", "self_trade=", "self_trade=maybe", "cancel_gone=500", "\x1b[2J=yes", "=yes"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--behaviour") as caught:
        parse_behaviour([text])
    assert "\x1b" not in str(caught.value)
