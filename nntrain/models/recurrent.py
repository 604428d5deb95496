"""Recurrent networks for sequences: ``rnn``, ``lstm`` and ``gru``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Lt

from nntrain.core.layer import Layer
from nntrain.layers.sequential import Sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples, of_key
from nntrain.models.convolutional import Widths

OverTime = Literal["last", "mean", "max"]
"""How the outputs of all steps become one row."""

POOLING: dict[str, str] = {"last": "last_step", "mean": "global_average_pool", "max": "global_max_pool"}
"""The layer of each way."""

_Rate = Annotated[float, Ge(0), Lt(1)]
_Size = Annotated[int, Ge(1)]


class Recurrent(Architecture):
    """Base of the recurrent architectures: recurrent layers one on the other, then one row a sequence, or one a step.

    Attributes:
        layer: name of the recurrent layer.
    """

    takes = frozenset({2})
    layer: ClassVar[str]

    def __init__(
        self,
        hidden: Widths,
        bidirectional: bool,
        dropout: float,
        pooling: OverTime,
        embedding: int | None,
        truncate: int | None,
    ) -> None:
        self.hidden = hidden
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.pooling = pooling
        self.embedding = embedding
        self.truncate = truncate

    def own_arguments(self) -> dict[str, Any]:
        """Return the arguments of the recurrent layer that are its own."""
        return {}

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        specs: list[Any] = []
        for number, units in enumerate(self.hidden):
            is_last = number == len(self.hidden) - 1
            whole = examples.per_step or not is_last or self.pooling != "last"
            spec = {"name": self.layer, "units": units, "return_sequences": whole, "truncate": self.truncate}
            placed = of_key({**spec, **self.own_arguments()}, "hidden", number)
            specs.append({"name": "bidirectional", "layer": placed} if self.bidirectional else placed)
            if is_last and whole and not examples.per_step:
                specs.append(POOLING[self.pooling])
            specs += [{"name": "dropout", "rate": self.dropout}] if self.dropout else []
        return Sequential(specs).layers


@ARCHITECTURES.register("rnn")
class RNN(Recurrent):
    """Simple recurrent network (Elman 1990): h_t = activation(x_t w + h_(t-1) u + b), trained through time.

    Args:
        hidden: units of each recurrent layer, from the input on.
        bidirectional: whether each layer reads the sequence in both directions.
        dropout: share of each layer's outputs dropped in training.
        pooling: how the outputs become one row: ``last`` state, ``mean`` or ``max`` over the steps that are there.
        embedding: length of the vectors of category codes and tokens; by their number where left out.
        truncate: steps after which the gradient through time is cut; never where left out.
        activation: tanh or relu.

    >>> [type(layer).__name__ for layer in RNN(hidden=[8], pooling="max").hidden_layers(Examples(2))]
    ['RNN', 'GlobalMaxPool']
    """

    layer = "rnn"

    def __init__(
        self,
        hidden: Widths = [32],  # noqa: B006 - read, never written
        bidirectional: bool = False,
        dropout: _Rate = 0.0,
        pooling: OverTime = "last",
        embedding: _Size | None = None,
        truncate: _Size | None = None,
        activation: Literal["tanh", "relu"] = "tanh",
    ) -> None:
        super().__init__(hidden, bidirectional, dropout, pooling, embedding, truncate)
        self.activation = activation

    def own_arguments(self) -> dict[str, Any]:
        return {"activation": self.activation}


@ARCHITECTURES.register("lstm")
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), with forget gates (Gers et al. 2000).

    Args:
        hidden: units of each recurrent layer, from the input on.
        bidirectional: whether each layer reads the sequence in both directions.
        dropout: share of each layer's outputs dropped in training.
        pooling: how the outputs become one row: ``last`` state, ``mean`` or ``max`` over the steps that are there.
        embedding: length of the vectors of category codes and tokens; by their number where left out.
        truncate: steps after which the gradient through time is cut; never where left out.
        forget_bias: first value of the forget gate's bias; 1 keeps the memory at the start (Jozefowicz et al. 2015).

    >>> [type(layer).__name__ for layer in LSTM(hidden=[8], dropout=0.1).hidden_layers(Examples(2))]
    ['LSTM', 'Dropout']
    """

    layer = "lstm"

    def __init__(
        self,
        hidden: Widths = [32],  # noqa: B006 - read, never written
        bidirectional: bool = False,
        dropout: _Rate = 0.0,
        pooling: OverTime = "last",
        embedding: _Size | None = None,
        truncate: _Size | None = None,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(hidden, bidirectional, dropout, pooling, embedding, truncate)
        self.forget_bias = forget_bias

    def own_arguments(self) -> dict[str, Any]:
        return {"forget_bias": self.forget_bias}


@ARCHITECTURES.register("gru")
class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014).

    Args:
        hidden: units of each recurrent layer, from the input on.
        bidirectional: whether each layer reads the sequence in both directions.
        dropout: share of each layer's outputs dropped in training.
        pooling: how the outputs become one row: ``last`` state, ``mean`` or ``max`` over the steps that are there.
        embedding: length of the vectors of category codes and tokens; by their number where left out.
        truncate: steps after which the gradient through time is cut; never where left out.
        reset: whether the reset gate acts ``after`` the recurrent product (cuDNN, PyTorch) or ``before`` it (Cho).

    >>> [type(layer).__name__ for layer in GRU(hidden=[8], bidirectional=True).hidden_layers(Examples(2))]
    ['Bidirectional']
    """

    layer = "gru"

    def __init__(
        self,
        hidden: Widths = [32],  # noqa: B006 - read, never written
        bidirectional: bool = False,
        dropout: _Rate = 0.0,
        pooling: OverTime = "last",
        embedding: _Size | None = None,
        truncate: _Size | None = None,
        reset: Literal["after", "before"] = "after",
    ) -> None:
        super().__init__(hidden, bidirectional, dropout, pooling, embedding, truncate)
        self.reset = reset

    def own_arguments(self) -> dict[str, Any]:
        return {"reset": self.reset}
