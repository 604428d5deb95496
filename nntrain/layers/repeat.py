"""The same block several times."""

from __future__ import annotations

import copy
from typing import Annotated

from annotated_types import Ge

from nntrain.core.layer import LAYERS, LayerLike
from nntrain.errors import ConfigError
from nntrain.layers.sequential import Sequential

MOST_LAYERS = 10_000
"""Layers that a repeated block becomes at most: more are a slip of the keyboard, and would take for ever to make."""


@LAYERS.register("repeat")
class Repeat(Sequential):
    """A block of layers ``times`` times one after the other, each time with weights of its own.

    Args:
        times: how often.
        layers: the block, in the order of the forward pass.

    >>> len(Repeat(3, [{"name": "dense", "units": 3}, "relu"]).layers)
    6
    """

    def __init__(self, times: Annotated[int, Ge(1)], layers: list[LayerLike]) -> None:
        block = [LAYERS.build(layer) for layer in layers]
        count = times * max(1, sum(1 for layer in block for _ in layer.walk()))
        if count > MOST_LAYERS:
            raise ConfigError(
                f"repeat: {times:,} times the block are {count:,} layers, expected at most {MOST_LAYERS:,}"
            )
        super().__init__([copy.deepcopy(layer) for _ in range(times) for layer in block])
        self.times = times
