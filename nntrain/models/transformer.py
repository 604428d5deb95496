"""The transformer encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt

from nntrain.core.layer import Layer
from nntrain.errors import ConfigError
from nntrain.layers.sequential import Sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples, of_key
from nntrain.models.recurrent import POOLING, OverTime


@ARCHITECTURES.register("transformer")
class Transformer(Architecture):
    """Transformer encoder (Vaswani et al. 2017): a dense layer to ``width``, positions, then blocks of self-attention.

    Args:
        width: of the vectors between the blocks; a multiple of ``heads``.
        heads: attention heads of each block.
        blocks: how many there are.
        hidden: width inside each block's dense layers; 4 times ``width`` where left out.
        dropout: share dropped in training inside each block.
        causal: whether a step sees only itself and the steps before it.
        norm: whether layer norm stands ``first`` in each branch (Xiong et al. 2020) or ``last``, as in the paper.
        pooling: how the outputs become one row: ``mean``, ``max`` or ``last`` of the steps that are there.
        embedding: length of the vectors of category codes and tokens; by their number where left out.

    Raises:
        ConfigError: ``width`` is no multiple of ``heads``.

    >>> [type(layer).__name__ for layer in Transformer(blocks=1).hidden_layers(Examples(2))]
    ['Dense', 'PositionalEncoding', 'TransformerBlock', 'LayerNorm', 'GlobalAveragePool']
    """

    takes = frozenset({2})

    def __init__(
        self,
        width: Annotated[int, Ge(1)] = 64,
        heads: Annotated[int, Ge(1)] = 4,
        blocks: Annotated[int, Ge(1), Le(1000)] = 2,
        hidden: Annotated[int, Ge(1)] | None = None,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        causal: bool = False,
        norm: Literal["first", "last"] = "first",
        pooling: OverTime = "mean",
        embedding: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        self.width = width
        self.heads = heads
        self.blocks = blocks
        self.hidden = hidden
        self.dropout = dropout
        self.causal = causal
        self.norm = norm
        self.pooling = pooling
        self.embedding = embedding

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        if self.width % self.heads:
            raise ConfigError(f"transformer: width: expected a multiple of heads ({self.heads}), got {self.width}")
        block = {"name": "transformer_block", "heads": self.heads, "hidden": self.hidden, "dropout": self.dropout}
        block |= {"causal": self.causal, "norm": self.norm}
        specs: list[Any] = [of_key({"name": "dense", "units": self.width}, "width"), "positional_encoding"]
        specs += [of_key(block, "width" if self.hidden is None else "hidden")] * self.blocks
        specs += ["layer_norm"] if self.norm == "first" else []
        specs += [] if examples.per_step else [POOLING[self.pooling]]
        return Sequential(specs).layers
