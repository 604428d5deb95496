"""Files that were read once, kept as arrays in the user's cache folder, so that the second run starts at once.

An entry is found by the content of the file, by how it was read, and by the version of the format: a changed file is
another entry, and the same content under another path the same one. What cannot be kept is read anew, and nothing but
speed is lost.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from nntrain.core.plain_file import NotPlainError, opened_plain
from nntrain.data.piece_store import DamagedError, PieceFile
from nntrain.data.source import PlainFile

FORMAT = "1"
"""Changes with every change of what a file is read as, or of how that is written."""
FOLDER_VARIABLE = "NNTRAIN_CACHE_DIR"
MOST_BYTES = 5 << 30
"""The entries together take no more than this, and no more than a quarter of what is free and theirs."""

_DIGEST = re.compile("[0-9a-f]{64}")
_LONGEST_NOTE = 128
_ENDING, _UNFINISHED, _SEEN = ".columns", ".part", ".seen"
_ABANDONED_SECONDS = 24 * 3600.0

_is_used: ContextVar[bool] = ContextVar("is_used", default=True)


@contextmanager
def reading_anew() -> Iterator[None]:
    """Neither read nor write the cache within."""
    token = _is_used.set(False)
    try:
        yield
    finally:
        _is_used.reset(token)


def active_cache() -> Cache | None:
    """Return the cache of the user, or None within :func:`reading_anew` and for a user without a home."""
    folder = cache_folder() if _is_used.get() else None
    return None if folder is None else Cache(folder)


def cache_folder() -> Path | None:
    """Return the folder of the cache: ``NNTRAIN_CACHE_DIR``, or where the system keeps such files if it has a place."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given)
    from platformdirs import user_cache_path

    try:
        return user_cache_path("nntrain", appauthor=False)
    except RuntimeError:  # neither HOME nor an entry among the system's users, as in some containers
        return None


class Cache:
    """A folder of entries.

    Args:
        folder: made when the first entry is written.
        most_bytes: what the entries may take together.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self._most_bytes = most_bytes

    def has_candidate(self, manner: str, size: int) -> bool:
        """Whether there is an entry of some file of this size that was read in this manner."""
        try:
            return any(name.startswith(_stem(manner, size)) for name in os.listdir(self.folder))  # noqa: PTH208
        except OSError:  # no folder, no entries
            return False

    def find(self, manner: str, size: int, digest: str) -> PieceFile | None:
        """Return an entry, or None; one that is damaged, or no file at all, is removed.

        Args:
            manner: what decides what the content means.
            size: of the file.
            digest: SHA-256 of its content.
        """
        path = self._path(manner, size, digest)
        try:
            with opened_plain(path, os.O_RDONLY) as (descriptor, _), open(descriptor, "rb", closefd=False) as file:
                found = PieceFile(file)
        except OSError:  # there is none, or it may not be read
            return None
        except (DamagedError, NotPlainError):
            with suppress(OSError):  # where it cannot be removed it is found damaged again, and passed over
                path.unlink()
            return None
        with suppress(OSError):  # in a folder that is read-only the order of use is not kept
            os.utime(path)
        return found

    def new_file(self) -> BinaryIO:
        """Return an empty file that becomes an entry by :meth:`keep`.

        Raises:
            OSError: the folder cannot be made or written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", suffix=_UNFINISHED, delete=False)  # type: ignore[return-value]

    def keep(self, written: Path, manner: str, size: int, digest: str) -> None:
        """Make a finished file an entry, in one step; the least recently used ones make room for it.

        Raises:
            OSError: it cannot be renamed.
        """
        allowed = min(self._most_bytes, (shutil.disk_usage(self.folder).free + self._used()) // 4)
        if written.stat().st_size > allowed:
            written.unlink()
            return
        written.replace(self._path(manner, size, digest))
        self._make_room(allowed, self._path(manner, size, digest))

    def known_digest(self, status: os.stat_result) -> str | None:
        """Return the SHA-256 of a file that was hashed before and has not been touched since, or None."""
        try:
            with opened_plain(self._seen(status), os.O_RDONLY) as (descriptor, _):
                digest = os.read(descriptor, _LONGEST_NOTE).decode("ascii").strip()
        except (OSError, ValueError, NotPlainError):
            return None
        return digest if _DIGEST.fullmatch(digest) else None

    def remember_digest(self, file: PlainFile, digest: str) -> None:
        """Note the SHA-256 of a file, in place of whatever the note was, unless it was changed just before it was read.

        Args:
            file: as it was when reading began.
            digest: of what was read.
        """
        if not file.is_settled:
            return
        note = self._seen(file.status)
        with suppress(OSError):  # then the file is hashed again next time
            note.unlink(missing_ok=True)  # it may be a pipe, or lead to a file that is none of ours
            with note.open("x", encoding="ascii") as stream:
                stream.write(digest)

    def _seen(self, status: os.stat_result) -> Path:
        marks = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return self.folder / f"{hashlib.sha256(repr(marks).encode()).hexdigest()[:32]}{_SEEN}"

    def _path(self, manner: str, size: int, digest: str) -> Path:
        return self.folder / f"{_stem(manner, size)}{digest}{_ENDING}"

    def _used(self) -> int:
        return sum(size for _, size, _ in self._entries())

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Return when each file of ours was last used, its size, and where it is, the oldest first."""
        found = []
        for path in self.folder.iterdir():
            if path.suffix in (_ENDING, _UNFINISHED, _SEEN):
                with suppress(OSError):  # another process has just removed it
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        return sorted(found)

    def _make_room(self, allowed: int, newest: Path) -> None:
        """Remove entries that were not used for longest, and what was never finished."""
        entries, now = self._entries(), time.time()
        total = sum(size for _, size, _ in entries)
        for used, size, path in entries:
            is_abandoned = path.suffix == _UNFINISHED and now - used > _ABANDONED_SECONDS
            if is_abandoned or (total > allowed and path.suffix == _ENDING and path != newest):
                with suppress(OSError):  # a file in use cannot be removed everywhere; it goes next time
                    path.unlink()
                    total -= size


def _stem(manner: str, size: int) -> str:
    return f"{hashlib.sha256(f'{FORMAT} {manner}'.encode()).hexdigest()[:16]}-{size}-"
