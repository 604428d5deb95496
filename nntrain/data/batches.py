"""Examples as arrays, the labels they are judged by, and the batches of an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, Self

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import StepStream, stream
from nntrain.data.chunks import filled, row_numbers, taken
from nntrain.data.content import content_order
from nntrain.data.parsing import narrowed
from nntrain.data.table import Table

_KEPT_BYTES = 16 << 20
"""A data set of up to this size may be in memory twice."""
_MANY_ROWS = 1 << 20
"""Of more rows the memory of their order counts; NumPy shuffles its own index type in two thirds of the time."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What outputs are judged by, one answer a row.

    Attributes:
        target: (L,) codes, or (L, D) values.
        weight: (L,) weights, or None for all ones.
        base: (L, D) what a value is told relative to, in a differenced series, else None.
    """

    target: Array
    weight: Array | None
    base: Array | None

    def __len__(self) -> int:
        return len(self.target)

    def at(self, which: Array) -> Self:
        """Return the answers at indexes, or where a mask (L,) is true."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return dataclasses.replace(self, **{name: array[which] for name, array in own.items() if array is not None})


@dataclass(frozen=True, slots=True)
class Labels(Answers):
    """Answers, and where they stand.

    Attributes:
        rows: (L,) row numbers in the table, from 0, of the cells that hold the answers.
    """

    rows: Array


class Reading(Protocol):
    """How stored numbers become the network's input: the scaling of pixels that are kept as bytes."""

    def apply(self, stored: Array, out: Array) -> None:
        """Write the float32 input for stored numbers of the same shape."""


class Augmentation(Protocol):
    """Random changes of training examples that keep their labels."""

    def apply(self, x: Array, noise: np.random.Generator) -> None:
        """Change a batch of inputs (B, ...) in place."""


@dataclass(frozen=True)
class Dataset:
    """Examples, ready for the network.

    Attributes:
        x: (N, \\*shape) float32 inputs, or what ``reading`` makes them of.
        target: (N,) codes or (N, D) values; where the steps of sequences have labels of their own, (N, T) or (N, T, D).
        weight: (N,) or (N, T) float32 weights, or None for all ones.
        rows: (N,) or (N, T) row numbers in the table, from 0.
        table: where the rows come from, for messages.
        lengths: (N,) true numbers of steps of padded sequences, or None where all examples have one shape.
        per_step: whether each step has a label.
        base: (N, D) what the values of a differenced series are relative to, or None.
        reading: turns stored numbers into inputs; None where they are inputs already.
        augmentation: of training batches, or None.
        reconstructs: whether the target is the input itself, flattened; ``target`` is then empty (N, 0).
    """

    x: Array
    target: Array
    weight: Array | None
    rows: Array
    table: Table | None = None
    lengths: Array | None = None
    per_step: bool = False
    base: Array | None = None
    reading: Reading | None = None
    augmentation: Augmentation | None = None
    reconstructs: bool = False

    def __len__(self) -> int:
        return len(self.x)

    def replace(self, **changes: object) -> Dataset:
        """Return the same examples with some attributes changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def subset(self, index: Array) -> Dataset:
        """Return the examples at ``index`` (M,)."""
        by_row = ("x", "target", "weight", "rows", "lengths", "base")
        chosen = {name: getattr(self, name) for name in by_row}
        return self.replace(**{name: None if array is None else array[index] for name, array in chosen.items()})

    @property
    def label_counts(self) -> Array | None:
        """(N,) how many labels each example has, or None where each has one."""
        return self.lengths if self.per_step else None

    def gather(self, index: Array, batch: Batch) -> Batch:
        """Copy the examples at ``index`` (B,) into the leading rows of a batch's arrays; return that part of them."""
        part = batch if len(index) == len(batch.x) else batch.part(0, len(index))
        self.x.take(index, axis=0, out=part.stored, mode="clip")
        if self.reading is not None:
            self.reading.apply(part.stored, part.x)
        if not self.reconstructs:
            self.target.take(index, axis=0, out=part.target, mode="clip")
        for own, parts in ((self.weight, part.weight), (self.lengths, part.lengths)):
            if own is not None and parts is not None:
                own.take(index, axis=0, out=parts, mode="clip")
        return part

    def buffers(self, rows: int) -> Batch:
        """Return arrays for a batch of ``rows``."""

        def like(array: Array | None) -> Array | None:
            return None if array is None else np.empty((rows, *array.shape[1:]), array.dtype)

        stored = np.empty((rows, *self.x.shape[1:]), self.x.dtype)
        x = stored if self.reading is None else np.empty(stored.shape, np.float32)
        shape = (rows, *self.target.shape[1:])
        target = x.reshape(rows, -1) if self.reconstructs else np.empty(shape, self.target.dtype)
        return Batch(x, target, like(self.weight), like(self.lengths), self.per_step, stored)

    def inputs(self) -> Array:
        """Return the network's inputs (N, \\*shape) of all examples: ``x`` itself where nothing is to be done."""
        if self.reading is None:
            return self.x
        x = np.empty(self.x.shape, np.float32)
        self.reading.apply(self.x, x)
        return x

    def inputs_at(self, index: Array, out: Array) -> None:
        """Write the network's inputs of the examples at ``index`` (B,)."""
        if self.reading is None:
            self.x.take(index, axis=0, out=out, mode="clip")
        else:
            self.reading.apply(self.x[index], out)

    @cached_property
    def by_content(self) -> tuple[Array, Array]:
        """(N,) an order of the examples that their inputs alone decide; (N,) the place there of each, or its equal."""
        order, first = content_order([self.x] if self.lengths is None else [self.x, self.lengths])
        places = np.empty_like(first)
        places[order] = first
        return order, places

    @cached_property
    def ordered_inputs(self) -> Array | None:
        """The network's inputs (N, \\*shape) by content, to be had without copying them; None of a large data set."""
        if self.reading is not None or self.x.nbytes > _KEPT_BYTES:
            return None
        return taken(self.x, self.by_content[0])

    def labels(self) -> Labels:
        """Return the labels of all examples."""
        labels = Labels(self._targets(), self.weight, self.base, self.rows)
        return labels.at(self.steps_there()) if self.per_step else labels

    def answers(self, order: Array) -> Answers:
        """Return what the outputs of all examples are judged by, in another order of the examples."""
        weight, base = (None if array is None else taken(array, order) for array in (self.weight, self.base))
        targets = self._targets() if self.reconstructs else self._narrow_target
        answers = Answers(taken(targets, order).astype(self.target.dtype, copy=False), weight, base)
        return answers.at(self.steps_there(order)) if self.per_step else answers

    @cached_property
    def _narrow_target(self) -> Array:
        """The target, codes in the narrowest type: in an epoch's order they lie anywhere, and so stay in the cache."""
        return narrowed(self.target) if self.target.dtype.kind == "i" else self.target

    def _targets(self) -> Array:
        return self.inputs().reshape(len(self), -1) if self.reconstructs else self.target

    def judged(self, outputs: Array, order: Array | None = None) -> Array:
        """Return outputs (N, K) or (N, T, K) as rows (L, K), one for each of :meth:`labels` or :meth:`answers`."""
        return outputs[self.steps_there(order)] if self.per_step else outputs

    def describe(self, rows: Array, most: int = 8) -> str:
        """Return the lines on which some rows of the table (L,), one at least, begin, in words."""
        rows = np.sort(rows)
        if self.table is None:
            return f"rows {_listed(rows[:most].tolist(), len(rows))}"
        places = self.table.places(rows[:most])
        return f"{places[0][0]}, lines {_listed([line for _, line in places], len(rows))}"

    def steps_there(self, order: Array | None = None) -> Array:
        """Return (N, T) bool, false where a step is padding."""
        assert self.lengths is not None, "only sequences have steps"
        lengths = self.lengths if order is None else self.lengths[order]
        return np.asarray(np.arange(self.x.shape[1]) < lengths[:, None])


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of one batch: x (B, ...), target (B, ...), weight and lengths (B,) or None, as in :class:`Dataset`."""

    x: Array
    target: Array
    weight: Array | None
    lengths: Array | None = None
    per_step: bool = False
    stored: Array = dataclasses.field(default_factory=lambda: np.empty(0))

    def part(self, start: int, end: int) -> Batch:
        """Return the examples from ``start`` to ``end``, without copying."""
        rows = slice(start, end)
        weight = None if self.weight is None else self.weight[rows]
        lengths = None if self.lengths is None else self.lengths[rows]
        return Batch(self.x[rows], self.target[rows], weight, lengths, self.per_step, self.stored[rows])


class Part(NamedTuple):
    """A shard's part of a batch.

    Attributes:
        start: where in the epoch's order it begins.
        active: how many shards have a part of this batch.
        batch: its examples.
    """

    start: int
    active: int
    batch: Batch


class Loader:
    """The batches of an epoch, in an order that is a function of the seed and the epoch alone.

    A batch is gathered whole, or cut into as many parts as there are shards. All batches share one set of arrays for
    each part, so a batch or part is valid until the next one is asked for.

    Args:
        dataset: training examples.
        batch_size: examples of a batch; ``full`` or more than there are: all of them.
        seed: of the order, and of the augmentation.
        shards: parts that a batch is cut into.

    >>> loader = Loader(Dataset(np.zeros((5, 1)), np.arange(5), None, np.arange(5)), batch_size=2, seed=0)
    >>> loader.begin(epoch=1)
    >>> sum((loader.batch(i).target.tolist() for i in range(loader.batch_count)), [])
    [3, 0, 2, 4, 1]
    """

    def __init__(self, dataset: Dataset, batch_size: int | str, seed: int, shards: int = 1) -> None:
        self.dataset = dataset
        self.batch_size = len(dataset) if isinstance(batch_size, str) else min(batch_size, len(dataset))
        self.batch_count = -(-len(dataset) // self.batch_size)
        self.seed = seed
        self.shards = shards
        self.epoch = 1
        self.order: Array = row_numbers(len(dataset)) if len(dataset) > _MANY_ROWS else np.arange(len(dataset))
        self._buffers: dict[tuple[int, int], Batch] = {}
        self._noise = StepStream(seed, "augmentation")
        self._counts: Array | None = dataset.label_counts
        self._weight: Array | None = _example_weights(dataset)
        self._ordered: list[Array | None] = [self._counts, self._weight]

    def begin(self, epoch: int) -> None:
        """Put the examples in the order of an epoch (from 1). One batch of all is not shuffled."""
        self.epoch = epoch
        if self.batch_count > 1:
            filled(self.order, lambda rows: np.arange(rows.start, rows.stop))
            stream(self.seed, "shuffle", epoch).shuffle(self.order)
        self._ordered = [None if own is None else own[self.order] for own in (self._counts, self._weight)]

    def bounds(self, number: int) -> tuple[int, int]:
        """Return where batch ``number`` (from 0) begins and ends in the epoch's order."""
        start = number * self.batch_size
        return start, min(start + self.batch_size, len(self.dataset))

    def batch(self, number: int) -> Batch:
        """Return batch ``number`` of the epoch, whole."""
        return self._gathered(*self.bounds(number), number, shard=0, shards=1)

    def part(self, number: int, shard: int) -> Part | None:
        """Return what a shard computes of batch ``number``; None where the batch has too few examples for it."""
        start, end = self.bounds(number)
        rows = end - start
        active = min(self.shards, rows)
        if shard >= active:
            return None
        first, last = start + rows * shard // active, start + rows * (shard + 1) // active
        return Part(first, active, self._gathered(first, last, number, shard, self.shards))

    def _gathered(self, start: int, end: int, number: int, shard: int, shards: int) -> Batch:
        """Return the examples from ``start`` to ``end`` of the epoch's order."""
        rows = end - start
        buffers = self._buffers.get((shard, rows))
        if buffers is None:
            most = self._buffers.setdefault((shard, -shards), self.dataset.buffers(-(-self.batch_size // shards)))
            buffers = self._buffers[shard, rows] = most.part(0, rows)
        batch = self.dataset.gather(self.order[start:end], buffers)
        if self.dataset.augmentation is not None:
            # Keyed by epoch and batch, so that a run that is resumed within an epoch sees the same pictures.
            self.dataset.augmentation.apply(batch.x, self._noise.at(self.epoch, shard, number))
        return batch

    def labels_between(self, start: int, end: int) -> int:
        """Return how many labels the examples from ``start`` to ``end`` of the epoch's order have."""
        counts = self._ordered[0]
        return end - start if counts is None else int(counts[start:end].sum())

    def weight_between(self, start: int, end: int) -> float:
        """Return the sum of the weights of those labels."""
        weight = self._ordered[1]
        if weight is None:
            return float(self.labels_between(start, end))
        return float(weight[start:end].sum(dtype=np.float64))

    def describe_rows(self, start: int, end: int) -> str:
        """Return the lines that the examples from ``start`` to ``end`` of the epoch's order begin on, in words."""
        rows = self.dataset.rows[self.order[start:end]]
        return self.dataset.describe(rows if rows.ndim == 1 else rows[:, 0])


def _example_weights(dataset: Dataset) -> Array | None:
    """Return the weight (N,) of each example: the sum over its steps where these have labels."""
    if dataset.weight is None or not dataset.per_step:
        return dataset.weight
    return np.asarray(np.where(dataset.steps_there(), dataset.weight, 0).sum(axis=1, dtype=np.float64))


def _listed(numbers: Sequence[int], count: int) -> str:
    shown = ", ".join(map(str, numbers))
    return shown if count <= len(numbers) else f"{shown}, ... ({count} in all)"
