"""Random bits by the million: each is a hash of its own place, so that a few array operations make them all.

A generator that steps from one number to the next takes 2 nanoseconds for each draw; hashing takes a third of one for
16 bits. That is what dropout needs, which draws once for every number that passes through it.
"""

from __future__ import annotations

import sys

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import role_key
from nntrain.core.scratch import ScratchOwner

MASK = 2**64 - 1


def mixed(number: int) -> int:
    """Return 64 bits that all depend on all of the lowest 64 bits of a number (Steele, Lea and Flood 2014, figure 16).

    >>> mixed(1) == mixed(1), mixed(1) == mixed(2)
    (True, False)
    """
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & MASK
    return number ^ number >> 31


class HashedBits(ScratchOwner):
    """A stream of random bits for each step, batch and shard of a run.

    A word of 32 bits is a hash of its place with two keys that the step, batch and shard decide. The hash shifts and
    multiplies twice, with the constants that Wellons (2018, "lowbias32") found: where one bit of the place changes,
    each bit of the result changes with a probability of 1/2. Whole numbers only, so the same bits on any machine.

    Args:
        seed: the run's seed.
        role: what the bits are for, for example ``noise:dropout_1``.

    >>> bits = HashedBits(0, "dropout")
    >>> first = bits.at(step=3).halves(4).tolist()
    >>> bits.at(step=4).halves(4).tolist() == first, bits.at(step=3).halves(4).tolist() == first
    (False, True)
    """

    def __init__(self, seed: int, role: str) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=(role_key(role),))
        self._key = int(sequence.generate_state(1, np.uint64)[0])
        self._keys = np.zeros((), np.uint32), np.zeros((), np.uint32)
        self._shifts = np.array(16, np.uint32), np.array(15, np.uint32)
        self._factors = np.array(0x7FEB352D, np.uint32), np.array(0x846CA68B, np.uint32)
        self._places = np.arange(0, dtype=np.uint32)

    def at(self, step: int, shard: int = 0, batch: int = 0) -> HashedBits:
        """Return the stream itself, at the start of that of ``(step, shard, batch)``."""
        key = mixed(self._key ^ (step | shard << 40 | batch << 48))
        self._keys[0][()], self._keys[1][()] = key & 0xFFFFFFFF, key >> 32
        return self

    def words(self, count: int) -> Array:
        """Return so many words (count,) of type uint32, the same at every call; valid until the next."""
        if len(self._places) < count:
            self._places = np.arange(count, dtype=np.uint32)
        words, spare = self.scratch("words", (count,), np.uint32), self.scratch("spare", (count,), np.uint32)
        (first, second), (wide, narrow), (one, other) = self._keys, self._shifts, self._factors
        np.add(self._places[:count], first, words)
        np.bitwise_xor(words, np.right_shift(words, wide, spare), words)
        np.multiply(words, one, words)
        np.bitwise_xor(words, np.right_shift(words, narrow, spare), words)
        np.add(words, second, words)
        np.multiply(words, other, words)
        return np.bitwise_xor(words, np.right_shift(words, wide, spare), words)

    def halves(self, count: int) -> Array:
        """Return so many halves of words (count,), of type uint16, the same at every call; valid until the next."""
        halves = self.words(-(-count // 2)).view(np.uint16)
        if sys.byteorder == "big":
            halves = halves.reshape(-1, 2)[:, ::-1].reshape(-1)  # the lower half of a word first, on any machine
        return halves[:count]
