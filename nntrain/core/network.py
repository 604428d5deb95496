"""A network: a tree of layers bound to one parameter store."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import first_values
from nntrain.core.layer import INFERENCE, LAYERS, Context, Layer
from nntrain.core.memory import refuse_too_large, size_text
from nntrain.core.parameter import Parameter, ParameterStore
from nntrain.core.rng import stream
from nntrain.core.tracing import Measurement, Trace, leaves, measure
from nntrain.errors import ConfigError, KeyPath, shorten


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One line of the layer table.

    Attributes:
        name: path of the layer.
        kind: registered name.
        out_shape: of one example.
        parameters: how many numbers it holds.
        flops: of a row's forward pass.
        activation_bytes: memory that a training pass takes for a row of the batch, forward and backward together.
    """

    name: str
    kind: str
    out_shape: Shape
    parameters: int
    flops: int
    activation_bytes: int


class Network:
    """A root layer, built for one input shape, with its parameters in a flat store.

    Args:
        root: the layer that is the network, usually a ``Sequential``.
        in_shape: of one example.
        seed: of the first values and of the noise within layers.
        dtype: float32 in training, float64 in gradient checks.
        shared: the store of the network this one is a replica of.
        input_gradient: whether ``backward`` returns the gradient of the input, which costs a product more.
        examine: is called when all layers are built and no memory is taken yet, and may refuse the network.

    Raises:
        ConfigError: a layer cannot take the shape it gets, one layer stands at two places, or memory is too small.

    >>> from nntrain.layers.dense import Dense
    >>> network = Network(Dense(3), (4,), seed=0)
    >>> network.out_shape, network.store.size
    ((3,), 15)
    >>> network.forward(np.ones((2, 4), np.float32)).shape
    (2, 3)
    """

    def __init__(
        self,
        root: Layer,
        in_shape: Shape,
        *,
        seed: int = 0,
        dtype: Any = np.float32,
        shared: ParameterStore | None = None,
        input_gradient: bool = False,
        examine: Callable[[Network], None] | None = None,
    ) -> None:
        refuse_shared_layers(root)
        self._blueprint = copy.deepcopy(root)
        self.root = root
        self.in_shape = in_shape
        self.seed = seed
        self.dtype = np.dtype(dtype)
        self.input_gradient = input_gradient
        name_children(root, "")
        for layer in root.walk():
            layer.bind(layer.name, self.dtype, seed)
        self.out_shape = root.set_up(in_shape)
        if not input_gradient:
            root.skip_input_gradient()
        parameters = self._named_parameters()
        self._refuse_too_many()
        if examine is not None:
            examine(self)
        self.store = ParameterStore(parameters, self.dtype, shared)
        if shared is None:
            self.initialize(seed)

    def _named_parameters(self) -> list[Parameter]:
        parameters = []
        for layer in self.root.walk():
            for parameter in layer.parameters:
                parameter.name = f"{layer.name}.{parameter.name}" if layer.name else parameter.name
                parameters.append(parameter)
        return parameters

    def _refuse_too_many(self) -> None:
        """Refuse a network whose weights and gradients alone are more than there is memory for."""
        sizes = [(layer, sum(parameter.size for parameter in layer.parameters)) for layer in self.root.walk()]
        largest, most = max(sizes, key=lambda pair: pair[1])
        count = sum(size for _, size in sizes)
        what = f"a network of {count:,} parameters ({most:,} of them in {told(largest)}) with their gradients"
        needed = (count + self.trainable_count) * self.dtype.itemsize
        refuse_too_large(what, needed, "make the layers smaller", largest.key_path())

    @property
    def trainable_count(self) -> int:
        """How many numbers are trained; known as soon as all layers are built."""
        return sum(p.size for layer in self.root.walk() for p in layer.parameters if p.trainable)

    def kept_by_layer(self, training: bool) -> list[tuple[Layer, int]]:
        """Return each layer with the bytes that it keeps at the least of each row of a batch.

        It is known as soon as all layers are built, of their shapes alone.

        Args:
            training: whether in training, or outside.
        """
        return [(layer, layer.kept_numbers(training) * self.dtype.itemsize) for layer in self.layers]

    def refuse_rows(
        self, rows: int, *, training: bool, beside: int = 0, at: KeyPath | None = None, of_process: int | None = None
    ) -> None:
        """Refuse batches of so many rows where the least that the layers keep of them is more than there is memory for.

        Args:
            rows: of a batch.
            training: whether in training, or outside.
            beside: bytes of weights, gradients and what the optimizer keeps.
            at: key path in the config of what decides on the rows; left out: the layer that keeps most is to blame.
            of_process: rows of them that this process has; all where left out.
        """
        kept = self.kept_by_layer(training)
        layer, most = max(kept, key=lambda pair: pair[1], default=(self.root, 0))
        each = sum(size for _, size in kept)
        of_rows = f"{rows:,} rows of a batch" if rows > 1 else "one row of a batch"
        what = f"what the layers keep of {of_rows} ({size_text(most)} a row in {told(layer)})"
        what += " beside weights and gradients" if beside else ""
        own = None if of_process is None else of_process * each + beside
        help = "make the layers smaller" if at is None else "make it smaller"
        refuse_too_large(what, rows * each + beside, help, layer.key_path() if at is None else at, own)

    @property
    def flops(self) -> int:
        """Floating-point operations of a row's forward pass."""
        if all(layer.shapes is not None for layer in self.layers):
            return sum(_flops_of(layer, *layer.shapes) for layer in self.layers if layer.shapes is not None)
        return sum(row.flops for row in self.table())  # a user's container may build its layers in its own way

    @property
    def layers(self) -> list[Layer]:
        """All layers that are no mere containers, in order; a layer within one of them is part of it."""
        return list(leaves(self.root))

    def initialize(self, seed: int) -> None:
        """Give every parameter its first values; a parameter's values depend on the seed and on its own name only."""
        for parameter in self.store.parameters:
            generator = stream(seed, f"init:{parameter.name}")
            parameter.value[...] = first_values(parameter, generator, self.dtype)

    def forward(self, x: Array, ctx: Context = INFERENCE) -> Array:
        """Return the output (B, \\*out_shape) for a batch ``x`` (B, \\*in_shape); the next call overwrites it."""
        lengths = ctx.lengths
        y = self.root.forward(x, ctx)
        ctx.lengths = lengths  # layers keep it true to the place they stand at; the next pass begins anew
        return y

    def backward(self, dy: Array) -> Array | None:
        """Add the gradients for ``dy`` to the store's ``grad``."""
        return self.root.backward(dy)

    def replica(self, in_shape: Shape | None = None) -> Network:
        """Return a network over the same values with its own gradients and scratch memory.

        Args:
            in_shape: of its examples, such as longer sequences; the same where left out.

        Raises:
            ConfigError: a layer cannot take this shape.
            OtherShapesError: the parameters would have other shapes.
        """
        return Network(
            self.unbuilt(),
            self.in_shape if in_shape is None else in_shape,
            seed=self.seed,
            dtype=self.dtype,
            shared=self.store,
            input_gradient=self.input_gradient,
        )

    def unbuilt(self) -> Layer:
        """Return a copy of the root as it was before it was built."""
        return copy.deepcopy(self._blueprint)

    def state(self) -> dict[str, Array]:
        """Return all values by parameter name: the arrays of a checkpoint (views, not copies)."""
        return {parameter.name: parameter.value for parameter in self.store.parameters}

    def load_state(self, state: dict[str, Array]) -> None:
        """Copy values in by parameter name.

        Raises:
            ValueError: names or shapes are not the network's own.
        """
        found = {name: tuple(value.shape) for name, value in state.items()}
        own = {parameter.name: parameter.shape for parameter in self.store.parameters}
        if found != own:
            differing = sorted(name for name in {*found, *own} if found.get(name) != own.get(name))
            raise ValueError(f"other parameters than the network's: {', '.join(differing[:5])}")
        for parameter in self.store.parameters:
            parameter.value[...] = state[parameter.name]

    def table(self) -> list[LayerRow]:
        """Return one row per layer, from passes through a freshly built copy, made once."""
        return list(self._rows)

    @cached_property
    def _rows(self) -> list[LayerRow]:
        traced = self.measured.layers
        shown = {id(layer) for layer in leaves(traced[0].layer)}
        return [_row(found) for found in traced if id(found.layer) in shown]

    @cached_property
    def measured(self) -> Measurement:
        """What passes through a freshly built copy show, made once."""
        return measure(self)


def _row(found: Trace) -> LayerRow:
    layer = found.layer
    own = sum(parameter.size for inner in layer.walk() for parameter in inner.parameters)
    flops = _flops_of(layer, found.in_shape, found.out_shape)
    return LayerRow(layer.name, LAYERS.name_of(layer), found.out_shape, own, flops, found.activation_bytes)


def _flops_of(layer: Layer, in_shape: Shape, out_shape: Shape) -> int:
    count = layer.flops(in_shape, out_shape)
    is_number = isinstance(count, int | float | np.integer | np.floating)  # a user's layer may return anything
    if not is_number or not 0 <= count < math.inf:
        raise ValueError(f"flops returned {shorten(repr(count))}, expected a number from 0")
    return int(count)


def told(layer: Layer) -> str:
    """Return what messages call a layer: its name, or its kind where it is all of a network."""
    return layer.name or LAYERS.name_of(layer)


def refuse_shared_layers(root: Layer) -> None:
    """Raise a ConfigError where one layer object stands at two places; its scratch could serve only one of them."""
    seen: set[int] = set()
    for layer in root.walk():
        if id(layer) in seen:
            raise ConfigError(
                f"one and the same {LAYERS.name_of(layer)} layer stands at two places of the network",
                help="make a layer of its own for each place (repeat makes independent copies)",
            )
        seen.add(id(layer))


def name_children(layer: Layer, path: str) -> None:
    """Name the layers below ``layer`` by their kind and their number among siblings of that kind: ``dense_2``."""
    counts: dict[str, int] = {}
    for child in layer.children:
        kind = LAYERS.name_of(child)
        counts[kind] = counts.get(kind, 0) + 1
        child.name = f"{path}{kind}_{counts[kind]}"
        name_children(child, f"{child.name}.")
