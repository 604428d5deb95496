"""Randomness by role: every random stream is named, keyed by the seed, and independent of every other.

Adding a dropout layer must not change the split, and the order of epoch 7 must not depend on epoch 6; so a stream is a
function of ``(seed, role, integers)`` and never of what was drawn before. Nothing here or elsewhere in nntrain touches
NumPy's global state.
"""

from __future__ import annotations

import zlib

import numpy as np


def role_key(role: str) -> int:
    """Return the 32-bit key of a role.

    >>> role_key("shuffle") == role_key("shuffle"), role_key("shuffle") == role_key("split")
    (True, False)
    """
    return zlib.crc32(role.encode())


def stream(seed: int, role: str, *integers: int) -> np.random.Generator:
    """Return the generator of a role: ``SeedSequence(seed, spawn_key=(crc32(role), *integers))`` over PCG64.

    >>> float(stream(0, "init").random()) == float(stream(0, "init").random())
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(role_key(role), *integers))
    return np.random.Generator(np.random.PCG64(sequence))


class StepStream:
    """A stream with one independent substream per training step, for dropout and other noise.

    Philox is a counter-based generator: setting its counter is 20 times cheaper than seeding a new PCG64, and any
    step can be re-entered without replaying the ones before it.

    Args:
        seed: the run's seed.
        role: what the noise is for, for example ``dropout:dropout_1``.

    >>> noise = StepStream(0, "dropout")
    >>> first = noise.at(step=3).random()
    >>> _ = noise.at(step=4).random()
    >>> noise.at(step=3).random() == first
    True
    """

    def __init__(self, seed: int, role: str) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=(role_key(role),))
        self._bits = np.random.Philox(sequence)
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state
        self._counter = self._state["state"]["counter"]

    def at(self, step: int, shard: int = 0, batch: int = 0) -> np.random.Generator:
        """Return the generator, moved to the start of the substream of ``(step, shard, batch)``."""
        # The lowest counter word counts the draws within the substream; the three above it name the substream.
        self._counter[:] = (0, step, shard, batch)
        self._bits.state = self._state
        return self._generator
