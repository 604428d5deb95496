"""Blocks of a file parsed here and, at the same time, in other places; what comes out does not depend on where."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from nntrain.core.place import Place, new_place
from nntrain.core.processors import processors
from nntrain.core.shared import shared_zeros
from nntrain.data.pieces import Array, Piece, Positions, Texts, laid_out, memory_for, numbers_of, put_into
from nntrain.errors import ResourceError

_MOST_PLACES = 4
_MOST_WAITING = 16
"""Blocks that are parsed or being parsed and wait for their turn."""
_SLOTS = 4
"""Blocks that a place has at a time: one to parse, and some to go on with while this one is busy with its own."""
_GROWTH = 4
"""Bytes of pieces for a byte of text, at most: a digit and a comma may become eight bytes."""
_KEPT_BYTES = 24 << 20


@dataclass(frozen=True, slots=True)
class Parsed:
    """A block that was parsed.

    ``pieces``: one for each column; ``rows``: its records; ``newlines``: in it; ``lines``, ``is_shortest``: those of a
    :class:`~nntrain.data.piece_store.Block`.
    """

    pieces: Sequence[Piece]
    rows: int
    newlines: int
    lines: Positions | None
    is_shortest: bool


Parse = Callable[[memoryview], "Parsed | None"]
_Told: TypeAlias = list[tuple[str, "Sequence[str] | None"]]
"""Of each piece the type of its numbers, and its distinct texts or None."""


class ParallelBlocks:
    """Parses blocks in several places, this one among them.

    Args:
        parse: returns a block parsed, or None where it has faults; also in a copy of this process.
        largest: bytes of a block that may be parsed elsewhere.
    """

    def __init__(self, parse: Parse, largest: int) -> None:
        self._parse, self._largest = parse, largest
        self._helpers: list[_Helper] | None = None

    def in_order(self, blocks: Iterable[tuple[int, memoryview]]) -> Iterator[tuple[int, memoryview, Parsed | None]]:
        """Yield each block, with where it begins, and it parsed; the pieces are good until the next one."""
        waiting: deque[tuple[int, Pending]] = deque()
        for start, block in blocks:
            waiting.append((start, self.submit(block)))
            while waiting and (waiting[0][1].is_ready or len(waiting) > _MOST_WAITING):
                yield self._next(waiting)
        while waiting:
            late = [i for i, (_, pending) in enumerate(waiting) if not pending.is_ready]
            if late:  # what others have yet to begin is done here, from the end
                start, pending = waiting[late[-1]]
                waiting[late[-1]] = start, self.take_back(pending)
            yield self._next(waiting)

    def _next(self, waiting: deque[tuple[int, Pending]]) -> tuple[int, memoryview, Parsed | None]:
        start, pending = waiting.popleft()
        return start, pending.block, self.result(pending)

    def submit(self, block: memoryview) -> Pending:
        """Begin to parse a block elsewhere, or parse it here where all other places are busy or it is a small one."""
        is_worth_it = self._helpers or len(block) > self._largest // 4
        for helper in self._started() if is_worth_it and len(block) <= self._largest else ():
            if helper.submit(block):
                return Pending(block, helper, None)
        return Pending(block, None, self._parse(block))

    def result(self, pending: Pending) -> Parsed | None:
        """Return a block parsed; the blocks must be asked for in the order in which they were submitted."""
        if pending.helper is None:
            return pending.parsed
        try:
            return pending.helper.result()
        except ResourceError:  # its process was ended from outside: what it did can be done here
            return self._parse(pending.block)

    def take_back(self, pending: Pending) -> Pending:
        """Parse a block here after all, where it is the last one submitted and somebody else has yet to begin it."""
        if pending.helper is None or not pending.helper.take_back(pending.block):
            return pending
        return Pending(pending.block, None, self._parse(pending.block))

    def _started(self) -> list[_Helper]:
        if self._helpers is None:
            self._helpers = []
            with suppress(OSError, MemoryError):  # where no further process can be had, those there are do the work
                # glibc gives freed memory back to the system and takes it anew, page by page, at every block, which is
                # a third of the time; having freed one large array it keeps up to twice as much as that.
                np.empty(_KEPT_BYTES, np.uint8)
                for _ in range(min(processors(), _MOST_PLACES) - 1):
                    self._helpers.append(_Helper(self._parse, self._largest))
        return self._helpers

    def close(self) -> None:
        """End the other places."""
        for helper in self._helpers or ():
            helper.close()
        self._helpers = []


class Pending(NamedTuple):
    """A block that was submitted."""

    block: memoryview
    helper: _Helper | None
    parsed: Parsed | None

    @property
    def is_ready(self) -> bool:
        """Whether its result is there."""
        return self.helper is None or self.helper.is_ready


class _Helper:
    """Another place, and the memory that is shared with it."""

    def __init__(self, parse: Parse, largest: int) -> None:
        self._texts = [shared_zeros((largest,), np.uint8) for _ in range(_SLOTS)]
        self._worker = _Worker(
            parse, self._texts, [shared_zeros((_GROWTH * largest,), np.uint8) for _ in range(_SLOTS)]
        )
        self._free, self._busy = deque(range(_SLOTS)), deque[tuple[int, memoryview]]()
        self._place: Place | None = new_place(self._worker)

    @property
    def is_ready(self) -> bool:
        return self._place is None or self._place.has_answer()

    def submit(self, block: memoryview) -> bool:
        """Begin to parse a block, and return whether there was room for it."""
        if not self._free or self._place is None:
            return False
        slot = self._free[0]
        self._texts[slot][: len(block)] = np.frombuffer(block, np.uint8)
        try:
            self._place.send("parse", (slot, len(block)))
        except ResourceError:
            self.close()
            return False
        self._busy.append((self._free.popleft(), block))
        return True

    def result(self) -> Parsed | None:
        """Return the block that was submitted first.

        Raises:
            ResourceError: the process has ended.
        """
        slot, _ = self._busy.popleft()
        if self._place is None:
            raise ResourceError("a process that parses blocks was ended from outside")
        answer, error = self._place.receive()
        self._free.append(slot)
        if isinstance(error, ResourceError):
            self.close()
        if error is not None:
            raise error
        return self._worker.unpacked(slot, *answer)

    def take_back(self, block: memoryview) -> bool:
        """Give up the block that was submitted last and is not being parsed; return whether this is it."""
        if len(self._busy) < 2 or self._busy[-1][1] is not block:
            return False
        self._busy.pop()
        return True

    def close(self) -> None:
        if self._place is not None:
            self._place.close()
            self._place = None


class _Worker:
    """Parses blocks that lie in shared memory, and puts the pieces into such memory as far as there is room."""

    def __init__(self, parse: Parse, texts: list[Array], pieces: list[Array]) -> None:
        self._parse, self._texts, self._pieces = parse, texts, pieces

    def parse(self, slot: int, size: int) -> tuple[Parsed | None, _Told | None]:
        """Return a block parsed, and what its pieces are where they lie in the memory; None where they come along."""
        parsed = self._parse(self._texts[slot][:size].data)
        if parsed is None or memory_for(parsed.pieces) > self._pieces[slot].size:
            return parsed, None
        put_into(self._pieces[slot], parsed.pieces, parsed.rows)
        told = [(numbers_of(piece).dtype.str, getattr(piece, "distinct", None)) for piece in parsed.pieces]
        return replace(parsed, pieces=()), told

    def unpacked(self, slot: int, parsed: Parsed | None, told: _Told | None) -> Parsed | None:
        """Return a block with its pieces, which are good until the next one is submitted."""
        if parsed is None or told is None:
            return parsed
        arrays = laid_out(self._pieces[slot], (dtype for dtype, _ in told), parsed.rows)
        pairs = zip(arrays, (distinct for _, distinct in told), strict=True)
        return replace(
            parsed, pieces=[array if distinct is None else Texts(array, distinct) for array, distinct in pairs]
        )
