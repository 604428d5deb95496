"""Bits made by hashing places: as random as counting can tell, and a function of seed, role, step, shard and batch."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.core.hashed_bits import HashedBits

COUNT = 1 << 18


def halves(seed: int = 0, role: str = "bits:dropout_1", step: int = 1, shard: int = 0, batch: int = 0) -> Array:
    return HashedBits(seed, role).at(step, shard, batch).halves(COUNT)


def correlation(a: Array, b: Array) -> float:
    """Return the correlation of two rows of bits in units of its own deviation."""
    return float(np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std()) * np.sqrt(len(a)))


@pytest.mark.parametrize("threshold", [655, 6554, 32768, 60000])
def test_shares_neighbours_and_rows_are_those_of_independent_draws(threshold: int) -> None:
    bits = (halves() >= threshold).astype(np.float64)
    share = 1 - threshold / 65536
    assert abs(bits.mean() - share) < 5 * np.sqrt(share * (1 - share) / COUNT)
    for lag in (1, 2, 3, 4, 16, 64, 100, 512, 1024):
        assert abs(correlation(bits[:-lag], bits[lag:])) < 5
    sums = bits.reshape(512, 512)
    for axis in (0, 1):
        assert sums.sum(axis=axis).var() == pytest.approx(512 * share * (1 - share), rel=0.35)


def test_every_bit_is_set_as_often_as_not() -> None:
    words = HashedBits(3, "bits").at(7).words(COUNT)
    for bit in range(32):
        assert abs(float(((words >> np.uint32(bit)) & 1).mean()) - 0.5) < 5 * 0.5 / np.sqrt(COUNT)
    assert len(np.unique(words)) == COUNT


def test_streams_of_other_seeds_roles_steps_shards_and_batches_have_nothing_in_common() -> None:
    given = [{}, {"seed": 1}, {"role": "bits:dropout_2"}, {"step": 2}, {"step": 0}, {"shard": 1}, {"batch": 1}]
    streams = [(halves(**arguments) >= 32768).astype(np.float64) for arguments in given]
    for i, one in enumerate(streams):
        for other in streams[:i]:
            assert abs(correlation(one, other)) < 5
    np.testing.assert_array_equal(halves(), halves())


def test_fewer_are_the_first_of_many() -> None:
    bits = HashedBits(0, "bits").at(5)
    many = bits.halves(101).copy()
    np.testing.assert_array_equal(bits.halves(30), many[:30])
    assert bits.halves(0).size == 0
