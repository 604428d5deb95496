"""Windows are where the definition puts them, and adding them back is the adjoint of gathering them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.core.array import Array, Shape
from nntrain.core.rng import stream
from nntrain.core.scratch import ScratchOwner
from nntrain.core.steps import window_count
from nntrain.core.windows import Windows, add_windows, gather, interior, is_planar, padded_image, per_axis


def numbers(*shape: int) -> Array:
    return stream(0, "test-windows", *shape).standard_normal(shape)


def owner() -> ScratchOwner:
    made = ScratchOwner()
    made.dtype = np.dtype(np.float64)
    return made


def textbook_columns(x: Array, windows: Windows, counts: Shape) -> Array:
    """Return the matrix of windows number by number; what lies outside the input is 0."""
    rows = []
    for b, at in itertools.product(range(len(x)), itertools.product(*map(range, counts))):
        row = []
        for place in itertools.product(*map(range, windows.kernel)):
            axes = zip(at, place, windows.stride, windows.dilation, windows.before, strict=True)
            where = tuple(i * s + p * d - before for i, p, s, d, before in axes)
            inside = all(0 <= w < size for w, size in zip(where, x.shape[1:-1], strict=True))
            row.extend(x[(b, *where)] if inside else np.zeros(x.shape[-1]))
        rows.append(row)
    return np.array(rows).reshape(len(x), math.prod(counts), windows.places * x.shape[-1])


@st.composite
def settings_of_windows(draw: st.DrawFn) -> tuple[Windows, Shape, str]:
    axes = draw(st.integers(1, 2))
    several = st.tuples(*[st.integers(1, 3)] * axes)
    padding = draw(st.sampled_from(["valid", "same"]))
    return Windows.of(draw(several), draw(several), draw(several), padding), draw(several), padding


@given(settings_of_windows(), st.integers(0, 3), st.sampled_from([1, 2, 17]))
def test_gathered_windows_are_those_of_the_definition(
    case: tuple[Windows, Shape, str], rows: int, channels: int
) -> None:
    windows, extra, padding = case
    sizes = tuple(reach - 1 + more for reach, more in zip(windows.reach, extra, strict=True))
    counts = windows.counts(sizes)
    axes = zip(sizes, windows.kernel, windows.stride, windows.dilation, strict=True)
    assert counts == tuple(window_count(*axis, padding) for axis in axes)
    x = numbers(rows, *sizes, channels)
    for planar in (False, is_planar(windows, channels)):
        image = padded_image(owner(), x, windows, planar=planar)[0]
        columns = gather(owner(), image, windows, counts)
        np.testing.assert_array_equal(columns, textbook_columns(x, windows, counts))
        assert columns.flags.c_contiguous or columns.transpose(0, 2, 1).flags.c_contiguous


@given(settings_of_windows(), st.integers(0, 3), st.sampled_from([1, 2, 17]))
def test_adding_windows_is_the_adjoint_of_gathering_them(
    case: tuple[Windows, Shape, str], rows: int, channels: int
) -> None:
    windows, extra, _ = case
    sizes = tuple(reach - 1 + more for reach, more in zip(windows.reach, extra, strict=True))
    counts = windows.counts(sizes)
    x, columns = numbers(rows, *sizes, channels), numbers(rows, math.prod(counts), windows.places * channels)
    gathered = gather(owner(), padded_image(owner(), x, windows)[0], windows, counts)
    image = np.zeros((rows, *windows.padded(sizes), channels))
    add_windows(columns, image, windows, counts)
    np.testing.assert_allclose(np.sum(gathered * columns), np.sum(x * interior(image, windows, sizes)), atol=1e-10)


@given(settings_of_windows())
def test_turned_windows_look_back(case: tuple[Windows, Shape, str]) -> None:
    given_windows, extra, padding = case
    windows = Windows.of(given_windows.kernel, (1,) * len(extra), given_windows.dilation, padding)
    sizes = tuple(reach - 1 + more for reach, more in zip(windows.reach, extra, strict=True))
    counts = windows.counts(sizes)
    assert windows.turned().counts(counts) == sizes
    dy, kernel = numbers(2, *counts, 2), numbers(windows.places, 3, 2)
    expected = np.zeros((2, *windows.padded(sizes), 3))
    columns = np.einsum("bnf,pcf->bnpc", dy.reshape(2, -1, 2), kernel).reshape(2 * math.prod(counts), -1)
    add_windows(columns, expected, windows, counts)
    turned = windows.turned()
    windows_of_dy = gather(owner(), padded_image(owner(), dy, turned)[0], turned, sizes)
    dx = windows_of_dy @ kernel[::-1].transpose(0, 2, 1).reshape(-1, 3)
    np.testing.assert_allclose(dx.reshape(2, *sizes, 3), interior(expected, windows, sizes), atol=1e-10)


def test_strided_images_are_gathered() -> None:
    wide = numbers(6, 5, 4, 9)
    windows = Windows.of((2, 2), (1, 2), (1, 1), "valid")
    for channels in (slice(2, 4), slice(None, None, 2)):
        x = wide[::2, :, :, channels]
        columns = gather(owner(), padded_image(owner(), x, windows)[0], windows, (4, 2))
        np.testing.assert_array_equal(columns, textbook_columns(np.ascontiguousarray(x), windows, (4, 2)))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_steps_past_the_length_are_zeros(padding: str) -> None:
    x = numbers(3, 5, 2)
    windows = Windows.of((3,), (1,), (1,), padding)
    image = padded_image(owner(), x[1:], windows, np.array([2, 0]))[0]
    assert image.shape == (2, *windows.padded((5,)), 2)
    inside = interior(image, windows, (5,))
    np.testing.assert_array_equal(inside[0, :2], x[1, :2])
    assert not inside[0, 2:].any()
    assert not inside[1].any()
    assert image.sum() == inside.sum()


def test_without_zeros_nothing_is_copied() -> None:
    x = numbers(3, 5, 2)
    assert np.shares_memory(padded_image(owner(), x, Windows.of((3,), (1,), (1,), "valid"))[0], x)


def test_zeros_are_zeros_again_for_another_shape() -> None:
    made, windows = owner(), Windows.of((3,), (1,), (1,), "same")
    padded_image(made, numbers(4, 6, 2), windows)
    image = padded_image(made, numbers(3, 4, 2), windows)[0]
    assert not image[:, [0, -1]].any()


def test_per_axis() -> None:
    assert per_axis(2) == (2, 2)
    assert per_axis([3, 1]) == (3, 1)


def test_blocks_of_channels_lie_by_themselves() -> None:
    x, lengths = numbers(3, 5, 6), np.array([5, 2, 0])
    windows = Windows.of((3,), (1,), (1,), "same")
    image = padded_image(owner(), x, windows, lengths, 3)
    assert image.shape == (3, 3, 7, 2)
    for block, part in enumerate(image):
        expected = padded_image(owner(), x[..., 2 * block : 2 * block + 2], windows, lengths)[0]
        np.testing.assert_array_equal(part, expected)
