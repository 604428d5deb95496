"""The block that transformers are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Lt

from nntrain.core.array import Shape
from nntrain.core.layer import LAYERS, Layer, LayerLike
from nntrain.core.network import name_children
from nntrain.layers.dense import Dense
from nntrain.layers.dropout import Dropout
from nntrain.layers.layer_norm import LayerNorm
from nntrain.layers.multi_head_attention import MultiHeadAttention
from nntrain.layers.residual import Residual
from nntrain.layers.sequential import Sequential


@LAYERS.register("transformer_block")
class TransformerBlock(Sequential):
    """Attention, then two dense layers at every step, each normalized and with a shortcut around it.

    With the norm first: z = x + attention(norm(x)), y = z + dense(activation(dense(norm(z)))) (Xiong et al. 2020,
    table 1); with the norm last: z = norm(x + attention(x)), y = norm(z + dense(activation(dense(z)))) (Vaswani et al.
    2017, section 3.1). Shapes are (B, T, F) throughout.

    Args:
        heads: of the attention; the number of features must be a multiple of it.
        hidden: units of the first dense layer; where left out, four times the features.
        activation: behind the first dense layer.
        dropout: of the attention's weights, behind the activation, and of what is added to the shortcuts.
        causal: whether a step sees only itself and the steps before it.
        norm: ``first`` or ``last``, where in its part the normalization stands.

    Raises:
        ConfigError: the examples are no sequences whose number of features is a multiple of ``heads``.

    >>> TransformerBlock(heads=2).build((5, 8))
    (5, 8)
    """

    def __init__(
        self,
        heads: Annotated[int, Ge(1)],
        hidden: Annotated[int, Ge(1)] | None = None,
        activation: LayerLike = "gelu",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        causal: bool = False,
        norm: Literal["first", "last"] = "first",
    ) -> None:
        super().__init__([])
        self.heads = heads
        self.hidden = hidden
        self.activation = LAYERS.build(activation)
        self.dropout = dropout
        self.causal = causal
        self.norm = norm

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 2 or in_shape[1] < 1:
            raise self.shape_error("sequences of shape (steps, features)", in_shape)
        self.layers = self._made(in_shape[1])
        name_children(self, f"{self.name}." if self.name else "")
        for child in self.layers:
            for layer in child.walk():
                layer.bind(layer.name, self.dtype, self.seed)
                layer.at = layer.at or self.at
        return super().build(in_shape)

    def _made(self, features: int) -> list[Layer]:
        """Return the layers for this number of features."""
        attention = MultiHeadAttention(self.heads, causal=self.causal, dropout=self.dropout)
        hidden = 4 * features if self.hidden is None else self.hidden
        parts = [
            [attention, *self._drop()],
            [Dense(hidden, activation=self.activation), *self._drop(), Dense(features), *self._drop()],
        ]
        if self.norm == "first":
            return [Residual([LayerNorm(), *part]) for part in parts]
        return [layer for part in parts for layer in (Residual(list(part)), LayerNorm())]

    def _drop(self) -> list[Layer]:
        return [Dropout(self.dropout)] if self.dropout else []
