"""The block with a shortcut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer, LayerLike
from nntrain.layers.dense import Dense
from nntrain.layers.sequential import Sequential


@LAYERS.register("residual")
class Residual(Sequential):
    """Layers with a shortcut around them: y = f_n(... f_1(x)) + x (He et al. 2016, eq. 1).

    Where the layers change the width (the last axis), the shortcut is x p with a learned matrix p (F_in, F_out)
    without bias (eq. 2), the layer ``projection``.

    Args:
        layers: the block, in the order of the forward pass.

    Raises:
        ConfigError: the layers change the shape in another axis than the last.

    >>> Residual([{"name": "dense", "units": 3}, "relu"]).build((5,))
    (3,)
    """

    def __init__(self, layers: list[LayerLike]) -> None:
        super().__init__(layers)
        self.projection: Layer | None = None

    @property
    def children(self) -> Sequence[Layer]:
        return self.layers if self.projection is None else [*self.layers, self.projection]

    def build(self, in_shape: Shape) -> Shape:
        self.projection = None
        out_shape = super().build(in_shape)
        if len(out_shape) != len(in_shape) or out_shape[:-1] != in_shape[:-1]:
            raise self.shape_error(f"layers that change the last axis only, and these give {out_shape}", in_shape)
        if out_shape != in_shape:
            self.projection = Dense(out_shape[-1], bias=False)
            self.projection.bind(f"{self.name}.projection" if self.name else "projection", self.dtype, self.seed)
            self.projection.build(in_shape)
        return out_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        body = super().forward(x, ctx)
        shortcut = x if self.projection is None else self.projection.forward(x, ctx)
        return np.add(body, shortcut, out=self.scratch("y", body.shape))

    def backward(self, dy: Array) -> Array | None:
        through_body = super().backward(dy)
        shortcut = dy if self.projection is None else self.projection.backward(dy)
        if through_body is None or shortcut is None:
            return None
        return np.add(through_body, shortcut, out=self.scratch("dx", shortcut.shape))

    def skip_input_gradient(self) -> bool:
        body_learns_nothing = super().skip_input_gradient()
        return body_learns_nothing and (self.projection is None or self.projection.skip_input_gradient())
