"""An architecture written out layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import MinLen

from nntrain.core.layer import Layer, LayerLike
from nntrain.layers import sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples


@ARCHITECTURES.register("sequential")
class LayerList(Architecture):
    """The layers of ``architecture: {layers: [...]}``, one after the other; the output layer is added at the end.

    Args:
        layers: the hidden layers in order; blocks such as ``residual``, ``branch`` and ``repeat`` among them.

    >>> [type(layer).__name__ for layer in LayerList([{"name": "dense", "units": 3}, "relu"]).hidden_layers()]
    ['Dense', 'Relu']
    """

    def __init__(self, layers: Annotated[list[LayerLike], MinLen(1)]) -> None:
        self.layers = layers

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        return sequential.Sequential(self.layers).layers
