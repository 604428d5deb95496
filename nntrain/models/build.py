"""From an architecture to a network: features in, hidden layers, an output layer that fits loss and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nntrain.core.array import Shape
from nntrain.core.layer import LAYERS, Layer, LayerLike
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.layers.sequential import Sequential
from nntrain.losses.base import Loss
from nntrain.models.base import Architecture


@dataclass(frozen=True, slots=True)
class FeatureLayout:
    """The form of one example as the network gets it.

    Attributes:
        shape: of one example, (F,) for a table.
        embedded: columns that hold category codes to be embedded, with the number of categories of each.
    """

    shape: Shape
    embedded: Mapping[int, int]


def build_network(
    architecture: Architecture,
    layout: FeatureLayout,
    loss: Loss,
    task: Task,
    output_activation: str | Mapping[str, Any] | None,
    seed: int,
) -> Network:
    """Return the network of an architecture for a data layout, a loss and a task."""
    layers: list[LayerLike] = [*_input_layers(layout), *architecture.hidden_layers()]
    layers.append(architecture.output_layer(loss.outputs(task)))
    if output_activation is not None and not is_implied(loss, output_activation):
        layers.append(LAYERS.build(output_activation))
    return Network(Sequential(layers), layout.shape, seed=seed)


def is_implied(loss: Loss, output_activation: str | Mapping[str, Any]) -> bool:
    """Return whether the loss applies this activation itself, fused with its gradient."""
    name = output_activation if isinstance(output_activation, str) else output_activation["name"]
    return name in (loss.implied_activation, "identity")


def _input_layers(layout: FeatureLayout) -> Sequence[Layer]:
    if not layout.embedded:
        return ()
    spec = {
        "name": "category_embedding",
        "columns": list(layout.embedded),
        "categories": list(layout.embedded.values()),
    }
    return (LAYERS.build(spec),)
