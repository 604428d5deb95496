"""Convolutional networks: ``cnn`` and the fully convolutional ``fcn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt, MinLen

from nntrain.core.layer import Layer, LayerLike
from nntrain.errors import ConfigError, KeyPath
from nntrain.layers.sequential import Sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples, of_key

Widths = Annotated[list[Annotated[int, Ge(1)]], MinLen(1)]


@ARCHITECTURES.register("cnn")
class CNN(Architecture):
    """Convolutional network for images (2-d) and sequences (1-d), after LeCun et al. 1998.

    For each number of filters a convolution that keeps the size, batch norm as asked, the activation and max pooling;
    then the head makes one row of what is left, followed by dense layers with activation and dropout.

    Args:
        filters: channels of each convolution, from the input on.
        kernel: side of the convolution windows, in pixels or steps.
        pool: side of the pooling windows behind each convolution; 1 leaves pooling out, and so do labels of steps.
        batch_norm: whether a batch norm stands between each convolution and its activation.
        dense: widths of the dense layers behind the convolutions; empty for none.
        dropout: share of the numbers dropped in training before each dense layer, the output layer too.
        activation: after each convolution and dense layer.
        head: ``flatten`` keeps every place, ``max`` and ``average`` pool over all places; ``auto`` is ``max`` where
            sequences differ in length, else ``flatten``.
        embedding: length of the vectors of category codes and tokens; by their number where left out.

    >>> [type(layer).__name__ for layer in CNN(filters=[8], dense=[]).hidden_layers(Examples(3))]
    ['Conv2d', 'Relu', 'MaxPool2d', 'Flatten']
    """

    takes = frozenset({2, 3})

    def __init__(
        self,
        filters: Widths = [16, 32],  # noqa: B006 - read, never written
        kernel: Annotated[int, Ge(1)] = 3,
        pool: Annotated[int, Ge(1)] = 2,
        batch_norm: bool = False,
        dense: list[Annotated[int, Ge(1)]] = [64],  # noqa: B006
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        activation: LayerLike = "relu",
        head: Literal["auto", "flatten", "max", "average"] = "auto",
        embedding: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        self.filters = filters
        self.kernel = kernel
        self.pool = pool
        self.batch_norm = batch_norm
        self.dense = dense
        self.dropout = dropout
        self.activation = activation
        self.head = head
        self.embedding = embedding

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        axes = "1d" if examples.axes == 2 else "2d"
        specs: list[Any] = []
        for i, filters in enumerate(self.filters):
            specs += convolution(f"conv{axes}", filters, self.kernel, self.batch_norm, self._key(i))
            specs.append(self.activation)
            specs += self._pooling(axes, examples)
        specs += [] if examples.per_step else [self._head(examples)]
        drop = [{"name": "dropout", "rate": self.dropout}] if self.dropout else []
        for i, units in enumerate(self.dense):
            specs += [*drop, of_key({"name": "dense", "units": units}, "dense", i), self.activation]
        return Sequential([*specs, *drop]).layers

    def _pooling(self, axes: str, examples: Examples) -> list[Any]:
        if self.pool == 1 or examples.per_step:
            return []
        spec = {"name": f"max_pool{axes}", "pool": self.pool}
        # Of a sequence shorter than the window nothing would be left, and all such would get one and the same output.
        return [of_key(spec | {"padding": "same"} if examples.ragged else spec, "pool")]

    def _key(self, number: int) -> KeyPath:
        """Return the key that decides how large a convolution is."""
        return ("kernel",) if self.kernel > self.filters[number] else ("filters", number)

    def _head(self, examples: Examples) -> str:
        head = ("max" if examples.ragged else "flatten") if self.head == "auto" else self.head
        return head if head == "flatten" else f"global_{head}_pool"


def convolution(
    name: str, filters: int, kernel: int, batch_norm: bool, key: KeyPath = ("filters",), stride: int = 1
) -> list[dict[str, Any]]:
    """Return the specs of a convolution that keeps the size (over the stride), with its batch norm or its bias.

    It is made of a key of the architecture. First values are He's, for the rectifiers that follow; a bias before a
    batch norm would have no effect.
    """
    spec = {"name": name, "filters": filters, "kernel": kernel, "padding": "same", "bias": not batch_norm}
    spec |= {"kernel_initializer": "he_uniform"} | ({"stride": stride} if stride > 1 else {})
    placed = of_key(spec, *key)
    return [placed, {"name": "batch_norm"}] if batch_norm else [placed]


@ARCHITECTURES.register("fcn")
class FCN(Architecture):
    """Fully convolutional network for sequences: convolutions, each with batch norm and ReLU, and their mean over time.

    The defaults are those of Wang et al. 2017 (Time series classification from scratch, section III.B).

    Args:
        filters: channels of each convolution.
        kernels: steps of each convolution's window.
        dropout: share of the channels' means dropped in training before the output layer.
        embedding: length of the vectors of category codes and tokens; by their number where left out.

    Raises:
        ConfigError: there are not as many kernels as filters.

    >>> len(FCN().hidden_layers(Examples(2)))
    10
    """

    takes = frozenset({2})

    def __init__(
        self,
        filters: Widths = [128, 256, 128],  # noqa: B006 - read, never written
        kernels: Widths = [8, 5, 3],  # noqa: B006
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        embedding: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        self.filters = filters
        self.kernels = kernels
        self.dropout = dropout
        self.embedding = embedding

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        if len(self.filters) != len(self.kernels):
            raise ConfigError(f"fcn: kernels: expected {len(self.filters)} numbers, as many as filters")
        specs: list[Any] = []
        for i, (filters, kernel) in enumerate(zip(self.filters, self.kernels, strict=True)):
            specs += [*convolution("conv1d", filters, kernel, batch_norm=True, key=("filters", i)), "relu"]
        specs += [] if examples.per_step else ["global_average_pool"]
        specs += [{"name": "dropout", "rate": self.dropout}] if self.dropout else []
        return Sequential(specs).layers
