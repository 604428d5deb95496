"""Judging a network on a data set: its loss and metrics, the same bits for any order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.losses.base import Loss
from nntrain.metrics.base import Metric, Predictions, Undefined, evaluate, weighted_mean

BATCH = 256
"""Rows in a batch of evaluation. It is fixed, and the last batch is padded, because a matrix product may round
differently at another size; so a row's prediction does not depend on the rows around it."""

Decode: TypeAlias = Callable[[Array], Array]


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
        self._batch = np.zeros((BATCH, *network.in_shape), network.dtype)

    def outputs(self, x: Array) -> Array:
        """Return the network's outputs (N, K) for features (N, \\*in_shape)."""
        outputs = np.empty((len(x), *self.network.out_shape), self.network.dtype)
        for start in range(0, len(x), BATCH):
            part = x[start : start + BATCH]
            if len(part) < BATCH:
                self._batch[: len(part)] = part
                self._batch[len(part) :] = 0
                part = self._batch
            outputs[start : start + BATCH] = self.network.forward(part)[: len(x) - start]
        return outputs

    def judge(self, outputs: Array, target: Array, weight: Array | None) -> Judgement:
        """Return loss and metrics of outputs (N, K) for a target as in :class:`~nntrain.core.task.Task`."""
        task = self.loss.task
        reasons: dict[str, str] = {}
        loss: float | None = None
        try:
            loss = weighted_mean(self.loss.rows(outputs, target), weight)
        except Undefined as undefined:
            reasons["loss"] = str(undefined)
        predictions = self.predictions(task, outputs, target, weight)
        values, undefined_metrics = evaluate(self.metrics, predictions)
        return Judgement(loss, values, {**reasons, **undefined_metrics}, predictions)

    def metric_values(self, outputs: Array, target: Array, weight: Array | None) -> dict[str, float | None]:
        """Return the metrics alone."""
        return evaluate(self.metrics, self.predictions(self.loss.task, outputs, target, weight))[0]

    def predictions(self, task: Task, outputs: Array, target: Array, weight: Array | None) -> Predictions:
        """Return outputs as what they stand for, beside the truth, both in original units."""
        if task.kind == "regression":
            target = self.decode(target)
        return Predictions(task, target, self.linked(outputs), weight, self.loss.gives_probabilities)

    def linked(self, outputs: Array) -> Array:
        """Return what outputs stand for: one column a class, or values in original units."""
        linked = self.loss.link(outputs)
        return self.decode(linked) if self.loss.task.kind == "regression" else linked
