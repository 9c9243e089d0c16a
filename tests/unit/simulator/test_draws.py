from __future__ import annotations

import pytest

from lunomm.simulator.draws import Numbers, asset_rng, draws


def test_equal_seeds_equal_numbers_and_one_stream_does_not_move_another() -> None:
    one, two = draws(7, "XBTMYR"), draws(7, "XBTMYR")
    for _ in range(2000):
        one.coins.next()
        one.ids.getrandbits(63)
    assert [one.waits.next() for _ in range(1500)] == [two.waits.next() for _ in range(1500)]
    assert one.sizes == two.sizes


def test_seeds_and_pairs_give_different_numbers() -> None:
    firsts = {draws(seed, pair).waits.next() for seed in (0, 1, 2**62) for pair in ("XBTMYR", "XBTZAR", "ids")}
    assert len(firsts) == 9


def test_blocks_have_no_seam() -> None:
    import numpy as np

    counted = iter(range(10**6))
    numbers = Numbers(lambda count: np.array([next(counted) for _ in range(count)], dtype=np.float64))
    assert [numbers.next() for _ in range(1200)] == list(range(1200))


def test_bits() -> None:
    ids = draws(1, "X").ids
    assert all(0 <= ids.getrandbits(63) < 2**63 for _ in range(2000))
    assert {ids.getrandbits(1) for _ in range(100)} == {0, 1}
    for k in (0, 64):
        with pytest.raises(ValueError, match="bits"):
            ids.getrandbits(k)


def test_an_assets_walk_depends_on_the_seed_the_asset_and_the_direction_only() -> None:
    firsts = {
        asset_rng(seed, asset, past=past).random()
        for seed in (1, 2)
        for asset in ("XBT", "ZAR")
        for past in (False, True)
    }
    assert len(firsts) == 8
    assert asset_rng(1, "XBT").random() == asset_rng(1, "XBT").random()
