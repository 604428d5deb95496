"""A second look at an error of nntrain's own code: what of a plug-in's has brought it there?"""

from __future__ import annotations

import copy
from itertools import pairwise
from types import FrameType
from typing import Any

import numpy as np

from nntrain.errors import ConfigError, quote
from nntrain.plugins.active import place_of_method, plugin_of
from nntrain.plugins.faults import described, frames_of
from nntrain.registry import registry_of


def given_wrongly(error: BaseException) -> ConfigError | None:
    """Return the error for a plug-in's layer that has given another one no array of the right shape, else None.

    The trial with zeros has shown nothing wrong: the layer does so now and then.
    """
    frames, layers = list(frames_of(error)), registry_of("layer")
    chain = layers.get("sequential").factory
    for frame, outer in pairwise(frames):
        layer, container, method = frame.f_locals.get("self"), outer.f_locals.get("self"), frame.f_code.co_name
        if not isinstance(layer, layers.base) or not isinstance(container, chain) or layer.shapes is None:
            continue
        if method == "forward":
            given, shape, step = frame.f_locals.get("x"), layer.shapes[0], -1
        elif method == "backward":
            given, shape, step = frame.f_locals.get("dy"), layer.shapes[1], 1
        else:
            continue
        giver = _neighbour(container, layer, step)
        if giver is None:  # it stands before or after the container
            continue
        if plugin_of(type(giver)) is None or _is_of(given, shape):
            return None
        found = f"shape {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
        reason = f"layer {quote(layers.name_of(giver))} ({giver.name}): {method} returned {found}"
        place = place_of_method(type(giver), method)
        return ConfigError(f"{reason}, which it did not in its first calls", **place)
    return None


def cannot_be_copied(error: BaseException) -> ConfigError | None:
    """Return the error for a thing of a plug-in's that Python cannot copy, or None where it is another error."""
    for frame in frames_of(error):
        if not _is_of_copying(frame):
            return None
        for value in list(frame.f_locals.values()):
            plugin = plugin_of(type(value))
            if plugin is not None:
                reason = f"{type(value).__name__} cannot be copied, as what is trained is"
                help = "make what cannot be copied where it is first needed, in forward"
                return ConfigError(f"{reason}: {described(error)}", help=help, **plugin.place_of(type(value)))
    return None


def _is_of_copying(frame: FrameType) -> bool:
    return frame.f_code.co_filename == copy.__file__


def _is_of(given: Any, shape: tuple[int, ...]) -> bool:
    return isinstance(given, np.ndarray) and given.shape[1:] == shape


def _neighbour(container: Any, layer: Any, step: int) -> Any:
    """Return the layer before or after another one, or None where it is the first or the last."""
    layers = list(container.children)
    place = next((i for i, other in enumerate(layers) if other is layer), None)
    if place is None or not 0 <= place + step < len(layers):
        return None
    return layers[place + step]
