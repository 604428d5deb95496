"""Parameters, and the flat store that holds them all.

All trainable values of a network lie side by side in one vector, all gradients in another of the same length. The
optimizer, the gradient norm, a checkpoint, an average and an exchange between replicas are then each a few passes over
one vector, whatever the network looks like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.shared import shared_zeros

if TYPE_CHECKING:
    from nntrain.core.initializers import Initializer

UNBOUND: Array = np.empty(0)


class Parameter:
    """A named tensor of a layer; ``value`` and ``grad`` are views into the flat vectors of a :class:`ParameterStore`.

    Gradients accumulate within a step, and the first write of a step overwrites: a layer asks for
    :meth:`gradient_slot`, fills it, and calls :meth:`commit`. Where most rows of a table have no gradient, it calls
    :meth:`add_rows` instead.

    Args:
        name: what the layer calls it, ``kernel``; the network puts the layer's path in front: ``dense_1.kernel``.
        shape: of the tensor.
        initializer: makes the first values.
        trainable: False for statistics a layer keeps, such as batch norm's running mean; they have no gradient.
        penalized: whether ``regularization`` applies; False for biases and for scales and shifts of a normalization.
        rowwise: whether the gradient comes through :meth:`add_rows`.
        fans: inputs and outputs of one unit, for initializers that scale by them; from the shape where not given.
    """

    __slots__ = (
        "_scratch",
        "_store",
        "_written",
        "fans",
        "grad",
        "initializer",
        "name",
        "penalized",
        "rowwise",
        "shape",
        "trainable",
        "value",
    )

    def __init__(
        self,
        name: str,
        shape: Shape,
        initializer: Initializer,
        *,
        trainable: bool = True,
        penalized: bool = True,
        rowwise: bool = False,
        fans: tuple[int, int] | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.initializer = initializer
        self.trainable = trainable
        self.penalized = penalized
        self.rowwise = rowwise
        self.fans = fans or (shape[0] if shape else 1, shape[-1] if shape else 1)
        self.value: Array = UNBOUND
        self.grad: Array = UNBOUND
        self._store: ParameterStore | None = None
        self._scratch: Array | None = None
        self._written = -1

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def bind(self, store: ParameterStore, value: Array, grad: Array) -> None:
        """Make ``value`` and ``grad`` the parameter's own; called by the store."""
        self._store, self.value, self.grad, self._scratch, self._written = store, value, grad, None, -1

    def gradient_slot(self) -> Array:
        """Return where to write this step's gradient: ``grad`` itself the first time, else an array to be added."""
        assert self._store is not None, "the parameter belongs to no network"
        if self._written != self._store.step:
            return self.grad
        if self._scratch is None:
            self._scratch = np.empty_like(self.grad)
        return self._scratch

    def commit(self) -> None:
        """Take what was written into :meth:`gradient_slot` as part of this step's gradient."""
        assert self._store is not None, "the parameter belongs to no network"
        if self._written != self._store.step:
            self._written = self._store.step
            self._store.unwritten -= 1
        elif self._scratch is not None:
            np.add(self.grad, self._scratch, out=self.grad)

    def add_rows(self, rows: Array, sums: Array) -> None:
        """Add to some rows of this step's gradient; the others have none so far.

        No pass is made over the rest of the table where the last gradient's reader has left zeros behind it, see
        :meth:`ParameterStore.spent`.

        Args:
            rows: (n,) distinct numbers of rows.
            sums: (n, ...), contiguous; may be overwritten.
        """
        assert self._store is not None, "the parameter belongs to no network"
        if self._written == self._store.step:
            np.add(sums, self.grad[rows], out=sums)
        else:
            self.finish()
        # A row seen as one opaque item is copied whole, and without the memory that indexing would take.
        item = np.dtype((np.void, self.grad[:1].nbytes))
        if len(rows):
            self.grad.view(item).reshape(-1).put(rows, sums.view(item))

    def finish(self) -> None:
        """Zero a gradient that nothing was written into during this step."""
        assert self._store is not None, "the parameter belongs to no network"
        if self._written != self._store.step:
            self._written = self._store.step
            self._store.unwritten -= 1
            if not (self.rowwise and self._store.rows_are_zero):
                self.grad.fill(0)

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.shape})"


class OtherShapesError(ValueError):
    """Parameters are to share values of other shapes than their own."""


class ParameterStore:
    """One flat ``value`` and one flat ``grad`` vector (P,) for all trainable parameters, one ``buffer`` for the rest.

    Args:
        parameters: of all layers, in the network's order.
        dtype: float32 in training, float64 in gradient checks.
        shared: a store whose values this one shares, for a replica: its own gradients, the same weights.

    Raises:
        OtherShapesError: the parameters of the shared store have other shapes.

    Attributes:
        unwritten: how many gradients no layer has written in this step.
        rows_are_zero: whether, in this step, every rowwise gradient is 0 where nothing has been added to it.
    """

    def __init__(
        self, parameters: Sequence[Parameter], dtype: np.dtype[np.floating], shared: ParameterStore | None = None
    ) -> None:
        self.parameters = list(parameters)
        self.trainable = [p for p in self.parameters if p.trainable]
        self.dtype = dtype
        self.step = 0
        self.unwritten = len(self.trainable)
        self.rows_are_zero = self._spent = False
        size = sum(p.size for p in self.trainable)
        if shared is not None and [p.shape for p in parameters] != [p.shape for p in shared.parameters]:
            raise OtherShapesError("other parameters than those of the store whose values are shared")
        self.value: Array = np.zeros(size, dtype) if shared is None else shared.value
        self._zeros: Callable[[Shape, Any], Array] = np.zeros if shared is None else shared._zeros
        self.grad: Array = self._zeros((size,), dtype)
        buffered = [p for p in self.parameters if not p.trainable]
        self.buffer: Array = np.zeros(sum(p.size for p in buffered), dtype) if shared is None else shared.buffer
        self._bind(self.trainable, self.value, self.grad)
        self._bind(buffered, self.buffer, self.buffer)

    def _bind(self, parameters: Sequence[Parameter], values: Array, grads: Array) -> None:
        start = 0
        for parameter in parameters:
            end = start + parameter.size
            parameter.bind(self, values[start:end].reshape(parameter.shape), grads[start:end].reshape(parameter.shape))
            start = end

    def share(self) -> None:
        """Move values, gradients and buffer into memory that forked processes share, those of later replicas too.

        Views that were taken before are stale.
        """
        self._zeros = shared_zeros
        self.value, self.grad, self.buffer = (_in_shared_memory(a) for a in (self.value, self.grad, self.buffer))
        self._bind(self.trainable, self.value, self.grad)
        self._bind([p for p in self.parameters if not p.trainable], self.buffer, self.buffer)

    @property
    def size(self) -> int:
        """How many trainable numbers there are."""
        return self.value.size

    def begin_step(self) -> None:
        """Start a new step: the next write to each gradient overwrites what the last step left."""
        self.step += 1
        self.unwritten = len(self.trainable)
        self.rows_are_zero, self._spent = self._spent, False

    def spent(self) -> None:
        """Note that the last reader of this step's gradients has left zeros at :meth:`rowwise`.

        Whoever does not know of this leaves the gradients as they are, and the next step zeroes them as a whole.
        """
        self._spent = True

    def rowwise(self) -> list[slice]:
        """Return where the parameters whose gradients come by rows lie in the flat vectors."""
        places = zip(self.trainable, self.slices().values(), strict=True)
        return [place for parameter, place in places if parameter.rowwise]

    def finish_step(self) -> None:
        """Zero the gradients that no layer has written in this step."""
        if self.unwritten:
            for parameter in self.trainable:
                parameter.finish()

    def slices(self) -> dict[str, slice]:
        """Return where each trainable parameter lies in the flat vectors."""
        found, start = {}, 0
        for parameter in self.trainable:
            found[parameter.name] = slice(start, start + parameter.size)
            start += parameter.size
        return found


def _in_shared_memory(vector: Array) -> Array:
    moved = shared_zeros(vector.shape, vector.dtype)
    moved[...] = vector
    return moved
