"""The contracts of schedules, initializers, callbacks and architectures, which are short."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from nntrain.core.array import Shape
from nntrain.core.initializers import Initializer
from nntrain.core.layer import Layer
from nntrain.core.network import Network
from nntrain.core.parameter import Parameter
from nntrain.core.rng import stream
from nntrain.errors import ConfigError
from nntrain.layers.sequential import Sequential
from nntrain.models.base import Architecture, Examples
from nntrain.optim.schedules import Schedule
from nntrain.testing.suite import Check, Suite, require, require_equal, require_no_global_randomness
from nntrain.train.callbacks.base import Callback, remembered
from nntrain.train.state import TrainState

T = TypeVar("T")

SHAPES: tuple[Shape, ...] = ((), (3,), (4, 5), (3, 3, 2, 4))

FORMS: dict[int, Shape] = {1: (6,), 2: (5, 3), 3: (8, 8, 3)}
"""An example for each number of axes."""

EPOCHS, UPDATES = 4, 5


@dataclass(frozen=True)
class Case(Generic[T]):
    """What is checked: a function that makes a fresh one at each call."""

    factory: Callable[[], T]


SCHEDULE_SUITE: Suite[Case[Schedule]] = Suite()
INITIALIZER_SUITE: Suite[Case[Initializer]] = Suite()
CALLBACK_SUITE: Suite[Case[Callback]] = Suite()
ARCHITECTURE_SUITE: Suite[Case[Architecture]] = Suite()


def check_schedule(factory: Callable[[], Schedule]) -> list[Check]:
    """Check a schedule: a pure function of the step, of rates that can be used."""
    return SCHEDULE_SUITE.run(Case(factory))


def _rates(schedule: Schedule, steps: range) -> list[float]:
    schedule.bind(UPDATES, EPOCHS)
    return [schedule(step) for step in steps]


@SCHEDULE_SUITE.check("every rate is a finite number of at least 0, beyond the planned epochs too")
def _finite_rates(case: Case[Schedule]) -> None:
    for step, rate in enumerate(_rates(case.factory(), range(2 * EPOCHS * UPDATES))):
        usable = isinstance(rate, (int, float)) and np.isfinite(rate) and rate >= 0
        require(usable, f"the rate after {step} updates is {rate!r}")


@SCHEDULE_SUITE.check("a rate depends on the step alone, so that a run can go on anywhere")
def _pure(case: Case[Schedule]) -> None:
    steps = range(EPOCHS * UPDATES)
    expected = _rates(case.factory(), steps)
    require(_rates(case.factory(), steps[::-1])[::-1] == expected, "asked backwards it gives other rates")
    used = case.factory()
    _rates(used, steps)
    require(_rates(used, steps) == expected, "asked again it gives other rates")


SCHEDULE_SUITE.check_construction()


def check_initializer(factory: Callable[[], Initializer]) -> list[Check]:
    """Check an initializer: finite values of the parameter's shape, from the generator it is given."""
    return INITIALIZER_SUITE.run(Case(factory))


def _sample(initializer: Initializer, shape: Shape) -> Any:
    return initializer.sample(Parameter("kernel", shape, initializer), stream(0, "check-values"))


@INITIALIZER_SUITE.check("values have the parameter's shape and are finite")
def _finite_values(case: Case[Initializer]) -> None:
    for shape in SHAPES:
        found = np.asarray(_sample(case.factory(), shape))
        require(found.shape == shape, f"for shape {shape} it gives values of shape {found.shape}")
        with np.errstate(over="ignore"):
            require(np.isfinite(found.astype(np.float32)).all(), f"for shape {shape} a value is not finite in float32")


@INITIALIZER_SUITE.check("the same generator gives the same bits")
def _repeated_values(case: Case[Initializer]) -> None:
    for shape in SHAPES:
        first, second = (np.asarray(_sample(case.factory(), shape)) for _ in range(2))
        require_equal(f"the second sample of shape {shape}", second, first)


@INITIALIZER_SUITE.check("no global random generator is used")
def _no_global_values(case: Case[Initializer]) -> None:
    require_no_global_randomness(lambda: [_sample(case.factory(), shape) for shape in SHAPES])


INITIALIZER_SUITE.check_construction()


def check_callback(factory: Callable[[], Callback]) -> list[Check]:
    """Check a callback: it reads rows, and what it remembers travels in a checkpoint."""
    return CALLBACK_SUITE.run(Case(factory))


def _rows(first: int, last: int) -> list[dict[str, float | int | None]]:
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "gradient_norm", "learning_rate")
    values = stream(0, "check-rows").random((last, len(names)))
    return [
        {"epoch": i + 1, "step": UPDATES * (i + 1), **dict(zip(names, values[i].tolist(), strict=True))}
        for i in range(first, last)
    ]


def _told(callback: Callback, rows: list[dict[str, float | int | None]]) -> list[dict[str, Any]]:
    """Return what the run is at after each row."""
    state = TrainState(learning_rate=0.1)
    found = []
    for row in rows:
        state.epoch = int(row["epoch"] or 0)
        callback.epoch_end(row, state)
        found.append(state.as_json())
    return found


@CALLBACK_SUITE.check("rows are not written")
def _rows_unchanged(case: Case[Callback]) -> None:
    rows = _rows(0, 6)
    _told(case.factory(), rows)
    require(rows == _rows(0, 6), "a row was changed")


@CALLBACK_SUITE.check("the monitored column is a text or None")
def _monitored(case: Case[Callback]) -> None:
    monitored = case.factory().monitored()
    require(monitored is None or isinstance(monitored, str), f"monitored() returned {monitored!r}")


@CALLBACK_SUITE.check("what it remembers is plain, and another goes on from it alike")
def _remembers(case: Case[Callback]) -> None:
    first, second = case.factory(), case.factory()
    _told(first, _rows(0, 3))
    remembered(first)
    second.load(json.loads(json.dumps(first.state())))
    one, other = _told(first, _rows(3, 8)), _told(second, _rows(3, 8))
    require(one == other, "what went on from its state() does otherwise")
    require(first.state() == second.state(), f"it remembers {second.state()}, expected {first.state()}")


CALLBACK_SUITE.check_construction()


def check_architecture(factory: Callable[[], Architecture]) -> list[Check]:
    """Check an architecture: for each form of example that it takes, a network can be made and computes."""
    return ARCHITECTURE_SUITE.run(Case(factory))


@ARCHITECTURE_SUITE.check("a network can be made of it for a form of example that it takes")
def _networks(case: Case[Architecture]) -> None:
    reasons = [reason for axes in FORMS if (reason := _fault_of_network(case.factory(), axes)) is not None]
    require(len(reasons) < len(FORMS), "; ".join(reasons))


def _fault_of_network(architecture: Architecture, axes: int) -> str | None:
    """Return why no network for this form can be made, or None where one is made and computes."""
    shape = FORMS[axes]
    try:
        architecture.check_examples(Examples(axes))
        layers: list[Any] = ["flatten"] if architecture.flattens and axes > 1 else []
        layers += [*architecture.hidden_layers(Examples(axes)), architecture.output_layer(2)]
        network = Network(Sequential(layers), shape)
    except ConfigError as error:
        return f"{shape}: {error.problems[0].message}"
    y = network.forward(np.zeros((3, *shape), np.float32))
    require(y.shape == (3, *network.out_shape), f"for {shape} y has shape {y.shape}, expected {network.out_shape}")
    return None


@ARCHITECTURE_SUITE.check("every call gives layers of its own")
def _own_layers(case: Case[Architecture]) -> None:
    architecture = case.factory()
    axes = min(architecture.takes)
    first, second = (list(architecture.hidden_layers(Examples(axes))) for _ in range(2))
    require(all(isinstance(layer, Layer) for layer in first), "hidden_layers returned something else than layers")
    require(not {id(layer) for layer in first} & {id(layer) for layer in second}, "a layer was returned twice")


ARCHITECTURE_SUITE.check_construction()
