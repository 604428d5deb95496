"""The block with a shortcut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer, LayerLike
from nntrain.core.steps import without_padding
from nntrain.errors import ConfigError
from nntrain.layers.branch import shorter_lengths
from nntrain.layers.dense import Dense
from nntrain.layers.sequential import Sequential


@LAYERS.register("residual")
class Residual(Sequential):
    """Layers with a shortcut around them: y = f_n(... f_1(x)) + x (He et al. 2016, eq. 1).

    Where the layers change the width (the last axis), the shortcut is x p with a learned matrix p (F_in, F_out)
    without bias (eq. 2), the layer ``projection``. Layers that change other axes, such as a convolution with a stride,
    need layers of the shortcut that change them likewise: y = f_n(... f_1(x)) + g_m(... g_1(x)).

    Args:
        layers: the block, in the order of the forward pass.
        shortcut: the layers around which the block stands; left out: none, or the projection.

    Raises:
        ConfigError: the layers change the shape in another axis than the last, or to another one than the shortcut.

    >>> Residual([{"name": "dense", "units": 3}, "relu"]).build((5,))
    (3,)
    >>> Residual([{"name": "dense", "units": 3}, "max_pool1d"], shortcut=["max_pool1d"]).build((6, 3))
    (3, 3)
    """

    def __init__(self, layers: list[LayerLike], shortcut: list[LayerLike] | None = None) -> None:
        super().__init__(layers)
        self.shortcut = None if shortcut is None else Sequential(shortcut)
        self.projection: Layer | None = None

    @property
    def around(self) -> Layer | None:
        """What x passes beside the block; None where it passes as it is."""
        return self.shortcut if self.projection is None else self.projection

    @property
    def children(self) -> Sequence[Layer]:
        return self.layers if self.around is None else [*self.layers, self.around]

    def build(self, in_shape: Shape) -> Shape:
        self.projection = None
        out_shape = super().build(in_shape)
        if self.shortcut is not None:
            other = self.shortcut.set_up(in_shape)
            if other != out_shape:
                both = f"these give {out_shape} and {other}"
                raise self.shape_error(f"layers and a shortcut of one output shape, and {both}", in_shape)
            return out_shape
        if len(out_shape) != len(in_shape) or out_shape[:-1] != in_shape[:-1]:
            error = self.shape_error(f"layers that change the last axis only, and these give {out_shape}", in_shape)
            help = "layers that change other axes need a 'shortcut' of layers that change them likewise"
            raise ConfigError(error.problems[0].message, help=help)
        if out_shape != in_shape:
            self.projection = Dense(out_shape[-1], bias=False)
            self.projection.bind(f"{self.name}.projection" if self.name else "projection", self.dtype, self.seed)
            self.projection.set_up(in_shape)
        return out_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        lengths = ctx.lengths
        body = super().forward(x, ctx)
        behind, ctx.lengths = ctx.lengths, lengths
        shortcut = x if self.around is None else self.around.forward(x, ctx)
        self.shorter, ctx.lengths = shorter_lengths(ctx.lengths, behind), behind
        shortcut = without_padding(self, shortcut, self.shorter, "y")
        return np.add(body, shortcut, out=self.scratch("y", body.shape))

    def backward(self, dy: Array) -> Array | None:
        through_body = super().backward(dy)
        dy = without_padding(self, dy, self.shorter, "dy")
        shortcut = dy if self.around is None else self.around.backward(dy)
        if through_body is None or shortcut is None:
            return None
        return np.add(through_body, shortcut, out=self.scratch("dx", shortcut.shape))

    def skip_input_gradient(self) -> bool:
        body_learns_nothing = super().skip_input_gradient()
        return (self.around is None or self.around.skip_input_gradient()) and body_learns_nothing
