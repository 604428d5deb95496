"""What the shards of a batch tell each other in the middle of a pass, for layers that couple its rows."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.pipe import Pipe
from nntrain.core.shared import shared_zeros

ROUND = 4096
"""Numbers that a shard gives in one round; longer vectors take several."""

GIVE_UP = 255
"""What a shard that has failed tells the others instead of its number."""


class PeerError(RuntimeError):
    """Another shard of the batch has failed; its own error says why."""


class Exchange:
    """A place in shared memory where shards lay numbers side by side, and a pipe for each that tells it who has.

    Two rounds have memory of their own, for even and for odd batches: a shard can be one round ahead of the slowest,
    and no more.

    Args:
        shards: how many there are, 254 at most.
        dtype: of the numbers.

    Attributes:
        check: raises an error where a process that should give something has ended.
    """

    def __init__(self, shards: int, dtype: Any) -> None:
        self.numbers = shared_zeros((2, 2, shards, ROUND), dtype)
        self.pipes = [Pipe() for _ in range(shards)]
        self.check: Callable[[], None] | None = None

    def peer(self, index: int) -> Peer:
        """Return the place of a shard."""
        return Peer(self, index)

    @property
    def descriptors(self) -> list[int]:
        """The files that a process which holds a peer must keep open."""
        return [descriptor for pipe in self.pipes for descriptor in (pipe.read_end, pipe.write_end)]

    def close(self) -> None:
        """Close the pipes."""
        for pipe in self.pipes:
            pipe.close()


class Peer:
    """A shard's place in the exchange.

    Attributes:
        active: how many shards, from the first, take part: fewer than there are where a batch has fewer rows.
        turn: held by the one thread of several in this process that may compute; given to another while waiting.
    """

    def __init__(self, exchange: Exchange, index: int) -> None:
        self.active = len(exchange.pipes)
        self.turn: Lock | None = None
        self._exchange, self._index = exchange, index
        self._rounds = exchange.numbers[0]
        self._round = 0
        self._arrived = [0] * self.active

    def begin(self, batch: int, active: int) -> None:
        """Start a batch, numbered from 0, of which ``active`` shards have a part: fewer only at an epoch's end."""
        # Those that have no part would lose count of the rounds, so each batch counts them anew.
        self.active, self._rounds, self._round = active, self._exchange.numbers[batch % 2], 0

    def gather(self, values: Array) -> Array:
        """Return what the shards have given, (active, \\*shape), in their order."""
        if self.active == 1:
            return values[None]
        flat = values.reshape(-1)
        if flat.size <= ROUND:
            return self._one_round(flat).reshape(self.active, *values.shape)
        found = np.empty((self.active, flat.size), values.dtype)
        for start in range(0, flat.size, ROUND):
            part = flat[start : start + ROUND]
            found[:, start : start + part.size] = self._one_round(part)
        return found.reshape(self.active, *values.shape)

    def _one_round(self, values: Array) -> Array:
        numbers = self._rounds[self._round]
        self._round = 1 - self._round
        numbers[self._index, : values.size] = values
        self._tell(self._index)
        self._wait()
        return np.asarray(numbers[: self.active, : values.size])

    def give_up(self) -> None:
        """Let the others know that this shard will give nothing."""
        self._tell(GIVE_UP)

    def _tell(self, word: int) -> None:
        for other, pipe in enumerate(self._exchange.pipes[: self.active]):
            if other != self._index:
                pipe.write(bytes((word,)))

    def _wait(self) -> None:
        """Return once every other active shard has laid its numbers down."""
        others = [i for i in range(self.active) if i != self._index]
        while not all(self._arrived[i] for i in others):
            for word in self._read():
                if word == GIVE_UP:
                    raise PeerError("another shard of the batch has failed")
                self._arrived[word] += 1
        for i in others:
            self._arrived[i] -= 1

    def _read(self) -> bytes:
        pipe = self._exchange.pipes[self._index]
        if self.turn is None:
            return pipe.read_some(check=self._exchange.check)
        self.turn.release()
        try:
            # Looking for a moment would keep the others from computing.
            return pipe.read_some(check=self._exchange.check, moment=0.0)
        finally:
            self.turn.acquire()
