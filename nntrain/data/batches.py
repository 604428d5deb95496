"""Examples as arrays, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.data.table import Table


@dataclass(frozen=True)
class Dataset:
    """Examples, ready for the network.

    Attributes:
        x: (N, F) float32 features.
        target: (N,) codes, or (N, D) values.
        weight: (N,) float32 weights, or None for all ones.
        rows: (N,) row numbers in the table, from 0.
        table: where the rows come from, for messages.
    """

    x: Array
    target: Array
    weight: Array | None
    rows: Array
    table: Table | None = None

    def __len__(self) -> int:
        return len(self.x)

    def subset(self, index: Array) -> Dataset:
        """Return the examples at ``index`` (M,)."""
        weight = None if self.weight is None else self.weight[index]
        return Dataset(self.x[index], self.target[index], weight, self.rows[index], self.table)

    def gather(self, index: Array, batch: Batch) -> Batch:
        """Copy the examples at ``index`` (B,) into the leading rows of a batch's arrays; return that part of them."""
        rows = len(index)
        part = batch if rows == len(batch.x) else batch.leading(rows)
        self.x.take(index, axis=0, out=part.x, mode="clip")
        self.target.take(index, axis=0, out=part.target, mode="clip")
        if self.weight is not None and part.weight is not None:
            self.weight.take(index, axis=0, out=part.weight, mode="clip")
        return part

    def buffers(self, rows: int) -> Batch:
        """Return arrays for a batch of ``rows``."""
        weight = None if self.weight is None else np.empty(rows, self.weight.dtype)
        x = np.empty((rows, *self.x.shape[1:]), self.x.dtype)
        return Batch(x, np.empty((rows, *self.target.shape[1:]), self.target.dtype), weight)


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of one batch: x (B, F), target (B,) or (B, D), weight (B,) or None."""

    x: Array
    target: Array
    weight: Array | None

    def leading(self, rows: int) -> Batch:
        """Return the first rows, without copying."""
        return Batch(self.x[:rows], self.target[:rows], None if self.weight is None else self.weight[:rows])


class Loader:
    """The batches of an epoch, in an order that is a function of the seed and the epoch alone.

    All batches share one set of arrays, so a batch is valid until the next one is asked for.

    Args:
        dataset: training examples.
        batch_size: rows of a batch; ``full`` or more than there are rows: all of them.
        seed: of the order.

    >>> loader = Loader(Dataset(np.zeros((5, 1)), np.arange(5), None, np.arange(5)), batch_size=2, seed=0)
    >>> loader.begin(epoch=1)
    >>> sum((loader.batch(i).target.tolist() for i in range(loader.batch_count)), [])
    [3, 0, 2, 4, 1]
    """

    def __init__(self, dataset: Dataset, batch_size: int | str, seed: int) -> None:
        self.dataset = dataset
        self.batch_size = len(dataset) if isinstance(batch_size, str) else min(batch_size, len(dataset))
        self.batch_count = -(-len(dataset) // self.batch_size)
        self.seed = seed
        self.order: Array = np.arange(len(dataset))
        self._buffers = dataset.buffers(self.batch_size)
        tail = len(dataset) % self.batch_size
        self._tail = self._buffers.leading(tail) if tail else self._buffers
        self._weight: Array | None = None

    def begin(self, epoch: int) -> None:
        """Put the rows in the order of an epoch (from 1). One batch of all rows is not shuffled."""
        if self.batch_count > 1:
            self.order = stream(self.seed, "shuffle", epoch).permutation(len(self.dataset))
        if self.dataset.weight is not None:
            self._weight = self.dataset.weight[self.order]

    def bounds(self, number: int) -> tuple[int, int]:
        """Return where batch ``number`` (from 0) begins and ends in the epoch's order."""
        start = number * self.batch_size
        return start, min(start + self.batch_size, len(self.dataset))

    def batch(self, number: int) -> Batch:
        """Return batch ``number`` of the epoch."""
        start, end = self.bounds(number)
        return self.dataset.gather(
            self.order[start:end], self._buffers if end - start == self.batch_size else self._tail
        )

    def weight_between(self, start: int, end: int) -> float:
        """Return the sum of the weights of the rows from ``start`` to ``end`` of the epoch's order."""
        return float(end - start) if self._weight is None else float(self._weight[start:end].sum(dtype=np.float64))

    def ordered(self) -> tuple[Array, Array | None]:
        """Return target and weight of all rows in the epoch's order."""
        return self.dataset.target[self.order], self._weight

    def describe_rows(self, start: int, end: int, most: int = 8) -> str:
        """Return the lines that the rows from ``start`` to ``end`` of the epoch's order stand on, in words."""
        rows = np.sort(self.dataset.rows[self.order[start:end]])
        table = self.dataset.table
        if table is None:
            return f"rows {_listed(rows[:most].tolist(), len(rows))}"
        places = table.places(rows[:most])
        return f"{places[0][0]}, lines {_listed([line for _, line in places], len(rows))}"


def _listed(numbers: Sequence[int], count: int) -> str:
    shown = ", ".join(map(str, numbers))
    return shown if count <= len(numbers) else f"{shown}, ... ({count} in all)"
