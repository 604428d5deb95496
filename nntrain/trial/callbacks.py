"""A trial of plug-ins' callbacks."""

from __future__ import annotations

from collections.abc import Sequence

from nntrain.errors import ConfigError, quote
from nntrain.plugins import place_of_method, plugin_of
from nntrain.runs import plain_json
from nntrain.train.callbacks.base import Callback, remembered


def try_callbacks(callbacks: Sequence[Callback]) -> None:
    """Let plug-ins' callbacks say what they remember, and take it back as they would where a run goes on.

    Raises:
        ConfigError: no checkpoint can hold it, or it is not taken back.
    """
    for callback in callbacks:
        kind = type(callback)
        if plugin_of(kind) is None:
            continue
        plain = plain_json.parse(plain_json.canonical(remembered(callback)))
        if kind.state is not Callback.state and kind.load is Callback.load:
            message = f"callback {quote(plain['name'])}: it has no load(plain) that takes back what state() gives"
            raise ConfigError(message, **place_of_method(kind, "state"))
        callback.load({key: value for key, value in plain.items() if key != "name"})
