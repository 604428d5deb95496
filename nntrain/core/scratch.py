"""Reused memory for intermediate results."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.memory import size_text


class _Limit:
    """How much more scratch memory may be taken, or None for any size."""

    left: int | None = None

    def take(self, size: int) -> None:
        if self.left is None:
            return
        if size > self.left:
            raise MemoryError(f"Unable to allocate {size_text(size)}: {size_text(self.left)} are left")
        self.left -= size


_LIMIT = _Limit()


@contextmanager
def limited_scratch(most: int | None) -> Iterator[None]:
    """Let all owners together take at most so many bytes inside; what is more is a MemoryError before it is taken.

    The system itself often grants more than there is, and ends the process when it is used.

    >>> with limited_scratch(100):
    ...     ScratchOwner().scratch("y", (10, 10))
    Traceback (most recent call last):
    MemoryError: Unable to allocate 400 bytes: 100 bytes are left
    """
    _LIMIT.left = most
    try:
        yield
    finally:
        _LIMIT.left = None


class ScratchOwner:
    """Base of what computes batch after batch without allocating: layers and losses.

    Attributes:
        dtype: of the arrays that :meth:`scratch` gives where no other is asked for.
        allocates: whether a step takes new memory, which is slower; a class that cannot do without says so.

    >>> owner = ScratchOwner()
    >>> whole = owner.scratch("y", (8, 3))
    >>> np.shares_memory(whole, owner.scratch("y", (5, 3)))
    True
    """

    allocates: ClassVar[bool] = False

    dtype: np.dtype[Any] = np.dtype(np.float32)
    _arrays: dict[str, Array]
    _numbers: dict[float, Array]

    def scratch(self, key: str, shape: Shape, dtype: Any = None) -> Array:
        """Return an uninitialized array of the owner's own, the same memory at every call with this key.

        The memory grows to the largest shape asked for and is never given back before :meth:`release`; a shorter batch
        gets a leading part of it, so a short last batch allocates nothing.
        """
        # Called several times by each layer in each step, so the usual case comes first and does next to nothing.
        try:
            array = self._arrays[key]
        except (AttributeError, KeyError):
            return self._shaped(key, shape, dtype)
        if array.shape == shape and (dtype is None or array.dtype == dtype):
            return array
        return self._shaped(key, shape, dtype)

    def _shaped(self, key: str, shape: Shape, dtype: Any) -> Array:
        """Return the leading part of a key's memory in another shape, and grow the memory where it is too small."""
        arrays: dict[str, Array] = self.__dict__.setdefault("_arrays", {})
        memories: dict[str, Array] = self.__dict__.setdefault("_memories", {})
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        memory = memories.get(key)
        size = math.prod(shape)
        if memory is None or memory.size < size or memory.dtype != wanted:
            _LIMIT.take(size * wanted.itemsize - (0 if memory is None else memory.nbytes))
            memory = memories[key] = np.empty(size, wanted)
        array = arrays[key] = memory[:size].reshape(shape)
        return array

    def number(self, value: float) -> Array:
        """Return a number as a read-only array () of the owner's dtype, the same at every call.

        A NumPy call on a short array takes half the time with it that it takes with a bare Python number.

        >>> ScratchOwner().number(0.5)
        array(0.5, dtype=float32)
        """
        try:
            return self._numbers[value]
        except (AttributeError, KeyError):
            number = np.array(value, self.dtype)
            number.flags.writeable = False
            self.__dict__.setdefault("_numbers", {})[value] = number
            return number

    @property
    def scratch_bytes(self) -> int:
        """How much memory :meth:`scratch` has taken."""
        memories: dict[str, Array] = self.__dict__.get("_memories", {})
        return sum(memory.nbytes for memory in memories.values())

    def release(self) -> None:
        """Give the memory back; the dtype may be another one from now on."""
        self.__dict__.pop("_numbers", None)
        self.__dict__.pop("_arrays", None)
        self.__dict__.pop("_memories", None)
