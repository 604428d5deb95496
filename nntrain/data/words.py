"""The bytes of cells as 64-bit words, so that eight characters are looked at in one go.

Every pass is one of NumPy over all cells, and leaves other threads free to run.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nntrain.data.marks import Bytes, Positions

Word = NDArray[np.uint64]

BYTES = 8
"""Bytes of a word."""
FARTHEST = 32
"""How far before the end of a stretch its words may reach."""

_LEAD = FARTHEST + BYTES
_LITTLE = np.dtype("<u8")
_NOTHING = np.uint64(0)
_WHOLE = [(1 << 64) - (1 << (64 - 8 * count)) for count in range(BYTES + 1)]
_KEPT = [
    np.array([_WHOLE[max(0, min(length - before, BYTES))] for length in range(FARTHEST + 1)], np.uint64)
    for before in range(0, FARTHEST, BYTES)
]
"""For each word, counted from the end of a stretch, and each length the mask of the bytes that are of the stretch."""


class Words:
    """A text of which any stretch can be taken as words; the memory is used again for the next text.

    ``bytes``: the text.

    >>> words = Words()
    >>> words.load(b"ab,c\\n")
    >>> [word.astype("<u8").tobytes() for word in words.before(np.array([2]), np.array([2]))]
    [b'\\x00\\x00\\x00\\x00\\x00\\x00ab']
    """

    def __init__(self) -> None:
        self._words: Word = np.empty(0, _LITTLE)
        self.bytes: Bytes = np.empty(0, np.uint8)

    def load(self, text: memoryview | bytes) -> None:
        """Take another text."""
        size = len(text)
        needed = (_LEAD + size) // BYTES + 2  # before the text there is room for the words that it begins with
        if needed > self._words.size:
            self._words = np.empty(needed, _LITTLE)
        self.bytes = self._words.view(np.uint8)[_LEAD : _LEAD + size]
        self.bytes[:] = np.frombuffer(text, np.uint8)

    def before(
        self, ends: Positions, lengths: Positions, most: int = FARTHEST, base: np.uint64 = _NOTHING
    ) -> Iterator[Word]:
        """Yield the last eight bytes of stretches (N,), the very last in the highest bits, then the eight before them.

        Bytes outside a stretch are zero. There is one word at least.

        Args:
            ends: (N,) the offset after each stretch.
            lengths: (N,) their lengths.
            most: bytes farther before the end are not looked at.
            base: what each word is to be the difference (xor) to, before bytes outside are made zero.
        """
        longest = min(int(lengths.max(initial=0)), most)
        place = ends >> 3
        shift = (ends << 3).view(np.uint64)
        shift &= np.uint64(63)
        rest = np.uint64(64) - shift
        first = _LEAD // BYTES  # the word in which the text begins
        high = self._words[first:].take(place)
        for kept in _KEPT[: max(1, -(-longest // BYTES))]:
            first -= 1
            low = self._words[first:].take(place)
            word = low >> shift
            high <<= rest  # nothing is left of a word that is shifted by 64 bits
            word |= high
            if base:
                word ^= base
            word &= kept.take(lengths, mode="clip")
            yield word
            high = low
