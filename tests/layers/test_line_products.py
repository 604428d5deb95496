"""Convolutions whose products are made line by line of the kernel, against those with whole windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.core.array import Array
from nntrain.core.layer import Layer
from nntrain.core.network import Network
from nntrain.layers import convolution, window_products
from nntrain.layers.conv2d import Conv2d
from nntrain.layers.conv2d_transpose import Conv2dTranspose
from tests.layers.passing import passes


def computed(layer: Layer, x: Array) -> tuple[Array, Array, Array]:
    return passes(Network(layer, x.shape[1:], seed=1, dtype=np.float64, input_gradient=True), x)


def with_whole_windows(layer: Layer, x: Array) -> tuple[Array, Array, Array]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_products, "LARGEST_LINE", 0)
        return computed(layer, x)


shapes = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(2, 4), st.integers(1, 3)).map(list),
        "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)).map(list),
        "padding": st.sampled_from(["valid", "same"]),
        "filters": st.integers(1, 20),
        "bias": st.booleans(),
    }
)


@settings(deadline=None, max_examples=60)
@given(shapes, st.integers(1, 3), st.integers(1, 5), st.integers(7, 12), st.integers(7, 9))
def test_products_by_lines_are_those_of_windows(
    options: dict[str, object], stride: int, rows: int, height: int, width: int
) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, height, width, 16))
    make = lambda: Conv2d(**options, stride=[1, stride], activation="relu")  # noqa: E731
    for found, wanted in zip(computed(make(), x), with_whole_windows(make(), x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kept", [0, convolution.KEPT_BYTES])
def test_pieces_and_lines_that_are_gathered_anew(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(9, 13, 8, 16))
    make = lambda: Conv2d(24, kernel=3, padding="same")  # noqa: E731
    wanted = with_whole_windows(make(), x)
    monkeypatch.setattr(convolution, "KEPT_BYTES", kept)
    monkeypatch.setattr(window_products, "BYTES_OF_A_PIECE", 1 << 17)
    monkeypatch.setattr("nntrain.layers.line_products.SMALL", 50_000)
    for found, expected in zip(computed(make(), x), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_transposed_convolution(padding: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 6, 5, 8))
    make = lambda: Conv2dTranspose(16, kernel=3, padding=padding)  # noqa: E731
    for found, wanted in zip(computed(make(), x), with_whole_windows(make(), x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
