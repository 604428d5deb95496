"""Where in its sequence a step stands, added to its features."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.errors import ConfigError


def sinusoids(steps: int, features: int) -> Array:
    """Return waves (steps, features): sin(t / 10000^(2i/F)) in column 2i, cos of the same in column 2i + 1.

    >>> sinusoids(2, 3).round(4).tolist()
    [[0.0, 1.0, 0.0], [0.8415, 0.5403, 0.0022]]
    """
    columns = np.arange(features)
    angles = np.arange(steps)[:, None] / 10000.0 ** (2 * (columns // 2) / features)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@LAYERS.register("positional_encoding")
class PositionalEncoding(Layer):
    """Adds to each step a vector of its place in the sequence: y_t = x_t + p_t, with x and y (B, T, F) and p (T, F).

    Sinusoidal: p_(t, 2i) = sin(t / 10000^(2i/F)), p_(t, 2i+1) = cos(t / 10000^(2i/F)), which is not trained (Vaswani et
    al. 2017, section 3.5). Learned: p is a table of free parameters.

    Args:
        kind: ``sinusoidal`` or ``learned``.
        maximum: how many steps a learned table has; where left out, the steps of the input.
        initializer: first values of a learned table.

    Raises:
        ConfigError: the examples are no sequences of features, or longer than the table.

    >>> layer = PositionalEncoding()
    >>> layer.build((2, 3)), layer.forward(np.zeros((1, 2, 3), np.float32), Context()).round(2).tolist()
    ((2, 3), [[[0.0, 1.0, 0.0], [0.8399999737739563, 0.5400000214576721, 0.0]]])
    """

    keeps_output = True

    def __init__(
        self,
        kind: Literal["sinusoidal", "learned"] = "sinusoidal",
        maximum: Annotated[int, Ge(1)] | None = None,
        initializer: InitializerLike = "normal",
    ) -> None:
        if maximum is not None and kind != "learned":
            raise ConfigError(
                f"positional_encoding: maximum: only a learned table has a length, and kind is '{kind}'",
                help="leave maximum out, or set kind: learned",
            )
        self.kind = kind
        self.maximum = maximum
        self.initializer = INITIALIZERS.build(initializer)

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 2 or in_shape[1] < 1:
            raise self.shape_error("sequences of shape (steps, features)", in_shape)
        rows = in_shape[0] if self.maximum is None else self.maximum
        if rows < in_shape[0]:
            raise self.shape_error(f"sequences of at most {rows} steps (its maximum)", in_shape)
        if self.kind == "learned":
            self.table = self.add_parameter("table", (rows, in_shape[1]), self.initializer, penalized=False)
        self.size = (rows, in_shape[1])
        self.waves: Array | None = None
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        places = self.table.value if self.kind == "learned" else self._sinusoids()
        return np.add(x, places[: x.shape[1]], out=self.scratch("y", x.shape))

    def _sinusoids(self) -> Array:
        if self.waves is None:  # a network that is too large takes none of its memory
            self.waves = sinusoids(*self.size).astype(self.dtype)
        return self.waves

    def backward(self, dy: Array) -> Array:
        if self.kind == "learned":
            gradient = self.table.gradient_slot()
            np.add.reduce(dy, axis=0, out=gradient[: dy.shape[1]])
            gradient[dy.shape[1] :] = 0
            self.table.commit()
        return dy
