"""The contract of a layer on padded sequences: padding changes nothing."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.core.steps import clear_padding
from nntrain.errors import ConfigError
from nntrain.testing.gradients import THRESHOLD, gradient_error
from nntrain.testing.layer_case import LayerCase
from nntrain.testing.suite import Suite, require, require_close, require_equal

SEQUENCE_SUITE: Suite[LayerCase] = Suite()


def _lengths(case: LayerCase) -> Array:
    steps = case.in_shape[0]
    return np.array([steps, max(1, steps - 1), max(1, steps // 2), 0, 1])


def _padded_forward(network: Network, x: Array, lengths: Array) -> tuple[Array, Array | None]:
    """Return the output of a training pass and the lengths behind the network."""
    ctx = Context(training=True, step=3, lengths=lengths)
    y = network.root.forward(x, ctx)
    return y, ctx.lengths


def _run(network: Network, x: Array, lengths: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Return output with zeros for padding, input gradient and flat gradient of a step on padded sequences."""
    network.store.begin_step()
    y, behind = _padded_forward(network, x, lengths)
    y = clear_padding(network.root, y.copy(), behind)
    dx = network.backward(clear_padding(network.root, dy.copy(), behind))
    network.store.finish_step()
    require(dx is not None, "backward returns None, though the input's gradient is asked for")
    return y, np.array(dx), network.store.grad.copy()


@SEQUENCE_SUITE.check("what stands in the padding changes nothing")
def _padding_is_neutral(case: LayerCase) -> None:
    lengths = _lengths(case)
    rows = len(lengths)
    x, dy = case.x(rows), case.dy(case.network(), rows)
    expected = _run(case.network(), x, lengths, dy)
    other = case.x(rows, number=1)
    steps = np.arange(x.shape[1])
    padding = (steps >= lengths[:, None]).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
    found = _run(case.network(), np.where(padding, other, x), lengths, dy)
    for name, a, b in zip(("y", "dx", "grad"), found, expected, strict=True):
        require_equal(name, a, b)
    require(not found[1][np.broadcast_to(padding, x.shape)].any(), "dx is not 0 in the padding")
    for array in found:
        require(np.isfinite(array).all(), "a value is not finite")


@SEQUENCE_SUITE.check("padded sequences give what each gives alone")
def _one_by_one(case: LayerCase) -> None:
    network = case.network()
    if any(layer.couples_rows for layer in network.root.walk()):
        return
    lengths = _lengths(case)
    x, dy = case.x(len(lengths)), case.dy(network, len(lengths))
    alone = {i: _alone(case, int(length)) for i, length in enumerate(lengths)}
    _, behind = _padded_forward(case.network(), x, lengths)
    for i, single in alone.items():
        if single is None:
            dy[i] = 0
    y, dx, grad = _run(network, x, lengths, dy)
    total = np.zeros_like(grad)
    for i, single in alone.items():
        if single is None:
            continue
        length = int(lengths[i])
        out = slice(None) if behind is None else slice(int(behind[i]))
        own_y, own_dx, own_grad = _run_alone(single, x[i : i + 1, :length], dy[i : i + 1, out])
        require_close("y", y[i : i + 1, out], own_y, 1e-12)
        require_close("dx", dx[i : i + 1, :length], own_dx, 1e-12)
        total += own_grad
    require_close("grad", grad, total, 1e-12)


@SEQUENCE_SUITE.check("in inference padded sequences give what each gives alone")
def _inference_one_by_one(case: LayerCase) -> None:
    network, lengths = case.network(), _lengths(case)
    x, ctx = case.x(len(lengths)), Context(lengths=lengths)
    y = network.root.forward(x, ctx)
    for i, length in enumerate(lengths.tolist()):
        single = _alone(case, length)
        if single is not None:
            out = slice(None) if ctx.lengths is None else slice(int(ctx.lengths[i]))
            require_close("y", y[i : i + 1, out], single.forward(x[i : i + 1, :length]), 1e-12)


def _alone(case: LayerCase, length: int) -> Network | None:
    """Return a network for sequences of exactly this length, or None where the layer takes none so short."""
    if length == 0:
        return None
    like = case.network()
    try:
        network = Network(case.factory(), (length, *case.in_shape[1:]), dtype=np.float64, input_gradient=True)
    except ConfigError:
        return None
    if 0 in network.out_shape or network.store.size != like.store.size:
        return None
    network.load_state(like.state())
    return network


def _run_alone(network: Network, x: Array, dy: Array) -> tuple[Array, Array, Array]:
    ctx = Context(training=True, step=3)
    network.store.begin_step()
    y = network.forward(x, ctx).copy()
    dx = network.backward(dy)
    network.store.finish_step()
    return y, np.array(dx), network.store.grad.copy()


@SEQUENCE_SUITE.check("gradients on padded sequences are those of finite differences")
def _gradients(case: LayerCase) -> None:
    network = case.network()
    lengths = _lengths(case)
    x = case.x(len(lengths))
    _, behind = _padded_forward(network, x, lengths)
    weights = clear_padding(network.root, case.dy(network, len(lengths)), behind)

    def value() -> float:
        return float(np.sum(_padded_forward(network, x, lengths)[0] * weights))

    _, dx, _ = _run(network, x, lengths, weights)
    gradients = {parameter.name: parameter.grad.copy() for parameter in network.store.trainable}
    errors = {p.name: gradient_error(value, p.value, gradients[p.name]) for p in network.store.trainable}
    errors["input"] = gradient_error(value, x, dx, mask=case.mask)
    for name, error in errors.items():
        require(error < THRESHOLD, f"relative error {error:.2g} of the gradient of {name}, allowed {THRESHOLD:g}")


@SEQUENCE_SUITE.check("lengths are not written")
def _lengths_unchanged(case: LayerCase) -> None:
    network, lengths = case.network(), _lengths(case)
    before = lengths.copy()
    _padded_forward(network, case.x(len(lengths)), lengths)
    require_equal("lengths", lengths, before)
