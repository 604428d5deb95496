"""The suite that fits a registered name, run on examples: nntrain's own way to look at what a plug-in registers.

A class whose constructor needs arguments, or a layer that takes only inputs of a certain shape, says so itself::

    checked_on = [({"units": 3}, (4,)), ({"units": 3}, (5, 4), {"padded": True})]   # of a layer
    checked_on = [{"delta": 0.5}]                                                  # of anything else

An example of a layer has the arguments, the shape of an example without the batch axis, and further arguments of
:func:`~nntrain.testing.layers.check_layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from nntrain.core.array import Shape
from nntrain.core.network import Network
from nntrain.errors import ConfigError, enumerate_names
from nntrain.registry import Entry, registry_of
from nntrain.testing.layers import check_layer
from nntrain.testing.losses import check_loss
from nntrain.testing.metrics import check_metric
from nntrain.testing.optimizers import check_optimizer
from nntrain.testing.small_things import check_architecture, check_callback, check_initializer, check_schedule
from nntrain.testing.suite import Check, failed_check

SUITES: Mapping[str, Callable[[Callable[[], Any]], list[Check]]] = {
    "architecture": check_architecture,
    "loss": check_loss,
    "optimizer": check_optimizer,
    "schedule": check_schedule,
    "metric": check_metric,
    "initializer": check_initializer,
    "callback": check_callback,
}

SHAPES: tuple[Shape, ...] = ((6,), (20,), (3, 4), (8, 8, 3))
"""What a layer without examples is tried on; one of them must do."""

USUAL: Mapping[str, Mapping[str, Any]] = {"schedule": {"initial": 0.1}, "optimizer": {"learning_rate": 0.01}}
"""Arguments that base classes need, with values that do for a check."""

MADE = "it can be made from its examples"


def check_registered(kind: str, name: str) -> list[Check]:
    """Run the suite of its kind on a registered name, once for each example.

    >>> all(check.passed for check in check_registered("schedule", "constant"))
    True
    >>> check_registered("layer", "dense")[0].detail
    'it needs units: give the class examples, checked_on = [({...}, (6,))]'
    """
    entry = registry_of(kind).get(name)
    given = getattr(entry.factory, "checked_on", None)
    try:
        return _check_layer(entry, given) if kind == "layer" else _check(kind, entry, given)
    except _UnusableError as unusable:
        return [Check(MADE, False, str(unusable))]


class _UnusableError(Exception):
    """There is no example to check; the text says why."""


def _check(kind: str, entry: Entry[Any], given: Any) -> list[Check]:
    if given is None:
        usual = {name: value for name, value in USUAL.get(kind, {}).items() if name in _required(entry)}
        _refuse_required(entry, "[{...}]", usual)
        given = [usual]
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(item, dict) for item in given):
        raise _UnusableError(f"checked_on: expected a list of mappings of arguments, got {given!r}")
    found = []
    for arguments in given:
        factory = _factory(kind, entry, arguments)
        found += _run(factory, partial(SUITES[kind], factory), str(arguments) if len(given) > 1 else "")
    return found


def _check_layer(entry: Entry[Any], given: Any) -> list[Check]:
    if given is None:
        _refuse_required(entry, "[({...}, (6,))]")
        given = [({}, shape) for shape in _shapes_taken(entry)]
    found = []
    for item in given if isinstance(given, (list, tuple)) and given else [given]:
        if not isinstance(item, tuple) or not (2 <= len(item) <= 3 and isinstance(item[0], dict)):
            raise _UnusableError(f"checked_on: expected (arguments, shape) for each example, got {item!r}")
        arguments, shape, options = (*item, {})[:3]
        factory = _factory("layer", entry, arguments)

        def suite(factory: Any = factory, shape: Any = shape, options: Any = options) -> list[Check]:
            Network(factory(), tuple(shape))
            return check_layer(factory, tuple(shape), **options)

        found += _run(factory, suite, f"{arguments or ''} on {shape}".strip() if len(given) > 1 else "")
    return found


def _run(factory: Callable[[], Any], suite: Callable[[], list[Check]], example: str) -> list[Check]:
    """Return the findings on one example; where nothing can be made of it, that alone is the finding."""
    try:
        factory()
        checks = suite()
    except Exception as error:
        checks = [failed_check(MADE, error)]
    return [replace(c, detail=f"{c.detail} [{example}]") if example and not c.passed else c for c in checks]


def _factory(kind: str, entry: Entry[Any], arguments: Mapping[str, Any]) -> Callable[[], Any]:
    return lambda: registry_of(kind).build({"name": entry.name, **arguments})


def _required(entry: Entry[Any]) -> list[str]:
    return [argument.name for argument in entry.arguments if argument.required]


def _refuse_required(entry: Entry[Any], form: str, known: Mapping[str, Any] | None = None) -> None:
    missing = [name for name in _required(entry) if name not in (known or {})]
    if missing:
        needs = enumerate_names(missing)
        raise _UnusableError(f"it needs {needs}: give the class examples, checked_on = {form}")


def _shapes_taken(entry: Entry[Any]) -> list[Shape]:
    """Return the shapes of which a network can be made."""
    taken, reasons = [], []
    for shape in SHAPES:
        try:
            Network(_factory("layer", entry, {})(), shape)
            taken.append(shape)
        except ConfigError as error:
            reasons.append(f"{shape}: {error.problems[0].message}")
        except Exception as error:
            reasons.append(f"{shape}: {failed_check(MADE, error).detail}")
    if not taken:
        raise _UnusableError(
            f"no network can be made of it on {', '.join(map(str, SHAPES))}; name a shape it takes,"
            f" checked_on = [({{}}, (...))] ({reasons[0]})"
        )
    return taken
