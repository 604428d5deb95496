"""A trial of a plug-in's optimizer and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.errors import ConfigError, quote
from nntrain.optim.base import FRAME_NUMBERS, OPTIMIZERS, Optimizer
from nntrain.optim.schedules import Schedule
from nntrain.plugins import place_of_method, plugin_of

PARAMETERS = 5


def try_optimizer(optimizer: Optimizer, epochs: int) -> None:
    """Let a plug-in's optimizer, or its schedule, make two updates of a few parameters.

    Raises:
        ConfigError: it fails, or gives what is no rate or no direction.
    """
    rate = _first_rate(optimizer, epochs)
    if plugin_of(type(optimizer)) is None:
        return
    _require_names(optimizer)
    direction = optimizer.direction

    def watched(grad: Array, state: Mapping[str, Array], t: int, out: Array) -> Any:
        out.fill(np.nan)
        answer = direction(grad, MappingProxyType(state), t, out)  # who binds a slot anew would lose it
        reason = _fault_of_direction(answer, out)
        if reason is not None:
            place = place_of_method(type(optimizer), "direction")
            raise ConfigError(f"optimizer {quote(OPTIMIZERS.name_of(optimizer))}: direction {reason}", **place)
        return answer

    optimizer.direction = watched  # type: ignore[method-assign]
    optimizer.bind(PARAMETERS)
    value = np.zeros(PARAMETERS, np.float32)
    with np.errstate(all="ignore"):
        for t in (1, 2):
            optimizer.update(value, np.ones(PARAMETERS, np.float32), t, rate)


def _first_rate(optimizer: Optimizer, epochs: int) -> float:
    schedule: Schedule = optimizer.schedule
    if plugin_of(type(schedule)) is not None:
        schedule.bind(PARAMETERS, epochs)
    try:
        return schedule.rate_at(0)
    except ConfigError as error:
        if error.problems[0].path is not None:
            raise
        raise ConfigError(error.problems[0].message, **place_of_method(type(optimizer), "__init__")) from None


def _require_names(optimizer: Optimizer) -> None:
    slots, plugin, name = optimizer.slots, plugin_of(type(optimizer)), quote(OPTIMIZERS.name_of(optimizer))
    if not isinstance(slots, (tuple, list)) or not all(isinstance(slot, str) for slot in slots):
        place = {} if plugin is None else plugin.place_of(type(optimizer))
        help = "a tuple of one name has a comma: slots = ('velocity',)"
        raise ConfigError(f"optimizer {name}: slots: expected names in a tuple, got {quote(slots)}", help=help, **place)
    taken = [number for number in optimizer.numbers(1) if number in (*FRAME_NUMBERS, *slots)]
    if taken:
        place = place_of_method(type(optimizer), "numbers")
        raise ConfigError(f"optimizer {name}: numbers: the name {quote(taken[0])} is taken", **place)


def _fault_of_direction(answer: Any, out: Array) -> str | None:
    """Return what is wrong with an answer of a rule, beside which ``out`` was full of NaN, or None."""
    if isinstance(answer, np.ndarray):
        fits = (answer.shape, answer.dtype) == (out.shape, out.dtype)
        return None if fits else f"returned shape {answer.shape} of {answer.dtype}, expected {out.shape} of {out.dtype}"
    if answer is not None and not isinstance(answer, (int, float, np.number)):
        return f"returned {type(answer).__name__}, expected None, a number or an array"
    return "has written no finite number into all of out" if not np.isfinite(out).all() else None
