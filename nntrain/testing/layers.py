"""The contract of a layer, check by check."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import INFERENCE, Context, LayerFactory
from nntrain.core.network import Network
from nntrain.testing.gradients import THRESHOLD, network_gradient_errors
from nntrain.testing.layer_case import TRAINING, Inputs, LayerCase, run_step
from nntrain.testing.sequences import SEQUENCE_SUITE
from nntrain.testing.suite import (
    Check,
    Suite,
    require,
    require_close,
    require_equal,
    require_no_allocation,
    require_no_global_randomness,
)

LAYER_SUITE: Suite[LayerCase] = Suite()


def check_layer(
    layer_factory: LayerFactory,
    in_shape: Shape,
    *,
    inputs: Inputs | None = None,
    constant_columns: Sequence[int] = (),
    padded: bool = False,
    seed: int = 0,
) -> list[Check]:
    """Check a layer against the contract of :mod:`nntrain.core.layer`, its gradients included.

    Args:
        layer_factory: makes a fresh layer at each call.
        in_shape: shape of one example, without the batch axis.
        inputs: makes batches of inputs from a generator and a number of rows; standard normal where left out.
        constant_columns: indexes on the last axis whose inputs are codes, which have no derivative.
        padded: whether an example is a sequence, whose first axis is steps: padding must then change nothing.
        seed: of inputs, first values and directions.
    """
    case = LayerCase(layer_factory, in_shape, inputs, constant_columns, padded, seed)
    checks = LAYER_SUITE.run(case)
    return [*checks, *SEQUENCE_SUITE.run(case)] if padded else checks


@LAYER_SUITE.check("output has the shape that build returned, for 1 and 7 rows")
def _shapes(case: LayerCase) -> None:
    network = case.network()
    require(isinstance(network.out_shape, tuple), f"build returned {network.out_shape!r}, expected a tuple")
    for rows in (1, 7):
        y, dx, _ = run_step(network, case.x(rows), case.dy(network, rows))
        require(y.shape == (rows, *network.out_shape), f"y has shape {y.shape}, build said {network.out_shape}")
        require(dx.shape == (rows, *case.in_shape), f"dx has shape {dx.shape}, expected {(rows, *case.in_shape)}")


@LAYER_SUITE.check("a batch of 0 rows is taken")
def _empty_batch(case: LayerCase) -> None:
    network = case.network()
    y, dx, grad = run_step(network, case.x(0), case.dy(network, 0))
    require(y.shape == (0, *network.out_shape), f"y has shape {y.shape}")
    require(dx.shape == (0, *case.in_shape), f"dx has shape {dx.shape}")
    require(not grad.any(), "the gradient of no rows is not 0")


@LAYER_SUITE.check("arguments are not written")
def _arguments_unchanged(case: LayerCase) -> None:
    network = case.network()
    x, dy = case.x(5), case.dy(network, 5)
    x_before, dy_before = x.copy(), dy.copy()
    run_step(network, x, dy)
    require_equal("x after the step", x, x_before)
    require_equal("dy after the step", dy, dy_before)
    require(x.flags.writeable and dy.flags.writeable, "an argument is read-only after the step")


@LAYER_SUITE.check("read-only arguments are taken")
def _read_only(case: LayerCase) -> None:
    network = case.network()
    x, dy = case.x(5), case.dy(network, 5)
    x.flags.writeable = dy.flags.writeable = False
    run_step(network, x, dy)


def _check_dtype(case: LayerCase, dtype: Any) -> None:
    network = case.network(dtype)
    y, dx, grad = run_step(network, case.x(5, dtype), case.dy(network, 5))
    for name, array in (("y", y), ("dx", dx), ("grad", grad), ("y in inference", network.forward(case.x(5, dtype)))):
        require(array.dtype == dtype, f"{name} has dtype {array.dtype}, expected {np.dtype(dtype)}")


@LAYER_SUITE.check("float32 stays float32")
def _float32(case: LayerCase) -> None:
    _check_dtype(case, np.float32)


@LAYER_SUITE.check("float64 stays float64")
def _float64(case: LayerCase) -> None:
    _check_dtype(case, np.float64)


@LAYER_SUITE.check("float32 gives what float64 gives, to 1e-3")
def _precision(case: LayerCase) -> None:
    single, double = case.network(np.float32), case.network()
    double.load_state(single.state())
    found = run_step(single, case.x(5, np.float32), case.dy(single, 5))
    expected = run_step(double, case.x(5, np.float32).astype(np.float64), case.dy(single, 5).astype(np.float64))
    for name, a, b in zip(("y", "dx", "grad"), found, expected, strict=True):
        require_close(name, a.astype(np.float64), b, 1e-3)


@LAYER_SUITE.check("strided arguments give what contiguous ones give")
def _strided(case: LayerCase) -> None:
    network = case.network()
    x, dy = case.x(6), case.dy(network, 6)
    expected = run_step(network, x, dy)
    found = run_step(case.network(), _strided_copy(x), _strided_copy(dy))
    for name, a, b in zip(("y", "dx", "grad"), found, expected, strict=True):
        require_close(name, a, b, 1e-12)


def _strided_copy(array: Array) -> Array:
    wide = np.zeros((2 * len(array), *array.shape[1:-1], array.shape[-1] + 3), array.dtype)
    wide[::2, ..., 1:-2] = array
    part: Array = wide[::2, ..., 1:-2]
    return part


@LAYER_SUITE.check("inference gives the same bits each time, whatever the step")
def _inference_repeats(case: LayerCase) -> None:
    network = case.network()
    x = case.x(5)
    first = network.forward(x, Context(step=1)).copy()
    require_equal("y", network.forward(x, Context(step=2, shard=1)), first)


@LAYER_SUITE.check("inference changes no value and no gradient")
def _inference_changes_nothing(case: LayerCase) -> None:
    network = case.network()
    run_step(network, case.x(5), case.dy(network, 5))
    values, buffer, grad = (a.copy() for a in (network.store.value, network.store.buffer, network.store.grad))
    network.forward(case.x(5, number=1), INFERENCE)
    require_equal("the parameters", network.store.value, values)
    require_equal("the statistics", network.store.buffer, buffer)
    require_equal("the gradients", network.store.grad, grad)


@LAYER_SUITE.check("a training step repeated gives the same bits")
def _training_repeats(case: LayerCase) -> None:
    network = case.network()
    x, dy = case.x(5), case.dy(network, 5)
    first = run_step(network, x, dy)
    for name, a, b in zip(("y", "dx", "grad"), run_step(network, x, dy), first, strict=True):
        require_equal(name, a, b)


@LAYER_SUITE.check("a fresh layer gives the same bits as a used one")
def _no_history(case: LayerCase) -> None:
    network = case.network()
    run_step(network, case.x(9, number=1), case.dy(network, 9, number=1), Context(training=True, step=8))
    x, dy = case.x(4), case.dy(network, 4)
    expected = run_step(case.network(), x, dy)
    for name, a, b in zip(("y", "dx", "grad"), run_step(network, x, dy), expected, strict=True):
        require_equal(f"{name} after a larger batch", a, b)


@LAYER_SUITE.check("a larger batch after a small one works")
def _growing_batch(case: LayerCase) -> None:
    network = case.network()
    run_step(network, case.x(2), case.dy(network, 2))
    x, dy = case.x(9), case.dy(network, 9)
    for name, a, b in zip(("y", "dx", "grad"), run_step(network, x, dy), run_step(case.network(), x, dy), strict=True):
        require_equal(name, a, b)


def _check_gradients(case: LayerCase, ctx: Context, wanted: Callable[[str], bool]) -> None:
    errors = network_gradient_errors(case.network(), case.x(5), ctx, mask=case.mask, seed=case.seed)
    for name, error in errors.items():
        if wanted(name):
            require(error < THRESHOLD, f"relative error {error:.2g} of the gradient of {name}, allowed {THRESHOLD:g}")


@LAYER_SUITE.check("the input's gradient is that of finite differences")
def _input_gradient(case: LayerCase) -> None:
    _check_gradients(case, TRAINING, lambda name: name == "input")


@LAYER_SUITE.check("the parameters' gradients are those of finite differences")
def _parameter_gradients(case: LayerCase) -> None:
    _check_gradients(case, TRAINING, lambda name: name != "input")


@LAYER_SUITE.check("gradients of a step add up")
def _accumulates(case: LayerCase) -> None:
    network = case.network()
    parts = [(case.x(5, number=i), case.dy(network, 5, number=i)) for i in range(2)]
    expected = sum(run_step(network, x, dy)[2] for x, dy in parts)
    network.store.begin_step()
    for x, dy in parts:
        network.forward(x, TRAINING)
        network.backward(dy)
    network.store.finish_step()
    require_close("the sum of two gradients", network.store.grad, np.asarray(expected), 1e-12)


@LAYER_SUITE.check("the first gradient of a step overwrites")
def _overwrites(case: LayerCase) -> None:
    network = case.network()
    x, dy = case.x(5), case.dy(network, 5)
    expected = run_step(network, x, dy)[2]
    network.store.grad.fill(np.nan)
    require_equal("the gradient", run_step(network, x, dy)[2], expected)


@LAYER_SUITE.check("nothing is allocated after the second step")
def _no_allocation(case: LayerCase) -> str | None:
    network = case.network(np.float32)
    rows = max(64, 16384 // max(1, int(np.prod(case.in_shape))))
    x, dy = case.x(rows, np.float32), case.dy(network, rows)
    last_x, last_dy = x[: rows // 2], dy[: rows // 2]

    def epoch() -> None:
        for batch, gradient in ((x, dy), (last_x, last_dy)):
            network.store.begin_step()
            network.forward(batch, TRAINING)
            network.backward(gradient)
        network.forward(x)

    return require_no_allocation(epoch, network.root)


@LAYER_SUITE.check("the state moved to another network gives the same bits")
def _state_round_trip(case: LayerCase) -> None:
    network = case.network()
    run_step(network, case.x(5), case.dy(network, 5))
    other = case.network(seed=case.seed + 1)
    other.load_state({name: value.copy() for name, value in network.state().items()})
    x = case.x(4, number=1)
    require_equal("y", other.forward(x), network.forward(x))


@LAYER_SUITE.check("a replica shares the values and has its own gradients")
def _replica(case: LayerCase) -> None:
    network = case.network()
    twin = network.replica()
    x, dy = case.x(4), case.dy(network, 4)
    expected = run_step(network, x, dy)
    network.store.grad.fill(7)
    for name, a, b in zip(("y", "dx", "grad"), run_step(twin, x, dy), expected, strict=True):
        require_equal(f"the replica's {name}", a, b)
    require(bool((network.store.grad == 7).all()), "the replica writes gradients into the network it is a replica of")


@LAYER_SUITE.check("a used layer can be copied and built again")
def _copy(case: LayerCase) -> None:
    network = case.network()
    run_step(network, case.x(4), case.dy(network, 4))
    copied = Network(copy.deepcopy(network.root), case.in_shape, dtype=np.float64, input_gradient=True)
    require(copied.store.size == network.store.size, "the copy has other parameters")
    copied.load_state(network.state())
    require_equal("y", copied.forward(case.x(4)), network.forward(case.x(4)))


@LAYER_SUITE.check("parameter names are distinct")
def _parameter_names(case: LayerCase) -> None:
    names = [parameter.name for parameter in case.network().store.parameters]
    require(len(set(names)) == len(names), f"the names are {', '.join(names)}")


@LAYER_SUITE.check("a row's output does not depend on the other rows, unless couples_rows says so")
def _rows_apart(case: LayerCase) -> None:
    network = case.network()
    x = case.x(6)
    coupled = any(layer.couples_rows for layer in network.root.walk())
    ctx = INFERENCE if coupled else TRAINING
    reference = case.network()
    whole = reference.forward(x, ctx)
    changed = x.copy()
    changed[3:] = case.x(3, number=1)
    require_close("the first rows' y", network.forward(changed, ctx)[:3], whole[:3], 1e-12)


@LAYER_SUITE.check("inputs of up to 100 give finite numbers, without a warning")
def _large_inputs(case: LayerCase) -> None:
    network = case.network(np.float32)
    x = case.x(8, np.float32)
    scale = np.where(case.mask > 0, np.float32(100.0 / max(1.0, float(np.abs(x).max()))), np.float32(1))
    y, dx, grad = run_step(network, x * scale, case.dy(network, 8))
    for name, array in (("y", y), ("dx", dx), ("grad", grad)):
        require(np.isfinite(array).all(), f"{name} is not finite")


@LAYER_SUITE.check("no global random generator is used")
def _randomness(case: LayerCase) -> None:
    def whole_life() -> None:
        network = case.network()
        run_step(network, case.x(4), case.dy(network, 4))

    require_no_global_randomness(whole_life)


LAYER_SUITE.check_construction()


@LAYER_SUITE.check("flops is a whole number of at least 0")
def _flops(case: LayerCase) -> None:
    network = case.network()
    flops = network.root.flops(case.in_shape, network.out_shape)
    require(isinstance(flops, int) and flops >= 0, f"flops returned {flops!r}")


@LAYER_SUITE.check("the memory that it says it keeps is there, in training and outside")
def _kept(case: LayerCase) -> None:
    for ctx in (TRAINING, INFERENCE):
        network = case.network()
        network.forward(case.x(5), ctx)
        said = 5 * sum(size for _, size in network.kept_by_layer(ctx.training))
        there = sum(layer.scratch_bytes for layer in network.root.walk())
        require(said <= there, f"keeps_output or kept_numbers says {said} bytes of 5 rows, and {there} are in scratch")
