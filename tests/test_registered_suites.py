"""The suites of metrics, schedules, initializers, callbacks and architectures, and where examples come from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Initializer
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.parameter import Parameter
from nntrain.core.task import Task
from nntrain.layers.dense import Dense
from nntrain.metrics.base import METRICS, Metric, Predictions
from nntrain.metrics.classification import Accuracy
from nntrain.models.base import ROWS, Architecture, Examples
from nntrain.optim.schedules import SCHEDULES, Schedule
from nntrain.registry import registry_of
from nntrain.testing import Check, assert_passes
from nntrain.testing.metrics import check_metric
from nntrain.testing.registered import MADE, check_registered
from nntrain.testing.small_things import check_architecture, check_callback, check_initializer, check_schedule
from nntrain.train.callbacks.base import Callback, EpochRow
from nntrain.train.state import TrainState

NEEDY: dict[str, dict[str, Any]] = {
    "multi_step": {"milestones": [1, 3], "initial": 0.1},
    "one_cycle": {"maximum": 0.1},
}


@pytest.mark.parametrize("kind", ["architecture", "metric", "initializer", "callback"])
def test_what_is_registered_keeps_the_contract_of_its_kind(kind: str) -> None:
    for name in registry_of(kind).names():
        if name != "sequential":  # a list of layers of the user's
            assert_passes(check_registered(kind, name))


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_registered_schedules_keep_the_contract(name: str) -> None:
    arguments = NEEDY.get(name, {"initial": 0.1})
    assert_passes(check_schedule(lambda: SCHEDULES.build({"name": name, **arguments})))


def failed(checks: Sequence[Check]) -> dict[str, str]:
    return {check.name: check.detail for check in checks if not check.passed}


class Upside(Accuracy):
    """..."""

    higher_is_better = False


class Ordered(Accuracy):
    """..."""

    def __call__(self, predictions: Predictions) -> float:
        return float(predictions.output[0, 0])


class Unweighted(Accuracy):
    """..."""

    def __call__(self, predictions: Predictions) -> float:
        return float(np.mean(predictions.predicted == predictions.target) * (1 if predictions.weight is None else 0.5))


class Writes(Accuracy):
    """..."""

    def __call__(self, predictions: Predictions) -> float:
        predictions.output[:] = 0.5
        return super().__call__(predictions)


class Infinite(Accuracy):
    """..."""

    def __call__(self, predictions: Predictions) -> float:
        return float("inf")


class Judges(Accuracy):
    """..."""

    tasks = frozenset()


class Accepts(Accuracy):
    """..."""

    def check(self, task: Task) -> str | None:
        return None

    def __call__(self, predictions: Predictions) -> float:
        return 0.5


class Chance(Accuracy):
    """..."""

    def __call__(self, predictions: Predictions) -> float:
        return float(np.random.random())


METRIC_FAULTS: list[tuple[type[Metric], str]] = [
    (Upside, "the truth itself scores no worse than random predictions"),
    (Ordered, "the order of the rows does not matter"),
    (Unweighted, "weights of 1 are no weights, and a weight of 2 is a row twice"),
    (Writes, "arguments are not written, and may be read-only"),
    (Infinite, "the value is a finite number, on 60 rows of any task it judges"),
    (Judges, "it judges some task, and says why it does not judge another"),
    (Accepts, "it judges some task, and says why it does not judge another"),
    (Chance, "the same predictions give the same bits"),
    (Chance, "no global random generator is used"),
]


@pytest.mark.parametrize(("metric", "check"), METRIC_FAULTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_broken_metric_is_found(metric: Callable[[], Metric], check: str) -> None:
    assert failed(check_metric(metric))[check]


class Negative(Schedule):
    """..."""

    def rate(self, epoch: float, total: float) -> float:
        return self.initial * (1 - epoch)


class Remembering(Schedule):
    """..."""

    made = 0

    def rate(self, epoch: float, total: float) -> float:
        self.made += 1
        return self.initial / self.made


@pytest.mark.parametrize(
    ("schedule", "check"),
    [
        (Negative, "every rate is a finite number of at least 0, beyond the planned epochs too"),
        (Remembering, "a rate depends on the step alone, so that a run can go on anywhere"),
        (Remembering, "the docstring says what each argument is"),
    ],
)
def test_a_broken_schedule_is_found(schedule: type[Schedule], check: str) -> None:
    assert failed(check_schedule(lambda: schedule(0.1)))[check]


class Flat(Initializer):
    """..."""

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return np.zeros(parameter.size)


class Global(Initializer):
    """..."""

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return np.asarray(np.random.standard_normal(parameter.shape))


@pytest.mark.parametrize(
    ("initializer", "check"),
    [
        (Flat, "values have the parameter's shape and are finite"),
        (Global, "the same generator gives the same bits"),
        (Global, "no global random generator is used"),
    ],
)
def test_a_broken_initializer_is_found(initializer: Callable[[], Initializer], check: str) -> None:
    assert failed(check_initializer(initializer))[check]


class Forgetful(Callback):
    """..."""

    def __init__(self) -> None:
        self.count = 0

    def epoch_end(self, row: EpochRow, state: TrainState) -> None:
        self.count += 1
        if self.count == 5:
            state.stop("early_stopped", "five")


class Opaque(Forgetful):
    """..."""

    def state(self) -> dict[str, Any]:
        return {"self": self}


class Meddling(Callback):
    """..."""

    def epoch_end(self, row: EpochRow, state: TrainState) -> None:
        row["epoch"] = 0  # type: ignore[index]

    def monitored(self) -> Any:
        return 3


@pytest.mark.parametrize(
    ("callback", "check"),
    [
        (Forgetful, "what it remembers is plain, and another goes on from it alike"),
        (Opaque, "what it remembers is plain, and another goes on from it alike"),
        (Meddling, "rows are not written"),
        (Meddling, "the monitored column is a text or None"),
    ],
)
def test_a_broken_callback_is_found(callback: Callable[[], Callback], check: str) -> None:
    assert failed(check_callback(callback))[check]


class Shared(Architecture):
    """..."""

    layers = (Dense(3),)

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        return self.layers


class Nowhere(Architecture):
    """..."""

    takes = frozenset({7})


@pytest.mark.parametrize(
    ("architecture", "check"),
    [
        (Shared, "every call gives layers of its own"),
        (Nowhere, "a network can be made of it for a form of example that it takes"),
    ],
)
def test_a_broken_architecture_is_found(architecture: Callable[[], Architecture], check: str) -> None:
    assert failed(check_architecture(architecture))[check]


# --- the examples of a class


class Echo(Layer):
    """Gives back what it gets, of some width.

    Args:
        width: of an input.
    """

    checked_on: ClassVar[Any] = None

    def __init__(self, width: int) -> None:
        self.width = width

    def build(self, in_shape: Shape) -> Shape:
        if in_shape[-1] != self.width:
            raise self.shape_error(f"{self.width} features", in_shape)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        y = self.scratch("y", x.shape)
        y[...] = x
        return y

    def backward(self, dy: Array) -> Array:
        dx = self.scratch("dx", dy.shape)
        dx[...] = dy
        return dx


@pytest.fixture
def entered() -> Any:
    """Return a function that registers a class as ``echo`` for the test."""
    kinds: list[str] = []

    def enter(kind: str, factory: type) -> None:
        registry_of(kind).register("echo")(factory)
        kinds.append(kind)

    yield enter
    for kind in kinds:
        registry_of(kind).forget("echo")


def of(**attributes: Any) -> type[Echo]:
    return type("Echo", (Echo,), {"__doc__": Echo.__doc__, **attributes})


EXAMPLES: list[tuple[Mapping[str, Any], int, str]] = [
    ({}, 1, "it needs width: give the class examples, checked_on = [({...}, (6,))]"),
    ({"checked_on": [({"width": 4}, (4,))]}, 0, ""),
    ({"checked_on": [({"width": 4}, (4,)), ({"width": 3}, (2, 3), {"padded": True})]}, 0, ""),
    (
        {"checked_on": [({"width": 4}, (4,)), ({"width": 4}, (5,))]},
        1,
        "needs 4 features, got shape (5,) [{'width': 4} on",
    ),
    ({"checked_on": ({"width": 4}, (4,))}, 1, "expected (arguments, shape) for each example, got {'width': 4}"),
    ({"checked_on": [{"width": 4}]}, 1, "expected (arguments, shape) for each example, got {'width': 4}"),
    ({"checked_on": []}, 1, "expected (arguments, shape) for each example, got []"),
    ({"checked_on": [({"wide": 4}, (4,))]}, 1, "unexpected keyword argument 'wide'"),
    ({"__init__": lambda self: None, "width": 20}, 0, ""),
    ({"__init__": lambda self: None, "width": 5}, 1, "no network can be made of it on (6,), (20,), (3, 4), (8, 8, 3)"),
]


@pytest.mark.parametrize(("attributes", "count", "expected"), EXAMPLES)
def test_examples_of_a_layer(
    entered: Callable[[str, type], None], attributes: dict[str, Any], count: int, expected: str
) -> None:
    entered("layer", of(**attributes))
    checks = check_registered("layer", "echo")
    found = failed(checks)
    assert len(found) == count
    assert all(name == MADE and expected in detail for name, detail in found.items())
    assert count or len(checks) >= 24


class Delta(Accuracy):
    """...

    Args:
        delta: is needed.
    """

    checked_on: ClassVar[Any] = None

    def __init__(self, delta: float) -> None:
        self.delta = delta


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "it needs delta: give the class examples, checked_on = [{...}]"),
        ([{"delta": 1.0}, {"delta": 2.0}], ""),
        ([({"delta": 1.0}, (4,))], "expected a list of mappings of arguments"),
        ([], "expected a list of mappings of arguments"),
    ],
)
def test_examples_of_anything_else(entered: Callable[[str, type], None], given: Any, expected: str) -> None:
    entered("metric", type("Delta", (Delta,), {"__doc__": Delta.__doc__, "checked_on": given}))
    checks = check_registered("metric", "echo")
    assert bool(failed(checks)) is bool(expected)
    assert expected in failed(checks).get(MADE, "")
    assert expected or len(checks) == 2 * len(check_registered("metric", "accuracy"))


def test_a_class_that_allocates_says_so_and_the_table_too(entered: Callable[[str, type], None]) -> None:
    def forward(self: Any, x: Array, ctx: Context) -> Array:
        return x + np.zeros_like(x)

    example = [({"width": 4}, (4,))]
    name = "nothing is allocated after the second step"
    entered("layer", of(checked_on=example, forward=forward))
    assert "or say allocates = True" in failed(check_registered("layer", "echo"))[name]
    registry_of("layer").forget("echo")
    registry_of("layer").register("echo")(of(checked_on=example, forward=forward, allocates=True))
    checks = check_registered("layer", "echo")
    assert not failed(checks)
    assert [c.detail for c in checks if c.name == name] == ["not asked for: the class says that it allocates"]


def test_a_finding_keeps_the_calls_it_came_through(entered: Callable[[str, type], None]) -> None:
    def forward(self: Any, x: Array, ctx: Context) -> Array:
        raise ZeroDivisionError

    entered("layer", of(checked_on=[({"width": 4}, (4,))], forward=forward))
    checks = [check for check in check_registered("layer", "echo") if not check.passed]
    line = forward.__code__.co_firstlineno + 1
    assert all(check.frames[-1] == (__file__, line) for check in itertools.islice(checks, 3))
    assert METRICS.names() and LAYERS.names()
