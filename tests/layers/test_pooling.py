"""Pooling and upsampling equal PyTorch's in float64, and what the textbook's loops give."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.core.steps import window_count
from nntrain.errors import ConfigError
from nntrain.layers.window_passes import windows_along

torch = pytest.importorskip("torch")
F = torch.nn.functional


def network_of(spec: Any, in_shape: Shape, dtype: Any = np.float64) -> Network:
    return Network(LAYERS.build(spec), in_shape, dtype=dtype, input_gradient=True)


def step(spec: Any, x: Array, dy: Array | None = None, lengths: Array | None = None) -> tuple[Array, Array, Any]:
    """Return output, input gradient (of dy, left out: ones) and the lengths behind the layer."""
    network = network_of(spec, x.shape[1:], x.dtype)
    ctx = Context(training=True, lengths=lengths)
    y = network.root.forward(x, ctx)
    dx = network.backward(np.ones_like(y) if dy is None else dy)
    return y.copy(), np.array(dx), ctx.lengths


def batch(shape: Shape, role: str = "test-inputs") -> Array:
    return stream(0, role).standard_normal(shape)


def compare(spec: Any, x: Array, function: Callable[[Any], Any]) -> None:
    """Compare a layer with a torch function of channels first."""
    x_torch = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    expected = function(x_torch)
    dy = batch(tuple(expected.shape), "test-gradients")
    expected.backward(torch.tensor(dy))
    y, dx, _ = step(spec, x, np.moveaxis(dy, 1, -1) if dy.ndim > 2 else dy)
    expected_y = expected.detach().numpy()
    close(y, np.moveaxis(expected_y, 1, -1) if dy.ndim > 2 else expected_y)
    close(dx, np.moveaxis(x_torch.grad.numpy(), 1, -1))


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def margins(shape: Shape, pool: Shape, stride: Shape, padding: str) -> list[int]:
    """Return what torch's pad takes, last axis first: places before and behind, to which windows of ``same`` reach."""
    pads: list[int] = []
    for n, p, s in zip(shape[::-1], pool[::-1], stride[::-1], strict=True):
        before = (p - 1) // 2 if padding == "same" else 0
        count = window_count(n, p, s, 1, padding)
        pads += [before, max(0, (count - 1) * s + p - before - n)]
    return pads


WINDOWS = [
    ((7, 6), (2, 2), None),
    ((8, 4), (2, 2), None),
    ((7, 7), (3, 3), (2, 2)),
    ((5, 9), (3, 2), (1, 3)),
    ((6, 5), (2, 3), (3, 4)),
    ((4, 5), (4, 1), (1, 1)),
    ((9, 9), (5, 5), (2, 3)),
    ((1, 3), (1, 3), None),
]


def pooled(x: Any, kind: str, pool: Shape, stride: Shape, padding: str) -> Any:
    shape = tuple(x.shape[2:])
    pads = margins(shape, pool, stride, padding)
    counts = [window_count(n, p, s, 1, padding) for n, p, s in zip(shape, pool, stride, strict=True)]
    there = (slice(None), slice(None), *(slice(count) for count in counts))
    function = {1: {"max": F.max_pool1d, "average": F.avg_pool1d}, 2: {"max": F.max_pool2d, "average": F.avg_pool2d}}
    apply = function[len(shape)][kind]
    if kind == "max":
        return apply(F.pad(x, pads, value=-np.inf), pool, stride)[there]
    total = apply(F.pad(x, pads), pool, stride)
    return (total / apply(F.pad(torch.ones_like(x), pads), pool, stride))[there]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(("shape", "pool", "stride"), WINDOWS)
@pytest.mark.parametrize("channels", [1, 3, 70])
def test_pooling_of_images(
    shape: Shape, pool: Shape, stride: Shape | None, kind: str, padding: str, channels: int
) -> None:
    spec = {"name": f"{kind}_pool2d", "pool": list(pool), "stride": stride and list(stride), "padding": padding}
    compare(spec, batch((2, *shape, channels)), lambda x: pooled(x, kind, pool, stride or pool, padding))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(
    ("steps", "pool", "stride"), [(7, 2, 2), (8, 3, 1), (9, 2, 5), (5, 5, 2), (1, 1, 1), (6, 4, 3)]
)
def test_pooling_of_sequences(steps: int, pool: int, stride: int, kind: str, padding: str) -> None:
    spec = {"name": f"{kind}_pool1d", "pool": pool, "stride": stride, "padding": padding}
    for rows in (1, 3):
        compare(spec, batch((rows, steps, 4)), lambda x: pooled(x, kind, (pool,), (stride,), padding))


@pytest.mark.parametrize("shape", [(5,), (4, 3), (1, 1)])
def test_global_pooling(shape: Shape) -> None:
    axes = tuple(range(2, 2 + len(shape)))
    compare("global_max_pool", batch((3, *shape, 4)), lambda x: torch.amax(x, axes))
    compare("global_average_pool", batch((3, *shape, 4)), lambda x: torch.mean(x, axes))


@pytest.mark.parametrize(("factor", "scale"), [(2, (2.0, 2.0)), ([3, 1], (3.0, 1.0)), (1, (1.0, 1.0))])
def test_upsampling(factor: Any, scale: tuple[float, float]) -> None:
    x = batch((2, 3, 5, 4))
    compare({"name": "upsample", "factor": factor}, x, lambda t: F.interpolate(t, scale_factor=scale, mode="nearest"))
    if isinstance(factor, int):
        y, dx, lengths = step({"name": "upsample", "factor": factor}, x[:, 0], lengths=np.array([5, 0]))
        np.testing.assert_array_equal(y, np.repeat(x[:, 0], factor, axis=1))
        assert (dx == factor).all()
        assert lengths.tolist() == [5 * factor, 0]


def largest_by_loops(x: Array, dy: Array, pool: Shape, stride: Shape, padding: str) -> tuple[Array, Array]:
    """Return max pooling and its gradient, cell by cell: the first largest one in row-major order takes all."""
    y, dx = np.zeros_like(dy), np.zeros_like(x)
    before = [(p - 1) // 2 if padding == "same" else 0 for p in pool]
    for b, i, j, c in np.ndindex(*dy.shape):
        cells = []
        for k, m in itertools.product(range(pool[0]), range(pool[1])):
            r, q = i * stride[0] - before[0] + k, j * stride[1] - before[1] + m
            if 0 <= r < x.shape[1] and 0 <= q < x.shape[2]:
                cells.append((b, r, q, c))
        best = max(cells, key=lambda cell: float(x[cell]))  # max takes the first of equals
        y[b, i, j, c] = x[best]
        dx[best] += dy[b, i, j, c]
    return y, dx


small = st.integers(1, 5)


@settings(max_examples=60, deadline=None)
@given(st.tuples(small, small), st.tuples(small, small), st.tuples(small, small), st.sampled_from(["valid", "same"]))
def test_the_first_of_equal_values_gets_the_gradient(shape: Shape, pool: Shape, stride: Shape, padding: str) -> None:
    out = tuple(window_count(n, p, s, 1, padding) for n, p, s in zip(shape, pool, stride, strict=True))
    if 0 in out:
        return
    x = stream(0, "ties").integers(-1, 2, (2, *shape, 2)).astype(np.float64)
    dy = batch((2, *out, 2))
    spec = {"name": "max_pool2d", "pool": list(pool), "stride": list(stride), "padding": padding}
    y, dx, _ = step(spec, x, dy)
    expected_y, expected_dx = largest_by_loops(x, dy, pool, stride, padding)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("channels", [1, 5])
def test_ties_are_broken_as_in_torch(channels: int) -> None:
    x = stream(0, "ties").integers(0, 2, (3, 6, 7, channels)).astype(np.float64)
    compare("max_pool2d", x, lambda t: F.max_pool2d(t, 2))
    compare({"name": "max_pool2d", "pool": 3, "stride": 1}, x, lambda t: F.max_pool2d(t, 3, 1))


def test_global_max_pool_gives_the_first_of_equal_values_all() -> None:
    x = np.array([[[1.0, 5.0], [3.0, 5.0], [3.0, 4.0]]])
    _, dx, _ = step("global_max_pool", x, np.array([[2.0, 7.0]]))
    assert dx.tolist() == [[[0.0, 7.0], [2.0, 0.0], [0.0, 0.0]]]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(1, 30), st.sampled_from(["valid", "same"]))
def test_every_place_of_every_window_is_in_one_tap(steps: int, pool: int, stride: int, padding: str) -> None:
    windows = windows_along(steps, pool, stride, padding)
    before = (pool - 1) // 2 if padding == "same" else 0
    expected = {
        (i, i * stride - before + k)
        for i in range(windows.count)
        for k in range(pool)
        if 0 <= i * stride - before + k < steps
    }
    found = [
        (i, s)
        for tap in windows.taps
        for i, s in zip(range(windows.count)[tap.windows], range(steps)[tap.steps], strict=True)
    ]
    assert sorted(found) == sorted(expected)
    assert (windows.ends - windows.starts).sum() == len(expected)
    assert sorted(s for track in windows.tracks for s in range(steps)[track.steps]) == list(range(steps))


@pytest.mark.parametrize("kind", ["max", "average"])
def test_a_sequence_without_steps_gives_zeros_from_global_pooling(kind: str) -> None:
    x = batch((3, 4, 2))
    y, dx, lengths = step(f"global_{kind}_pool", x, lengths=np.array([0, 4, 0]))
    assert lengths is None
    assert not y[[0, 2]].any() and not dx[[0, 2]].any()
    close(y[1], x[1].max(axis=0) if kind == "max" else x[1].mean(axis=0))


def test_lengths_follow_the_windows() -> None:
    lengths = np.array([0, 1, 4, 7])
    for padding, expected in (("valid", [0, 0, 1, 3]), ("same", [0, 1, 2, 4])):
        spec = {"name": "max_pool1d", "pool": 3, "stride": 2, "padding": padding}
        assert step(spec, batch((4, 7, 2)), lengths=lengths)[2].tolist() == expected
    assert lengths.tolist() == [0, 1, 4, 7]


def test_an_average_at_an_edge_is_of_the_cells_that_are_there() -> None:
    x = np.arange(1.0, 6.0).reshape(1, 5, 1)
    spec = {"name": "average_pool1d", "pool": 3, "stride": 1, "padding": "same"}
    assert step(spec, x)[0].ravel().tolist() == pytest.approx([1.5, 2.0, 3.0, 4.0, 4.5])
    y, dx, _ = step(spec, x, np.array([1.0, 1.0, 0.0, 0.0, 0.0]).reshape(1, 5, 1), lengths=np.array([2]))
    assert y.ravel()[:2].tolist() == [1.5, 1.5]
    assert dx.ravel().tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("spec", "in_shape", "message"),
    [
        ("max_pool2d", (4, 3), "max_pool2d_1: max_pool2d needs images of shape (height, width, channels), got shape"),
        ("average_pool1d", (4,), "average_pool1d needs sequences of shape (steps, features), got shape (4,)"),
        ({"name": "max_pool2d", "pool": [2, 5]}, (4, 4, 1), "needs at least 2 x 5 positions with padding 'valid'"),
        ("global_max_pool", (4,), "global_max_pool needs examples of shape (..., features) with an axis of positions"),
        ("upsample", (4,), "upsample needs sequences (steps, features) or images (height, width, channels)"),
        ({"name": "upsample", "factor": [2, 1]}, (4, 2), "needs images (height, width, channels) with a list of"),
    ],
)
def test_shape_errors(spec: Any, in_shape: Shape, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        network_of({"name": "sequential", "layers": [spec]}, in_shape)
    assert message in str(caught.value)


def test_flatten_and_reshape_write_zeros_for_padding() -> None:
    x = batch((3, 4, 2))
    lengths = np.array([4, 0, 2])
    there = np.arange(4) < lengths[:, None]
    for spec, shape in (("flatten", (3, 8)), ({"name": "reshape", "shape": [2, 4]}, (3, 2, 4))):
        dy = batch(shape, "test-gradients")
        y, dx, behind = step(spec, x, dy, lengths=lengths)
        assert behind is None
        np.testing.assert_array_equal(y, np.where(there[..., None], x, 0).reshape(shape))
        np.testing.assert_array_equal(dx, np.where(there[..., None], dy.reshape(x.shape), 0))


def test_windows_of_any_size_and_distance_are_found_at_once() -> None:
    whole = windows_along(20_000, 20_000, 20_000, "valid")
    assert (whole.count, len(whole.taps), len(whole.tracks)) == (1, 20_000, 20_000)
    beyond = windows_along(5, 10**31, 10**31, "same")
    assert (beyond.count, beyond.starts.tolist(), beyond.ends.tolist(), len(beyond.taps)) == (1, [0], [5], 5)
    assert windows_along(5, 10**31, 1, "valid").count == 0


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_padded_sequences_under_windows_of_any_distance(padding: str) -> None:
    """Lengths are counted by NumPy, which takes no number of 31 digits."""
    lengths = []
    for stride in (9, 10**31):
        pool = LAYERS.build({"name": "average_pool1d", "pool": 2, "stride": stride, "padding": padding})
        ctx = Context(lengths=np.array([5, 1, 0]))
        Network(pool, (5, 1)).root.forward(np.ones((3, 5, 1), np.float32), ctx)
        lengths.append(ctx.lengths.tolist())
    assert lengths[0] == lengths[1] == ([1, 1, 0] if padding == "same" else [1, 0, 0])
