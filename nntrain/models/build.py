"""From an architecture to a network: features in, hidden layers, an output layer that fits loss and target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nntrain.core.array import Shape
from nntrain.core.layer import LAYERS, Layer, LayerLike
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.data.forms.base import Form
from nntrain.errors import ConfigError
from nntrain.layers.sequential import Sequential
from nntrain.losses.base import Loss
from nntrain.models.base import Architecture, Examples, of_key


@dataclass(frozen=True, slots=True)
class FeatureLayout:
    """The form of one example as the network gets it.

    Attributes:
        shape: of one example: (F,) for a table, (T, F) for a sequence, (H, W, C) for an image.
        embedded: places on the last axis that hold codes to be embedded, with the number of codes of each.
        per_step: whether each step of a sequence has a label, and so an output.
        ragged: whether sequences differ in their numbers of steps.
    """

    shape: Shape
    embedded: Mapping[int, int]
    per_step: bool = False
    ragged: bool = False

    @classmethod
    def of(cls, form: Form) -> FeatureLayout:
        """Return the layout of the examples that a fitted form makes."""
        return cls(form.shape, form.embedded, form.per_step, form.ragged)

    @property
    def examples(self) -> Examples:
        """What an architecture may know of them."""
        return Examples(len(self.shape), self.per_step, self.ragged)


def build_network(
    architecture: Architecture,
    layout: FeatureLayout,
    loss: Loss,
    task: Task,
    output_activation: str | Mapping[str, Any] | None,
    seed: int,
    examine: Callable[[Network], None] | None = None,
) -> Network:
    """Return the network of an architecture for a data layout, a loss and a task.

    Args:
        architecture: gives the hidden layers.
        layout: of the examples.
        loss: decides on the output layer.
        task: as well.
        output_activation: a spec of what comes behind it, or None.
        seed: of the first values.
        examine: may refuse the network before it takes memory; see :class:`Network`.

    Raises:
        ConfigError: the architecture does not take such examples, or does not end with one output a class or target.
    """
    units = loss.outputs(task)
    architecture.check_examples(layout.examples)
    layers: list[LayerLike] = [*_input_layers(layout, architecture), *architecture.hidden_layers(layout.examples)]
    layers.append(architecture.output_layer(units))
    if output_activation is not None and not is_implied(loss, output_activation):
        layers.append(LAYERS.build(output_activation))
    network = Network(Sequential(layers), layout.shape, seed=seed, examine=examine)
    expected = (layout.shape[0], units) if layout.per_step else (units,)
    if network.out_shape != expected:
        remedy = "keep the number of steps" if layout.per_step else "end with flatten, global_average_pool or last_step"
        raise ConfigError(
            f"the network gives an output of shape {network.out_shape}, and the target needs {expected}",
            help=f"the layers before the output layer must {remedy}",
        )
    return network


def is_implied(loss: Loss, output_activation: str | Mapping[str, Any]) -> bool:
    """Return whether the loss applies this activation itself, fused with its gradient."""
    name = output_activation if isinstance(output_activation, str) else output_activation["name"]
    return name in (loss.implied_activation, "identity")


def _input_layers(layout: FeatureLayout, architecture: Architecture) -> Sequence[Layer]:
    layers = []
    if layout.embedded:
        spec = {
            "name": "category_embedding",
            "columns": list(layout.embedded),
            "categories": list(layout.embedded.values()),
            "dimensions": architecture.embedding,
        }
        layers.append(LAYERS.build(of_key(spec, "embedding")))
    if architecture.flattens and len(layout.shape) > 1 and not layout.per_step:
        layers.append(LAYERS.build("flatten"))
    return layers
