"""The architecture: a recipe that turns a few arguments of the config into layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

from nntrain.core.layer import Layer
from nntrain.errors import ConfigError
from nntrain.layers.dense import Dense
from nntrain.registry import PlacedSpec, Registered, Registry


@dataclass(frozen=True, slots=True)
class Examples:
    """What an architecture may know of the examples before it sees one.

    Attributes:
        axes: of an example: 1 for a row (F,), 2 for a sequence (T, F), 3 for an image (H, W, C).
        per_step: whether the network must give an output for each step of a sequence.
        ragged: whether sequences differ in their numbers of steps.
    """

    axes: int = 1
    per_step: bool = False
    ragged: bool = False


ROWS = Examples()
"""Rows of a table."""


def of_key(spec: Mapping[str, Any], *keys: str | int) -> PlacedSpec:
    """Return a layer's spec that knows which key of the architecture it is made of; errors of the layer are told there.

    >>> of_key({"name": "dense", "units": 8}, "hidden", 0).at
    ('architecture', 'hidden', 0)
    """
    return PlacedSpec(spec, ("architecture", *keys))


class Architecture:
    """Base of all architectures: the layers between the features and the output layer.

    Attributes:
        default_loss: name of the loss that comes with the architecture, where the config names none.
        takes: the forms of an example it takes, by the number of axes: 1 for a row (F,), 2 for a sequence (T, F), 3 for
            an image (H, W, C).
        flattens: whether an example of several axes is to be made one row (F,) first.
        reconstructs: whether its target is its input.
        embedding: length of the vectors of category codes and tokens; None takes it from their number.
    """

    default_loss: ClassVar[str | None] = None
    takes: ClassVar[frozenset[int]] = frozenset({1, 2, 3})
    flattens: ClassVar[bool] = False
    reconstructs: ClassVar[bool] = False
    embedding: int | None = None

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        """Return the layers before the output layer, in order.

        Raises:
            ConfigError: arguments do not fit each other or the examples.
        """
        return ()

    def check_examples(self, examples: Examples) -> None:
        """Raise ConfigError where the architecture does not take examples of this form."""
        if examples.axes not in self.takes:
            name = ARCHITECTURES.name_of(self)
            needed = " or ".join(_NEEDS[number] for number in sorted(self.takes))
            remedies = "; ".join(_REMEDIES[number] for number in sorted(self.takes))
            raise ConfigError(
                f"{name} takes {needed}, and an example is {_FORMS[examples.axes]}",
                help=f"{remedies}; or choose another architecture",
            )

    def output_layer(self, units: int) -> Layer:
        """Return the layer that ends the network, with one output for each class or target."""
        return Dense(units)


_FORMS = {1: "a row of features", 2: "a sequence", 3: "an image"}
_NEEDS = {1: "rows of features", 2: "sequences", 3: "images"}
_REMEDIES = {
    1: "remove data.image, data.sequence or data.series",
    2: "say how rows become sequences with data.sequence or data.series, or give a column of words type: text",
    3: "say how columns become pixels with data.image",
}

ARCHITECTURES: Registry[Architecture] = Registry("architecture", Architecture, "nntrain.models")

ArchitectureLike: TypeAlias = Annotated[str | dict[str, Any] | Architecture, Registered("architecture")]
