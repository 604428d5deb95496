"""A file that nobody writes to meanwhile, as far as the system helps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def nobody_writes(path: str) -> Iterator[bool]:
    """Make whoever opens a file to write to it, or cuts it short, wait until the block is left.

    Yields whether that is so. It is not where somebody has the file open for writing, where it is another user's, and
    where there are no leases: they are Linux's, and some file systems have none.
    """
    try:
        import fcntl

        lease, none, for_reading = fcntl.F_SETLEASE, fcntl.F_UNLCK, fcntl.F_RDLCK
    except (ImportError, AttributeError):
        yield False
        return
    with Path(path).open("rb") as file:
        try:
            # What tells of somebody who waits is a signal; this one does nothing by default, the usual one ends us.
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, lease, for_reading)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.fcntl(file, lease, none)
