"""The multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge, Lt, MinLen

from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import Layer, LayerLike
from nntrain.layers.dense import Dense
from nntrain.layers.sequential import Sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples, of_key


@ARCHITECTURES.register("mlp")
class MLP(Architecture):
    """Multi-layer perceptron: for each hidden width a dense layer, then batch norm, activation and dropout as asked.

    Args:
        hidden: widths of the hidden layers, from the features on.
        activation: after each hidden layer.
        dropout: share of the activations dropped in training after each hidden layer.
        batch_norm: whether a batch norm stands between each dense layer and its activation.
        kernel_initializer: first values of all weights, those of the output layer too.
        bias_initializer: first values of all biases.

    >>> [type(layer).__name__ for layer in MLP(hidden=[16]).hidden_layers()]
    ['Dense', 'Relu']
    """

    flattens = True

    def __init__(
        self,
        hidden: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)] = [64, 64],  # noqa: B006 - read, never written
        activation: LayerLike = "relu",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        batch_norm: bool = False,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.kernel_initializer = INITIALIZERS.build(kernel_initializer)
        self.bias_initializer = INITIALIZERS.build(bias_initializer)

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        specs: list[Any] = []
        for i, units in enumerate(self.hidden):
            dense = {"name": "dense", "units": units, **self._initializers()}
            specs.append(of_key(dense, "hidden", i))
            specs.extend(["batch_norm"] if self.batch_norm else [])
            specs.append(self.activation)
            specs.extend([{"name": "dropout", "rate": self.dropout}] if self.dropout else [])
        return Sequential(specs).layers

    def output_layer(self, units: int) -> Layer:
        return Dense(units, **self._initializers())

    def _initializers(self) -> dict[str, Any]:
        return {"kernel_initializer": self.kernel_initializer, "bias_initializer": self.bias_initializer}
