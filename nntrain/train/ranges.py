"""What the numbers of one update are like, layer by layer and parameter by parameter."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.tracing import tap
from nntrain.train.diagnosis import passes
from nntrain.train.labelled import value_and_grad

if TYPE_CHECKING:
    from nntrain.train.replicas import Replicas


@dataclass(slots=True)
class Range:
    """Smallest and largest of the finite numbers of some arrays, their root mean square, and how many are not finite.

    >>> found = Range()
    >>> found.take(np.array([3.0, np.nan, -4.0]))
    >>> found.least, found.largest, found.root_mean_square == 12.5**0.5, found.not_finite
    (-4.0, 3.0, True, 1)
    """

    count: int = 0
    not_finite: int = 0
    zeros: int = 0
    least: float | None = None
    largest: float | None = None
    squares: float = 0.0

    def take(self, values: Array) -> None:
        """Add the numbers of an array."""
        finite = values[np.isfinite(values)].astype(np.float64)
        self.count += values.size
        self.not_finite += values.size - finite.size
        self.zeros += int((finite == 0).sum())
        if finite.size:
            least, largest = float(finite.min()), float(finite.max())
            self.least = least if self.least is None else min(self.least, least)
            self.largest = largest if self.largest is None else max(self.largest, largest)
            self.squares += float(finite @ finite)

    @property
    def root_mean_square(self) -> float | None:
        """Of the finite numbers; None where there are none."""
        finite = self.count - self.not_finite
        return math.sqrt(self.squares / finite) if finite else None

    def as_json(self) -> dict[str, Any]:
        """Return the range as plain values."""
        plain = asdict(self)
        del plain["squares"]
        return {**plain, "root_mean_square": self.root_mean_square}


@dataclass(slots=True)
class LayerRanges:
    """A layer's output, and the gradient of the loss with respect to its input, over the batches of an update."""

    layer: str
    kind: str
    out_shape: Shape
    output: Range = field(default_factory=Range)
    gradient: Range = field(default_factory=Range)


@dataclass(slots=True)
class ParameterRanges:
    """A parameter's values before an update, and their gradient, before clipping."""

    parameter: str
    value: Range
    gradient: Range


def examine(replicas: Replicas, step: int, first: int, last: int) -> tuple[list[LayerRanges], list[ParameterRanges]]:
    """Make the passes of an update on a twin, and return what is seen of each layer and parameter; nothing changes.

    A layer whose bias and activation a max pool does shows the numbers that the pool leaves.

    Args:
        replicas: at the epoch of the update.
        step: number of the update.
        first: number of its first batch in the epoch.
        last: of the one after its last.
    """
    twin, loss = replicas.network.replica(), replicas.shards[0].loss
    shapes = {row.name: row.out_shape for row in replicas.network.table()}
    layers = []
    for layer in twin.layers:
        found = LayerRanges(layer.name, LAYERS.name_of(layer), shapes[layer.name])
        layers.append(found)
        tap(layer, found.output.take, found.gradient.take)
    statistics = replicas.network.store.buffer.copy()
    labels = _labels(replicas, first, last)
    twin.store.begin_step()
    for number in range(first, last):
        for shard, batch in passes(replicas, number):
            ctx = Context(training=True, step=step, batch=number - first, shard=shard, lengths=batch.lengths)
            twin.backward(value_and_grad(loss, twin.forward(batch.x, ctx), batch, labels)[1])
    twin.store.finish_step()
    np.copyto(replicas.network.store.buffer, statistics)  # the twin shares them
    return layers, [_parameter(each.name, each.value, each.grad) for each in twin.store.trainable]


def _labels(replicas: Replicas, first: int, last: int) -> int:
    loader = replicas.loader
    return loader.labels_between(loader.bounds(first)[0], loader.bounds(last - 1)[1])


def _parameter(name: str, value: Array, gradient: Array) -> ParameterRanges:
    found = ParameterRanges(name, Range(), Range())
    found.value.take(value)
    found.gradient.take(gradient)
    return found
