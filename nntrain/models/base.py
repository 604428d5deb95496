"""The architecture: a recipe that turns a few arguments of the config into layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

from nntrain.core.layer import Layer
from nntrain.layers.dense import Dense
from nntrain.registry import Registered, Registry


class Architecture:
    """Base of all architectures: the layers between the features and the output layer.

    Attributes:
        default_loss: name of the loss that comes with the architecture, where the config names none.
    """

    default_loss: ClassVar[str | None] = None

    def hidden_layers(self) -> Sequence[Layer]:
        """Return the layers before the output layer, in order."""
        return ()

    def output_layer(self, units: int) -> Layer:
        """Return the layer that ends the network, with one output for each class or target."""
        return Dense(units)


ARCHITECTURES: Registry[Architecture] = Registry("architecture", Architecture, "nntrain.models")

ArchitectureLike: TypeAlias = Annotated[str | dict[str, Any] | Architecture, Registered("architecture")]
