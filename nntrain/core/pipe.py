"""Pipes between processes that mostly wait for one another for microseconds."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from time import perf_counter

MOMENT = 0.0005
"""Seconds of looking before sleeping. To be woken takes up to 100 microseconds; what is waited for is mostly nearer."""

CHECK_EVERY = 1000
"""Milliseconds between two looks at whether who shall write is still there."""


class Pipe:
    """A pipe whose reader looks again and again for a moment before it sleeps.

    >>> pipe = Pipe()
    >>> pipe.write(b"ready")
    >>> pipe.read(5), pipe.close()
    (b'ready', None)
    """

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self._poll = None
        if hasattr(select, "poll"):  # Windows has none: there the reader sleeps at once
            self._poll = select.poll()
            self._poll.register(self.read_end, select.POLLIN)

    def read_some(self, size: int = 4096, check: Callable[[], None] | None = None, moment: float = MOMENT) -> bytes:
        """Return what there is, ``size`` bytes at most, as soon as there is anything; nothing where the pipe ended.

        Args:
            size: most bytes.
            check: called now and then while the reader sleeps; it may raise an error, which ends the waiting.
            moment: seconds of looking before sleeping.
        """
        poll = self._poll
        if poll is not None and not poll.poll(0):
            end = perf_counter() + moment
            while not poll.poll(0) and perf_counter() < end:
                pass
            while check is not None and not poll.poll(CHECK_EVERY):
                check()
        return os.read(self.read_end, size)

    def is_readable(self) -> bool:
        """Whether something waits to be read, or the pipe has ended."""
        return self._poll is None or bool(self._poll.poll(0))

    def read(self, size: int, check: Callable[[], None] | None = None) -> bytes | None:
        """Return ``size`` bytes, or None where the pipe ends before; ``check`` is that of :meth:`read_some`."""
        data = self.read_some(size, check)
        while data and len(data) < size:
            more = self.read_some(size - len(data), check)
            if not more:
                return None
            data += more
        return data or None

    def write(self, data: bytes) -> None:
        """Write all of ``data``."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.write_end, rest) :]

    def close(self) -> None:
        """Close both ends that are still open."""
        for descriptor in (self.read_end, self.write_end):
            if descriptor >= 0:
                os.close(descriptor)
        self.read_end = self.write_end = -1
