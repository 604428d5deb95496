"""The lock of a run directory: one process trains in it at a time.

The operating system holds the lock for the process, so it is gone with the process; nothing has to be cleaned up after
a crash. Who holds it stands in a file beside it, for the message only.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nntrain.errors import NntrainError, ResourceError, shorten
from nntrain.runs import plain_json
from nntrain.runs.files import link_error, read_file, replace_file, told

LOCK = ".lock"
HOLDER = ".holder.json"


class RunLock:
    """The exclusive lock of a run directory.

    Args:
        folder: the run directory; it may be renamed while the lock is held (see :meth:`moved`).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: Any = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ResourceError: another process has it; the message says which, and since when.
        """
        # Half a second outlasts the instant for which :func:`is_live` holds the lock, and no training.
        lock = _take(self.folder, seconds=0.5)
        if lock is None:
            raise held_elsewhere(self.folder)
        self._lock = lock
        self._say_who()

    def moved(self, folder: Path) -> None:
        """Follow a rename of the run directory."""
        self.folder = folder

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is None:
            return
        with told(self.folder, "release the lock of the run"):
            (self.folder / HOLDER).unlink(missing_ok=True)
            self._lock.release()
        self._lock = None

    def _say_who(self) -> None:
        facts = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        try:
            replace_file(self.folder / HOLDER, plain_json.document(facts), durable=False)
        except NntrainError:
            self.release()
            raise


def _take(folder: Path, seconds: float) -> Any:
    """Return the lock of a folder, taken, or None where another has it."""
    from filelock import FileLock, Timeout

    path = folder / LOCK
    if path.is_symlink():
        raise link_error(path)
    lock = FileLock(path, thread_local=False)
    with told(path, "lock the run"):
        try:
            lock.acquire(timeout=seconds, poll_interval=0.02)
        except Timeout:
            return None
    return lock


def is_live(folder: Path) -> bool:
    """Return whether a process trains in a run directory now."""
    if not (folder / LOCK).is_file():
        return False
    try:
        lock = _take(folder, seconds=0)
    except NntrainError:
        return False  # a directory that cannot be locked, such as one on a read-only disk, has no trainer in it
    if lock is None:
        return True
    lock.release()
    return False


def held_elsewhere(folder: Path) -> ResourceError:
    """Return the error for a run that another process holds."""
    return ResourceError(
        f"the run is in use{_holder(folder)}",
        path=str(folder),
        help="wait until it ends, or stop it; its lock goes with it",
    )


def _holder(folder: Path) -> str:
    try:
        facts = plain_json.parse(read_file(folder / HOLDER, 4096))
        return f", owned by pid {shorten(str(facts['pid']), 20)} since {shorten(str(facts['since']), 40)}"
    except (NntrainError, ValueError, KeyError, TypeError):
        return " by another process"  # it has only just taken the lock, or is just giving it back
