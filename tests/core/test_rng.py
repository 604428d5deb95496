"""Streams are functions of seed, role and integers, and of nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nntrain.core.rng import StepStream, stream

seeds = st.integers(0, 2**63)
steps = st.integers(0, 2**40)


@given(seeds, st.text(max_size=20), st.lists(st.integers(0, 2**31), max_size=3))
def test_stream_is_a_function_of_its_arguments(seed: int, role: str, integers: list[int]) -> None:
    np.testing.assert_array_equal(stream(seed, role, *integers).random(4), stream(seed, role, *integers).random(4))


def test_streams_differ_by_seed_role_and_integers() -> None:
    firsts = {
        float(stream(*arguments).random())  # type: ignore[arg-type]
        for arguments in [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", 0, 1), (0, "a", 1, 0)]
    }
    assert len(firsts) == 7


@given(steps, st.integers(0, 1000), steps)
def test_step_stream_does_not_depend_on_what_was_drawn_before(step: int, shard: int, other: int) -> None:
    noise = StepStream(0, "dropout")
    expected = StepStream(0, "dropout").at(step, shard).random(5)
    noise.at(other).random(3, dtype=np.float32)
    noise.at(other).standard_normal(3)
    np.testing.assert_array_equal(noise.at(step, shard).random(5), expected)


def test_half_used_words_do_not_leak_into_the_next_step() -> None:
    # A float32 draw uses half of a 64-bit word; the other half must not be the next step's first draw.
    noise = StepStream(0, "dropout")
    noise.at(1).random(dtype=np.float32)
    after = noise.at(2).random(dtype=np.float32)
    assert after == StepStream(0, "dropout").at(2).random(dtype=np.float32)


def test_substreams_of_steps_and_shards_do_not_overlap() -> None:
    noise = StepStream(0, "dropout")
    draws = [noise.at(step, shard).random(1000) for step in range(5) for shard in range(3)]
    assert len(np.unique(np.concatenate(draws))) == 15 * 1000


def test_streams_are_uncorrelated() -> None:
    a, b = stream(0, "a").standard_normal(20000), stream(0, "b").standard_normal(20000)
    assert abs(float(np.corrcoef(a, b)[0, 1])) < 0.03
