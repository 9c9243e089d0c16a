"""The table of names: the two the document gives, one owner each, lives as designed."""

from __future__ import annotations

import msgspec
import pytest

from lunomm.bus import channels
from lunomm.bus.channels import ALL, Channel, Kind
from lunomm.market.stamp import Stamped


def test_the_documents_names_never_change() -> None:
    assert channels.LOB.key("XBTMYR") == "LOB::XBTMYR"
    assert channels.ORDER_UPDATES.key("XBTMYR") == "ORDER_UPDATES"
    assert Kind.CHANNEL in channels.LOB.kind
    assert Kind.CHANNEL in channels.ORDER_UPDATES.kind


def test_names_are_unique_and_described() -> None:
    assert len({channel.name for channel in ALL}) == len(ALL)
    found = [value for value in vars(channels).values() if isinstance(value, Channel)]
    assert {id(channel) for channel in found} == {id(channel) for channel in ALL}
    for channel in ALL:
        assert channel.doc
        assert channel.producer
        assert channel.consumers
        assert issubclass(channel.type, Stamped)
        assert channel.key("XBTMYR") == (f"{channel.name}::XBTMYR" if channel.paired else channel.name)


@pytest.mark.parametrize(
    ("channel", "ttl_s"), [(channels.QUOTES, 3), (channels.RULES, 300), (channels.PARAMS, None), (channels.HALT, None)]
)
def test_lives(channel: Channel[Stamped], ttl_s: float | None) -> None:
    assert channel.ttl_s == ttl_s


def test_streams_are_bounded_but_fills() -> None:
    for channel in ALL:
        if Kind.STREAM in channel.kind and channel is not channels.FILLS:
            assert channel.keep_ms or channel.maxlen
    assert channels.FILLS.keep_ms is None
    assert channels.FILLS.maxlen is None


def test_stored_messages_outlive_a_run() -> None:
    outlive = {channel.name for channel in ALL if not channel.by_run}
    assert outlive == {"TRADES", "GRID", "PARAMS", "FILLS", "HALT"}


def test_every_message_says_schema_pair_venue_and_build() -> None:
    for channel in ALL:
        assert {field.name for field in msgspec.structs.fields(channel.type)} >= {"v", "pair", "venue", "build"}


def test_heartbeats_are_named_by_piece_and_pair() -> None:
    assert channels.HEALTH.key(channels.health_key("book", "XBTMYR")) == "HEALTH::book::XBTMYR"
