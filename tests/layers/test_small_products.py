"""Stacks of small products are the products of the definition, whatever the shapes and the order in memory."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.core.scratch import ScratchOwner
from nntrain.layers.small_products import sum_of_products, times_small

SHAPES = [
    (4, 196, 144, 32),  # cut into stacks, with rows left over
    (3, 1024, 27, 64),  # transposes in parts
    (2, 13, 5, 3),  # one product
    (1, 100, 1152, 128),  # too large to be cut
    (4, 256, 576, 64),  # cut across as well
    (8, 784, 9, 16),
    (1, 1009, 90, 32),  # a prime number of rows
    (0, 5, 3, 2),
    (2, 0, 3, 2),
]


def numbers(*shape: int) -> Array:
    return stream(0, "test-small-products", *shape).standard_normal(shape)


def tall_matrices(shape: tuple[int, int, int], is_transposed: bool) -> Array:
    stacks, rows, inner = shape
    return numbers(stacks, inner, rows).transpose(0, 2, 1) if is_transposed else numbers(stacks, rows, inner)


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize(("stacks", "rows", "inner", "width"), SHAPES)
def test_a_tall_matrix_times_a_small_one(stacks: int, rows: int, inner: int, width: int, is_transposed: bool) -> None:
    tall, small = tall_matrices((stacks, rows, inner), is_transposed), numbers(inner, width)
    expected = np.einsum("snk,kf->snf", tall, small, optimize=True)
    wide = np.full((stacks, rows, width + 2), 7.0)
    for out in (np.empty((stacks, rows, width)), wide[..., 1:-1]):
        times_small(tall, small, out)
        np.testing.assert_allclose(out, expected, atol=1e-9)
    assert (wide[..., [0, -1]] == 7).all()


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize(("stacks", "rows", "inner", "width"), SHAPES)
def test_the_sum_of_products_of_tall_matrices(
    stacks: int, rows: int, inner: int, width: int, is_transposed: bool
) -> None:
    tall, other = tall_matrices((stacks, rows, inner), is_transposed), numbers(stacks, rows, width)
    out = np.empty((inner, width))
    sum_of_products(ScratchOwner(), tall, other, out)
    np.testing.assert_allclose(out, np.einsum("snk,snf->kf", tall, other, optimize=True), atol=1e-9)
