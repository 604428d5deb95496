"""The same block several times."""

from __future__ import annotations

import copy
from typing import Annotated

from annotated_types import Ge

from nntrain.core.layer import LAYERS, LayerLike
from nntrain.layers.sequential import Sequential


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
        super().__init__([copy.deepcopy(LAYERS.build(layer)) for _ in range(times) for layer in layers])
        self.times = times
