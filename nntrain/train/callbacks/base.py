"""The callback: looks at each epoch's row, remembers what it needs, and may end the run or change the rate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from types import CoroutineType, GeneratorType
from typing import Annotated, Any, TypeAlias

import numpy as np

from nntrain.core.plain import odd_part
from nntrain.errors import ConfigError, quote
from nntrain.registry import Registered, Registry
from nntrain.train.state import TrainState
from nntrain.user_files import current_folder

EpochRow: TypeAlias = Mapping[str, float | int | None]
"""One row of ``metrics.jsonl``."""


class Callback:
    """Base of all callbacks.

    A callback reads the epoch's row and writes to the run's state: its ``rate_factor``, and how it ends, by
    :meth:`TrainState.stop` and never by an exception. It never calls another callback. What it remembers travels in the
    checkpoint.
    """

    def epoch_end(self, row: EpochRow, state: TrainState) -> None:
        """Take note of a completed epoch."""

    def monitored(self) -> str | None:
        """Return the column of ``metrics.jsonl`` that the callback reads, or None."""
        return None

    def state(self) -> dict[str, Any]:
        """Return what the callback remembers: text, finite numbers, true, false, None, lists and mappings of these."""
        return {}

    def load(self, plain: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""


CALLBACKS_SET = ("status", "stop_reason", "rate_factor")
"""What callbacks may change of the state."""

STATUSES_OF_CALLBACKS = ("early_stopped", "finished")

CALLBACKS: Registry[Callback] = Registry("callback", Callback, "nntrain.train.callbacks")


def tell(callback: Callback, row: EpochRow, state: TrainState) -> None:
    """Tell a callback of a completed epoch.

    Raises:
        ConfigError: a user's callback changes what is not its own.
    """
    if type(callback).__module__.startswith("nntrain."):  # ours change nothing else, and epochs may be short
        callback.epoch_end(row, state)
        return
    before, folder = state.as_json(), current_folder()
    epoch_end: Callable[[EpochRow, TrainState], object] = callback.epoch_end
    answer = epoch_end(dict(row), state)  # a row of its own: the next one is told the same
    reason = "makes a generator, and does nothing" if isinstance(answer, (GeneratorType, CoroutineType)) else None
    if folder is not None and current_folder() != folder:
        os.chdir(folder)
        reason = "changes the current folder, from which all names of files begin"
    reason = reason or _fault_of_change(before, state)
    if reason is not None:
        raise _fault(callback, "epoch_end", f"epoch_end {reason}")


def _fault_of_change(before: dict[str, Any], state: TrainState) -> str | None:
    """Return what a callback has made of the state that it may not, or None."""
    factor, status, reason = state.rate_factor, state.status, state.stop_reason
    if not (isinstance(factor, (int, float, np.number)) and 0 <= factor < math.inf):
        return f"sets rate_factor to {quote(factor)}, expected a finite number of at least 0"
    state.rate_factor = float(factor)
    after = state.as_json()
    for name in (name for name in before if name not in CALLBACKS_SET):
        if after[name] != before[name] or odd_part(after[name]) != odd_part(before[name]):
            return f"changes {name} of the state, expected at most stop(...) and rate_factor"
    if (status, reason) == (before["status"], before["stop_reason"]):
        return None
    if status not in STATUSES_OF_CALLBACKS:
        return f"ends the run as {quote(status)}, expected {' or '.join(STATUSES_OF_CALLBACKS)}"
    return None if isinstance(reason, str) else f"ends the run for the reason {quote(reason)}, expected a text"


def remembered(callback: Callback) -> dict[str, Any]:
    """Return the state of a callback with its name, as a checkpoint holds it.

    Raises:
        ConfigError: a user's callback gives something else than a checkpoint can hold.
    """
    name, state = CALLBACKS.name_of(callback), callback.state()
    reason = _fault_of_state(state)
    if reason is not None:
        help = (
            "it may hold text, finite numbers, true, false, None, and lists and mappings of these with texts as keys;"
            " float(...) or .tolist() makes them of NumPy's"
        )
        told = f"no checkpoint can hold what {type(callback).__name__}.state() gives: {reason}"
        raise _fault(callback, "state", told, help)
    return {"name": name, **state}


def _fault(callback: Callback, method: str, message: str, help: str | None = None) -> ConfigError:
    from nntrain.plugins import place_of_method

    name, place = quote(CALLBACKS.name_of(callback)), place_of_method(type(callback), method)
    return ConfigError(f"callback {name}: {message}", help=help, **place)


def _fault_of_state(state: Any) -> str | None:
    if type(state) is not dict:
        return f"expected a mapping, got {quote(state)} of type {type(state).__name__}"
    return "the key 'name' is taken by the callback's own" if "name" in state else odd_part(state)


CallbackLike: TypeAlias = Annotated[str | dict[str, Any] | Callback, Registered("callback")]
