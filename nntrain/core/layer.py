"""The layer: what it promises, and what it may rely on.

A layer is built once, from the shape of one example; it then maps batches forward and gradients backward. The contract
every layer keeps, tested over the whole registry by :mod:`nntrain.testing`:

- arguments are never written; the output belongs to the layer until its next forward;
- ``backward`` belongs to the latest training forward; ``dy`` has the shape of ``y``, there is no broadcasting;
- parameter gradients accumulate within a step, the first write overwrites;
- inference changes nothing; the dtype in is the dtype out;
- steps of a sequence past its length are unspecified: they change nothing of the steps before them, and the gradient
  behind them is 0 on arrival and on return.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.hashed_bits import HashedBits
from nntrain.core.initializers import Initializer
from nntrain.core.memory import refuse_too_large, shape_text
from nntrain.core.parameter import Parameter
from nntrain.core.rng import StepStream
from nntrain.core.scratch import ScratchOwner
from nntrain.errors import ConfigError, KeyPath, NntrainError
from nntrain.registry import Registered, Registry


class Peers(Protocol):
    """What couples the parts of a batch that run at the same time, each on a replica of its own."""

    def gather(self, values: Array) -> Array:
        """Return what the layer at this place has given in each part, (parts, \\*shape), in the parts' order.

        Returns when all parts have given theirs. The array is valid until the next but one call.
        """


@dataclass(slots=True)
class Context:
    """What a forward pass is for.

    Attributes:
        training: whether dropout drops and batch norm uses and updates batch statistics.
        step: number of the update, which selects the noise of layers such as dropout.
        batch: which of the update's batches this is, from 0, where gradients are accumulated.
        shard: which part of the batch this is.
        lengths: (B,) true numbers of steps of padded sequences at this place of the network, or None where nothing
            is padded. A layer that changes the number of steps puts the new ones here, never into the given array.
        peers: the other parts of the batch, for layers that couple rows; None where the batch is whole.
    """

    training: bool = False
    step: int = 0
    batch: int = 0
    shard: int = 0
    lengths: Array | None = None
    peers: Peers | None = None


INFERENCE = Context()
"""The context of evaluation and prediction."""


class Layer(ScratchOwner):
    """Base of all layers.

    A subclass implements ``build``, ``forward`` and ``backward``, in this order, and registers itself::

        @LAYERS.register("scale")
        class Scale(Layer):
            def build(self, in_shape):
                self.factor = self.add_parameter("factor", (), Constant(1.0))
                return in_shape

            def forward(self, x, ctx): ...
            def backward(self, dy): ...

    Attributes:
        name: path of the layer within its network, set by the network: ``residual_1.dense_2``.
        dtype: of values and gradients, set by the network.
        children: the layers a composite is made of, in order.
        is_container: whether the layer only arranges its children; tables then show the children instead.
        couples_rows: whether an output row depends on other rows of the batch, as in batch norm. Where the batch is
            cut, such a layer gathers what it needs of the other parts from the context's ``peers``.
        needs_input_gradient: False where nothing before the layer can learn; ``backward`` may then return None.
        keeps_output: whether ``forward`` gives memory of the layer's own, in training and outside; where it may be a
            view of the input, as in flatten, it does not.
        at: key path of the layer in the config, where it comes from one.
        shapes: of an input and an output, once the layer is built.
        sized_by: the argument that decides how large the layer is, where there is one.
    """

    couples_rows: ClassVar[bool] = False
    is_container: ClassVar[bool] = False
    keeps_output: ClassVar[bool] = False

    name: str = ""
    seed: int = 0
    at: KeyPath | None = None
    shapes: tuple[Shape, Shape] | None = None
    sized_by: str = ""
    needs_input_gradient: bool = True

    def build(self, in_shape: Shape) -> Shape:
        """Declare the parameters for inputs of ``in_shape`` (without the batch axis); return the output's shape.

        Raises:
            ConfigError: the layer cannot take this shape.
        """
        raise TypeError(f"{type(self).__name__} does not implement build")

    def set_up(self, in_shape: Shape) -> Shape:
        """Build the layer and return the output's shape: what a network, or a layer of layers, calls.

        Raises:
            ConfigError: the layer cannot take this shape, or the output is more than the machine's memory.
            ResourceError: it is more than this process may take.
        """
        try:
            out_shape = self.build(in_shape)
            if isinstance(out_shape, tuple):  # a user's layer may return anything
                self.refuse_too_large(f"an output of {shape_text(out_shape)} for each row", math.prod(out_shape))
        except NntrainError as error:
            if self.at is not None:
                error.stands_at(self.at)
            raise
        self.shapes = in_shape, out_shape
        return out_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        """Return the layer's output for a batch ``x`` of shape (B, \\*in_shape)."""
        raise TypeError(f"{type(self).__name__} does not implement forward")

    def backward(self, dy: Array) -> Array | None:
        """Add the parameters' gradients for ``dy`` (B, \\*out_shape); return the input's gradient (B, \\*in_shape)."""
        raise TypeError(f"{type(self).__name__} does not implement backward")

    @property
    def children(self) -> Sequence[Layer]:
        return ()

    @property
    def parameters(self) -> list[Parameter]:
        """The layer's own parameters, without those of its children."""
        parameters: list[Parameter] = self.__dict__.setdefault("_parameters", [])
        return parameters

    def walk(self) -> Iterator[Layer]:
        """Yield this layer and, depth first, all within it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def add_parameter(
        self,
        name: str,
        shape: Shape,
        initializer: Initializer,
        *,
        trainable: bool = True,
        penalized: bool = True,
        rowwise: bool = False,
        fans: tuple[int, int] | None = None,
    ) -> Parameter:
        """Declare a parameter during ``build``; its ``value`` and ``grad`` exist once the network is made.

        Raises:
            ValueError: the name is no identifier or is taken, the shape is no tuple of whole numbers, or the
                initializer is no :class:`~nntrain.core.initializers.Initializer`.
        """
        self._refuse_odd_parameter(name, shape, initializer)
        kind = {"trainable": trainable, "penalized": penalized, "rowwise": rowwise}
        parameter = Parameter(name, shape, initializer, **kind, fans=fans)
        with_gradient = f"a {name} of {shape_text(shape)}{' with its gradient' if trainable else ''}"
        self.refuse_too_large(with_gradient, parameter.size * (1 + trainable))
        self.parameters.append(parameter)
        return parameter

    def _refuse_odd_parameter(self, name: str, shape: Shape, initializer: Initializer) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"expected a name such as 'kernel' for a parameter, got {name!r}")
        if any(parameter.name == name for parameter in self.parameters):
            raise ValueError(f"the layer has a parameter {name!r} already")
        sizes = shape if isinstance(shape, tuple) else (None,)
        if any(not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 0 for size in sizes):
            raise ValueError(f"expected a tuple of whole numbers for the shape of {name!r}, got {shape!r}")
        if not isinstance(initializer, Initializer):
            raise ValueError(f"expected an initializer such as Constant(1.0) for {name!r}, got {initializer!r}")

    def refuse_too_large(self, what: str, numbers: int, argument: str = "") -> None:
        """Refuse the layer where no memory can hold so many numbers that it takes.

        Args:
            what: it takes them for, as the beginning of a sentence.
            numbers: how many.
            argument: of the layer that is to be smaller; ``sized_by`` where left out.

        Raises:
            ConfigError: they are more than the machine's memory.
            ResourceError: they are more than this process may take.
        """
        place = f"{self.name}: " if self.name else ""
        help = "make it smaller, or the layers before it"
        refuse_too_large(f"{place}{what}", numbers * self.dtype.itemsize, help, self.key_path(argument))

    def key_path(self, argument: str = "") -> KeyPath | None:
        """Return where in the config an argument stands, ``sized_by`` where left out; None for a layer of no config."""
        argument = argument or self.sized_by
        return (*self.at, argument) if self.at is not None and argument else self.at

    def kept_numbers(self, training: bool) -> int:
        """Return how many numbers of each row of a batch the layer, which is built, keeps at the least.

        Args:
            training: whether in training, or outside.
        """
        return math.prod(self.shapes[1]) if self.keeps_output and self.shapes is not None else 0

    def follow(self, before: Layer) -> None:
        """Note, both being built, that the layer stands right behind another one, whose output nothing else reads."""

    def skip_input_gradient(self) -> bool:
        """Note that nothing before this layer learns; return whether the same holds for the layer after it.

        A composite tells those of its children that stand at its own input.
        """
        self.needs_input_gradient = False
        return not any(parameter.trainable for layer in self.walk() for parameter in layer.parameters)

    def shape_error(self, needs: str, in_shape: Shape) -> ConfigError:
        """Return the error for an input shape the layer cannot take: ``dense_1: dense needs ..., got shape ()``."""
        kind = LAYERS.name_of(self)
        place = f"{self.name}: " if self.name else ""
        return ConfigError(f"{place}{kind} needs {needs}, got shape {in_shape}")

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        """Take the layer's path, dtype and seed of noise; called by the network before ``build``.

        What an earlier network left in the layer is forgotten.
        """
        self.name, self.dtype, self.seed = name, dtype, seed
        self.needs_input_gradient = True
        self.release()
        self.parameters.clear()
        self.shapes = None
        self.__dict__.pop("_noise", None)
        self.__dict__.pop("_bits", None)

    def noise(self, ctx: Context) -> np.random.Generator:
        """Return the layer's generator for the step, batch and shard of ``ctx``."""
        found: StepStream | None = self.__dict__.get("_noise")
        if found is None:
            found = self.__dict__["_noise"] = StepStream(self.seed, f"noise:{self.name}")
        return found.at(ctx.step, ctx.shard, ctx.batch)

    def random_bits(self, ctx: Context) -> HashedBits:
        """Return the layer's random bits for the step, batch and shard of ``ctx``: many at once, faster than noise."""
        found: HashedBits | None = self.__dict__.get("_bits")
        if found is None:
            found = self.__dict__["_bits"] = HashedBits(self.seed, f"bits:{self.name}")
        return found.at(ctx.step, ctx.shard, ctx.batch)

    def health(self) -> dict[str, float]:
        """Return shares of the latest training forward's outputs that pass no gradient on, by name; most layers none.

        ``dead_share``: units that were 0 in every row. ``saturated_share``: outputs within 1 % of a bound.
        """
        return {}

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        """Return the floating-point operations of the forward pass for one row; two per multiply-add."""
        return math.prod(out_shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


LAYERS: Registry[Layer] = Registry("layer", Layer, "nntrain.layers")

LayerLike: TypeAlias = Annotated[str | dict[str, Any] | Layer, Registered("layer")]

LayerFactory: TypeAlias = Callable[[], Layer]
