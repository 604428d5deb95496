"""Layers that change the shape of an example and nothing else."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Ge, MinLen

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import without_padding
from nntrain.layers.rows import reshaped


class Rearranged(Layer):
    """Base: the numbers of an example keep their row-major order; padding of a sequence becomes zeros."""

    def new_shape(self, in_shape: Shape) -> Shape:
        """Return the shape of the output."""
        raise TypeError(f"{type(self).__name__} does not give its shape")

    def build(self, in_shape: Shape) -> Shape:
        self.in_shape, self.out_shape = in_shape, self.new_shape(in_shape)
        return self.out_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.lengths, ctx.lengths = ctx.lengths, None
        x = without_padding(self, x, self.lengths, "y")
        return reshaped(self, x, (len(x), *self.out_shape), "y")

    def backward(self, dy: Array) -> Array:
        dx = reshaped(self, dy, (len(dy), *self.in_shape), "dx")
        return without_padding(self, dx, self.lengths, "dx")

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 0


@LAYERS.register("flatten")
class Flatten(Rearranged):
    """All axes of an example in one: (B, H, W, C) becomes (B, H W C); padding of a sequence becomes zeros.

    >>> Flatten().build((28, 28, 1))
    (784,)
    """

    def new_shape(self, in_shape: Shape) -> Shape:
        return (math.prod(in_shape),)


@LAYERS.register("reshape")
class Reshape(Rearranged):
    """Another shape for an example of the same size, in row-major order; padding of a sequence becomes zeros.

    Args:
        shape: the new shape, without the batch axis; one of its numbers may be -1 and follows from the others.

    Raises:
        ConfigError: an example has another number of entries.

    >>> Reshape([7, -1]).build((28,))
    (7, 4)
    """

    def __init__(self, shape: Annotated[list[Annotated[int, Ge(-1)]], MinLen(1)]) -> None:
        self.shape = shape

    def new_shape(self, in_shape: Shape) -> Shape:
        size, known = math.prod(in_shape), math.prod(n for n in self.shape if n != -1)
        if self.shape.count(-1) > 1 or 0 in self.shape:
            raise self.shape_error(f"a shape without 0 and with one -1 at most (it is {self.shape})", in_shape)
        fits = size % known == 0 if -1 in self.shape else size == known
        if not fits:
            raise self.shape_error(f"as many entries as {self.shape} has", in_shape)
        return tuple(size // known if n == -1 else n for n in self.shape)
