"""Judging a network on a data set: its loss and metrics, the same bits for any order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from nntrain.core.array import Array, Shape, read_only
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.core.parameter import OtherShapesError
from nntrain.data.batches import Answers, Dataset
from nntrain.data.chunks import taken
from nntrain.errors import ConfigError, DataError
from nntrain.losses.base import Loss
from nntrain.metrics.base import Metric, Predictions, Undefined, evaluate, weighted_mean

BATCH = 256
"""Rows in a batch of evaluation. It is fixed, and the last batch is padded, because a matrix product may round
differently at another size; and on some processors at another place of the batch, so examples are taken in an order
that their content alone decides, and equal ones share their output. So no order of a file's rows changes a bit."""

Decode: TypeAlias = Callable[[Array, Array | None], Array]
"""Maps values (L, D) to the target's own units, given what they are relative to (L, D) or None."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an evaluation found.

    Attributes:
        loss: weighted mean loss per row, None where it is undefined.
        metrics: values by name, None where undefined.
        reasons: why a value is undefined, by name.
        predictions: outputs beside the truth.
    """

    loss: float | None
    metrics: dict[str, float | None]
    reasons: dict[str, str]
    predictions: Predictions


def forward_batches(network: Network, data: Dataset, outputs: Array, first: int = 0, stride: int = 1) -> None:
    """Write the network's outputs for every ``stride``-th batch of a data set, beginning with number ``first``.

    Args:
        network: takes the data's examples.
        data: N examples.
        outputs: (N, \\*out_shape), in the order of :attr:`Dataset.by_content`.
        first: number of the first batch, from 0.
        stride: between two of them.
    """
    order, _ = data.by_content
    batch = np.empty((BATCH, *network.in_shape), network.dtype)
    lengths = None if data.lengths is None else np.zeros(BATCH, np.int64)
    ordered = data.ordered_inputs
    for start in range(first * BATCH, len(data), stride * BATCH):
        index = order[start : start + BATCH]
        rows = len(index)
        if ordered is not None and rows == BATCH and lengths is None:
            outputs[start : start + BATCH] = network.forward(ordered[start : start + BATCH])
            continue
        data.inputs_at(index, batch[:rows])
        batch[rows:] = 0
        if lengths is not None and data.lengths is not None:
            lengths[:rows], lengths[rows:] = data.lengths[index], 0
        outputs[start : start + BATCH] = network.forward(batch, Context(lengths=lengths))[:rows]


def scattered(ordered: Array, data: Dataset) -> Array:
    """Return outputs in the order of the data's rows; equal examples share the output of the first of them."""
    return taken(ordered, data.by_content[1])


class Undecided(Predictions):
    """Predictions of classes that link the network's outputs where a metric asks: many need the classes alone.

    Args:
        loss: links and decides.
        outputs: (N, K) of the network.
        target: (N,) codes.
        weight: (N,) or None.
    """

    _loss: Loss
    _outputs: Array

    def __init__(self, loss: Loss, outputs: Array, target: Array, weight: Array | None) -> None:
        facts = {"task": loss.task, "target": read_only(target), "is_probability": loss.gives_probabilities}
        own = {"_loss": loss, "_outputs": read_only(outputs)}
        self.__dict__.update(facts, weight=None if weight is None else read_only(weight), **own)

    @cached_property
    def output(self) -> Array:
        """(N, K) probabilities or scores."""
        return read_only(self._loss.link(self._outputs))

    @cached_property
    def predicted(self) -> Array:
        return self._loss.decide(self._outputs)

    @cached_property
    def faults(self) -> str | None:
        return self.faults_of(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)


class Evaluator:
    """Computes outputs, loss and metrics.

    Args:
        network: to be judged, at the weights it has at each call.
        loss: computes each row's loss and what an output stands for.
        metrics: by name.
        decode: maps predicted values to the target's original units.
    """

    def __init__(self, network: Network, loss: Loss, metrics: Mapping[str, Metric], decode: Decode) -> None:
        self.network = network
        self.loss = loss
        self.metrics = metrics
        self.decode = decode
        self._networks: dict[Shape, Network] = {network.in_shape: network}

    def outputs(self, data: Dataset) -> Array:
        """Return the network's outputs (L, K), one row for each of the data's labels.

        Raises:
            DataError: sequences are longer than any in training, and the network takes no longer ones.
        """
        return data.judged(self.all_outputs(data))

    def all_outputs(self, data: Dataset) -> Array:
        """Return the network's outputs (N, \\*out_shape), those of padding included."""
        network = self._network_for(data)
        ordered = np.empty((len(data), *network.out_shape), network.dtype)
        forward_batches(network, data, ordered)
        return scattered(ordered, data)

    def _network_for(self, data: Dataset) -> Network:
        """Return the network itself, or one over the same weights for longer sequences."""
        shape = data.x.shape[1:]
        if shape not in self._networks:
            self._networks[shape] = self._longer(data, shape)
        return self._networks[shape]

    def _longer(self, data: Dataset, shape: Shape) -> Network:
        steps, taken = shape[0], self.network.in_shape[0]
        try:
            return self.network.replica(shape)
        except (ConfigError, OtherShapesError):
            pass
        assert data.lengths is not None, "only sequences differ in their shapes"
        row = data.rows[int(np.argmax(data.lengths))]
        path, line = (None, None) if data.table is None else data.table.place(int(row if row.ndim == 0 else row[0]))
        raise DataError(
            f"a sequence has {steps} steps, and this network takes {taken} at most, as in training",
            path=path,
            line=line,
            help="use an architecture that takes any length (rnn, lstm, gru, fcn), or train on sequences as long",
        )

    def judge(self, outputs: Array, answers: Answers) -> Judgement:
        """Return loss and metrics of outputs (L, K) by their answers."""
        reasons: dict[str, str] = {}
        loss: float | None = None
        try:
            loss = weighted_mean(self.loss.rows(outputs, answers.target), answers.weight)
        except Undefined as undefined:
            reasons["loss"] = str(undefined)
        predictions = self.predictions(outputs, answers)
        values, undefined_metrics = evaluate(self.metrics, predictions)
        return Judgement(loss, values, {**reasons, **undefined_metrics}, predictions)

    def judged(self, data: Dataset) -> Judgement:
        """Return loss and metrics of a data set."""
        return self.judge(self.outputs(data), data.labels())

    def metric_values(self, outputs: Array, answers: Answers) -> tuple[dict[str, float | None], dict[str, str]]:
        """Return the metrics alone by name, None where undefined, and the reasons by name."""
        return evaluate(self.metrics, self.predictions(outputs, answers))

    def predictions(self, outputs: Array, answers: Answers) -> Predictions:
        """Return outputs as what they stand for, beside the truth, both in original units."""
        task, target = self.loss.task, answers.target
        if task.kind == "regression":
            target = self.decode(target, answers.base)
        if task.is_classification:
            return Undecided(self.loss, outputs, target, answers.weight)
        linked = self.linked(outputs, answers.base)
        return Predictions(task, target, linked, answers.weight, self.loss.gives_probabilities)

    def linked(self, outputs: Array, base: Array | None = None) -> Array:
        """Return what outputs stand for: one column a class, or values in original units."""
        linked = self.loss.link(outputs)
        return self.decode(linked, base) if self.loss.task.kind == "regression" else linked
