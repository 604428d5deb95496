"""Opening files of our own making: what else may stand in their place is neither waited for nor read without end."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Absent on Windows, where they mean nothing.
_PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


class NotPlainError(Exception):
    """A folder, a pipe or a device has the name of a file."""


@contextmanager
def opened_plain(path: Path, flags: int) -> Iterator[tuple[int, int]]:
    """Yield ``(file descriptor, size)`` of a plain file; links are followed unless ``flags`` forbid it.

    Raises:
        NotPlainError: it is something else.
        OSError: the system refused, as it refuses sockets.
    """
    # Without O_NONBLOCK, opening a pipe that someone put here would wait for ever.
    file = os.open(path, flags | _PLAIN | _NO_WAIT, 0o666)
    try:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode):
            raise NotPlainError
        yield file, facts.st_size
    finally:
        os.close(file)
