"""The callback: looks at each epoch's row, remembers what it needs, and may end the run or change the rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from nntrain.core.plain import odd_part
from nntrain.errors import ConfigError, quote
from nntrain.registry import Registered, Registry
from nntrain.train.state import TrainState

EpochRow: TypeAlias = Mapping[str, float | int | None]
"""One row of ``metrics.jsonl``."""


class Callback:
    """Base of all callbacks.

    A callback reads the epoch's row and writes to the run's state; it never calls another callback, and it stops a run
    by :meth:`TrainState.stop`, never by an exception. What it remembers travels in the checkpoint.
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


CALLBACKS: Registry[Callback] = Registry("callback", Callback, "nntrain.train.callbacks")


def remembered(callback: Callback) -> dict[str, Any]:
    """Return the state of a callback with its name, as a checkpoint holds it.

    Raises:
        ConfigError: a user's callback gives something else than a checkpoint can hold.
    """
    name, state = CALLBACKS.name_of(callback), callback.state()
    reason = _fault_of_state(state)
    if reason is not None:
        from nntrain.plugins import place_of_method

        help = (
            "it may hold text, finite numbers, true, false, None, and lists and mappings of these with texts as keys;"
            " float(...) or .tolist() makes them of NumPy's"
        )
        message = (
            f"callback {quote(name)}: no checkpoint can hold what {type(callback).__name__}.state() gives: {reason}"
        )
        raise ConfigError(message, help=help, **place_of_method(type(callback), "state"))
    return {"name": name, **state}


def _fault_of_state(state: Any) -> str | None:
    if type(state) is not dict:
        return f"expected a mapping, got {quote(state)} of type {type(state).__name__}"
    return "the key 'name' is taken by the callback's own" if "name" in state else odd_part(state)


CallbackLike: TypeAlias = Annotated[str | dict[str, Any] | Callback, Registered("callback")]
