"""What the frame does for every rule: blocks, lanes, state, decay, memory and types."""

from __future__ import annotations

import copy
import math
import tracemalloc
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import annotated_types
import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.errors import ConfigError
from nntrain.optim import blocks
from nntrain.optim.adam import Adam
from nntrain.optim.base import OPTIMIZERS, Optimizer
from nntrain.optim.lion import Lion
from nntrain.optim.nadam import NAdam
from nntrain.optim.sgd import SGD

ALL = [
    *OPTIMIZERS.names(),
    {"name": "rmsprop", "momentum": 0.5, "centered": True},
    {"name": "adamw", "amsgrad": True, "weight_decay": 0.1},
    {"name": "adam", "weight_decay": 0.1},
    {"name": "radam", "beta2": 0.5, "decoupled": True, "weight_decay": 0.1},
]


def made(spec: Any, size: int, dtype: Any = np.float32, lanes: int = 1) -> Optimizer:
    rule = OPTIMIZERS.build(spec)
    rule.bind(size, dtype, lanes)
    return rule


def steps(rule: Optimizer, value: Array, first: int, last: int) -> None:
    """Make updates ``first`` to ``last`` on ``value`` with random gradients that depend on the step alone."""
    for t in range(first, last + 1):
        grad = stream(0, "gradient", t).normal(size=value.size).astype(value.dtype)
        rule.update(value, grad, t, 0.01 / t)


def start(size: int, dtype: Any = np.float32) -> Array:
    return stream(0, "start").normal(size=size).astype(dtype)


@pytest.mark.parametrize("spec", ALL, ids=str)
@pytest.mark.parametrize("lanes", [1, 3, 50])
def test_blocks_and_lanes_change_no_bit(spec: Any, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 1003
    whole = start(size)
    steps(made(spec, size), whole, 1, 12)
    monkeypatch.setattr(blocks.spans, "__defaults__", (37,))
    in_blocks = start(size)
    rule = made(spec, size, lanes=lanes)
    steps(rule, in_blocks, 1, 12)
    assert rule.lanes == lanes
    assert whole.tobytes() == in_blocks.tobytes()


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_lanes_may_run_on_threads(spec: Any) -> None:
    size = 5 * blocks.BLOCK + 17
    expected, value = start(size), start(size)
    alone, together = made(spec, size), made(spec, size, lanes=4)
    with ThreadPoolExecutor(4) as pool:
        for t in range(1, 4):
            grad = stream(0, "gradient", t).normal(size=size).astype(np.float32)
            alone.update(expected, grad.copy(), t, 0.01)
            jobs = [pool.submit(together.update_lane, lane, value, grad, t, 0.01) for lane in range(4)]
            for job in jobs:
                job.result()
    assert expected.tobytes() == value.tobytes()


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_a_scaled_gradient_is_scaled_as_it_is_read(spec: Any) -> None:
    size = 2 * blocks.BLOCK + 5
    expected, value = start(size), start(size)
    alone, scaled = made(spec, size), made(spec, size, lanes=2)
    for t in range(1, 4):
        grad = stream(0, "gradient", t).normal(size=size).astype(np.float32)
        alone.update(expected, grad * np.float32(0.3), t, 0.01)
        for lane in range(2):
            scaled.update_lane(lane, value, grad, t, 0.01, scale=0.3)
    assert expected.tobytes() == value.tobytes()


def test_the_memory_of_the_slots_is_asked_for() -> None:
    asked: list[tuple[Any, Any]] = []

    def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
        asked.append((shape, dtype))
        return np.zeros(shape, dtype)

    rule = OPTIMIZERS.build({"name": "adagrad", "initial_sum": 0.25})
    rule.bind(5, np.float64, allocate=zeros)
    assert asked == [((5,), np.float64)]
    assert rule.state["square_sum"].tolist() == [0.25] * 5


def test_lanes_split_the_blocks_evenly_and_completely() -> None:
    rule = made("adam", 7 * blocks.BLOCK + 1, lanes=3)
    spans = [rule.lane_spans(lane) for lane in range(rule.lanes)]
    assert [len(lane) for lane in spans] == [2, 3, 3]
    flat = [span for lane in spans for span in lane]
    assert flat == blocks.spans(7 * blocks.BLOCK + 1)
    assert flat[0].start == 0
    assert flat[-1].stop == 7 * blocks.BLOCK + 1


def test_more_than_one_block_in_use() -> None:
    size = 2 * blocks.BLOCK + 5
    value = start(size)
    steps(made("adam", size), value, 1, 2)
    pieces = start(size)
    for span in (slice(0, 1000), slice(1000, 2 * blocks.BLOCK + 1), slice(2 * blocks.BLOCK + 1, size)):
        piece, rule = pieces[span], made("adam", span.stop - span.start)
        for t in (1, 2):
            grad = stream(0, "gradient", t).normal(size=size).astype(np.float32)
            rule.update(piece, grad[span], t, 0.01 / t)
    assert value.tobytes() == pieces.tobytes()


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_training_goes_on_from_a_copy_of_the_state(spec: Any) -> None:
    whole = start(100)
    steps(made(spec, 100), whole, 1, 20)
    first = start(100)
    rule = made(spec, 100)
    steps(rule, first, 1, 9)
    kept = {slot: vector.copy() for slot, vector in rule.state.items()}
    resumed = made(spec, 100, lanes=2)
    assert resumed.state.keys() == kept.keys()
    for slot, vector in resumed.state.items():
        vector[...] = kept[slot]
    steps(resumed, first, 10, 20)
    assert whole.tobytes() == first.tobytes()


@pytest.mark.parametrize("spec", ALL, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_stay(spec: Any, dtype: Any) -> None:
    rule = made(spec, 10, dtype)
    value = start(10, dtype)
    steps(rule, value, 1, 3)
    assert {vector.dtype for vector in [value, *rule.state.values()]} == {np.dtype(dtype)}
    assert {vector.shape for vector in rule.state.values()} <= {(10,)}


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_a_rate_of_numpys_own_type_changes_nothing(spec: Any) -> None:
    value, other = start(1000), start(1000)
    for weights, rate in ((value, 0.1), (other, np.float64(0.1))):
        made(spec, 1000).update(weights, start(1000), 1, rate)
    assert value.tobytes() == other.tobytes()


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_rate_zero_leaves_every_bit_of_the_weights(spec: Any) -> None:
    value = np.array([0.0, -0.0, -0.0, 1.0, -1e-40, 1e10], np.float32)
    before = value.tobytes()
    rule = made(spec, value.size)
    for t in range(1, 4):
        rule.update(value, np.array([-1.0, 1.0, -1.0, 0.0, 1e-30, 1e3], np.float32), t, 0.0)
    assert value.tobytes() == before
    assert all(vector.any() for vector in rule.state.values())


@pytest.mark.parametrize("spec", ALL, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zero_gradient_moves_nothing_with_the_smallest_epsilon(spec: Any, dtype: Any) -> None:
    name, given = (spec, {}) if isinstance(spec, str) else (spec["name"], spec)
    arguments = {argument.name for argument in OPTIMIZERS.get(name).arguments}
    smallest = {"epsilon": smallest_epsilon(name)} if "epsilon" in arguments else {}
    rule = made({"name": name, **given, **smallest, "weight_decay": 0.0}, 3, dtype)
    value = np.array([1.0, -2.0, 0.0], dtype)
    for t in range(1, 8):
        rule.update(value, np.zeros(3, dtype), t, 0.1)
    assert value.tolist() == [1.0, -2.0, 0.0]


def smallest_epsilon(name: str) -> float:
    annotation = {argument.name: argument.annotation for argument in OPTIMIZERS.get(name).arguments}["epsilon"]
    bounds = [limit.ge for limit in get_args(annotation) if isinstance(limit, annotated_types.Ge)]
    assert bounds and np.float32(bounds[0]) > 0
    return float(bounds[0])


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_every_range_is_declared(name: str) -> None:
    limits = {"momentum": "Ge Lt", "beta1": "Ge Lt", "beta2": "Ge Lt", "decay": "Ge Lt", "epsilon": "Ge"}
    limits |= {"weight_decay": "Ge", "initial_sum": "Ge", "momentum_decay": "Ge"}
    for argument in OPTIMIZERS.get(name).arguments:
        assert argument.doc, argument.name
        if argument.name not in ("learning_rate", "nesterov", "centered", "decoupled", "amsgrad"):
            found = [type(limit).__name__ for limit in get_args(argument.annotation)[1:]]
            assert " ".join(found) == limits[argument.name]
        rule = OPTIMIZERS.build(name)
        assert getattr(rule, argument.name) == argument.default


def test_coupled_decay_is_a_gradient_and_decoupled_decay_a_shrinkage() -> None:
    coupled, decoupled = np.array([4.0]), np.array([4.0])
    for value, decouple in ((coupled, False), (decoupled, True)):
        rule = made({"name": "adam", "weight_decay": 0.5, "decoupled": decouple}, 1, np.float64)
        rule.update(value, np.array([0.0]), 1, 0.1)
    assert coupled[0] == pytest.approx(3.9)  # Adam's first step is as long as the rate, whatever the decay.
    assert decoupled[0] == 4.0 * (1 - 0.1 * 0.5)
    plain, penalized = np.array([4.0]), np.array([4.0])
    made("sgd", 1, np.float64).update(plain, np.array([1.0 + 0.5 * 4.0]), 1, 0.1)
    made({"name": "sgd", "weight_decay": 0.5}, 1, np.float64).update(penalized, np.array([1.0]), 1, 0.1)
    assert plain[0] == penalized[0] == pytest.approx(3.7)


def test_sgd_keeps_a_velocity_only_with_momentum() -> None:
    assert made("sgd", 5).state == {}
    assert set(made("momentum", 5).state) == {"velocity"}
    assert set(made("amsgrad", 5).state) == {"gradient_sum", "square_sum", "largest_square_sum"}
    assert set(made("rmsprop", 5).state) == {"square_sum"}


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.nesterov: expected a momentum above 0") as caught:
        SGD(nesterov=True)
    assert caught.value.exit_code == 2
    assert caught.value.problems[0].help == "set optimizer.momentum, to 0.9 for instance, or remove nesterov"


def test_two_steps_of_adam_by_hand() -> None:
    rule = Adam(learning_rate=0.5, beta1=0.5, beta2=0.75, epsilon=1.0)
    rule.bind(1, np.float64)
    value = np.array([10.0])
    rule.update(value, np.array([2.0]), 1, 0.5)  # m = 2, sqrt(v) = 2: step 2 / 3
    assert value[0] == pytest.approx(10 - 0.5 * 2 / 3)
    rule.update(value, np.array([4.0]), 2, 0.5)  # m = (0.5 * 2 + 4) / 1.5, v = (0.75 * 4 + 16) / 1.75
    assert value[0] == pytest.approx(10 - 0.5 * 2 / 3 - 0.5 * (5 / 1.5) / (math.sqrt(19 / 1.75) + 1))


def test_two_steps_of_lion_by_hand() -> None:
    rule = Lion(beta1=0.75, beta2=0.5, weight_decay=0.1)
    rule.bind(2, np.float64)
    value = np.array([10.0, 10.0])
    rule.update(value, np.array([8.0, 8.0]), 1, 1.0)  # m = 4; w = 10 - 1 - 1
    assert value.tolist() == [8.0, 8.0]
    rule.update(value, np.array([-11.0, -13.0]), 2, 1.0)  # 0.75 * 4 - 0.25 * 11 > 0 > 0.75 * 4 - 0.25 * 13
    assert value == pytest.approx([8 - 0.8 - 1, 8 - 0.8 + 1])


def test_centered_rmsprop_survives_a_constant_gradient_in_float32() -> None:
    rule = made({"name": "rmsprop", "centered": True, "decay": 0.5}, 1000)
    value, gradient = start(1000), start(1000) * np.float32(1000)
    for t in range(1, 200):
        rule.update(value, gradient.copy(), t, 1e-12)
    assert np.isfinite(value).all()


@pytest.mark.parametrize("arguments", [{}, {"beta1": 0.3}, {"momentum_decay": 0.7}, {"beta1": 0.0}], ids=str)
def test_nadams_product_is_a_function_of_the_step(arguments: dict[str, Any]) -> None:
    forward, anywhere = NAdam(**arguments), NAdam(**arguments)
    products = [forward.momentum_product(t) for t in range(1000)]
    for t in (999, 3, 500, 499, 500, 0, 998):
        assert anywhere.momentum_product(t) == products[t]
    exact = [math.prod(forward._momentum(number) for number in range(1, t + 1)) for t in (1, 5, 40)]
    assert [products[t] for t in (1, 5, 40)] == pytest.approx(exact, abs=1e-16)
    forward.momentum_product(10**9)  # at once: what is too small to count is not multiplied any further


def test_scratch_is_there_for_a_rule_that_asks() -> None:
    class Half(Optimizer):
        """Steps along half the gradient."""

        scratches = 2

        def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> None:
            assert state["scratch_0"].shape == state["scratch_1"].shape == grad.shape
            np.multiply(grad, 0.5, out=state["scratch_1"])
            np.copyto(out, state["scratch_1"])

    size = blocks.BLOCK + 3
    rule = Half(1.0)
    rule.bind(size)
    value = np.zeros(size, np.float32)
    rule.update(value, np.full(size, 4.0, np.float32), 1, 1.0)
    assert np.all(value == -2.0)
    assert rule.state == {}


def test_a_rule_without_direction_says_so() -> None:
    rule = Optimizer(0.1)
    rule.bind(1)
    with pytest.raises(TypeError, match="Optimizer does not implement direction"):
        rule.update(np.zeros(1, np.float32), np.zeros(1, np.float32), 1, 0.1)


def test_no_parameters_at_all() -> None:
    made("adam", 0).update(np.zeros(0, np.float32), np.zeros(0, np.float32), 1, 0.1)


def test_a_copied_optimizer_has_a_state_of_its_own() -> None:
    rule = made("adam", 4)
    twin = copy.deepcopy(rule)
    one, other = start(4), start(4)
    steps(rule, one, 1, 3)
    assert not twin.state["square_sum"].any()
    steps(twin, other, 1, 3)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_a_step_allocates_nothing_of_the_size_of_the_parameters(spec: Any) -> None:
    size = 200_000
    rule = made(spec, size)
    value, grad = start(size), start(size)
    rule.update(value, grad, 1, 0.01)
    tracemalloc.start()
    rule.update(value, grad, 2, 0.01)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000


def test_a_schedule_stands_where_a_rate_stands() -> None:
    rule = OPTIMIZERS.build({"name": "adam", "learning_rate": {"name": "step", "initial": 8.0, "every_epochs": 1}})
    assert rule.schedule(0) == 8.0
    assert rule.schedule(1) == pytest.approx(0.8)
    assert OPTIMIZERS.build({"name": "adam", "learning_rate": 3}).schedule(100) == 3
