"""Where the bytes of a data file come from: files, globs and pipes; pipes are read exactly once."""

from __future__ import annotations

import difflib
import errno
import glob
import gzip
import hashlib
import io
import itertools
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nntrain.data.decoding import PACKED_FAULTS, damaged, is_packed
from nntrain.errors import DataError, enumerate_names, quote, reason_of

WRITER_SECONDS = 4.0
"""How long a pipe may stay without any writer before it is an error."""
SILENT_SECONDS = 3.0
"""How long a pipe with a writer may stay silent before the wait is announced."""
BLOCK_BYTES = 1 << 19
"""How much of a file is read at a time."""
SETTLED_NANOSECONDS = 2_000_000_000
"""A file that was changed so shortly before may change once more without its times telling."""
_HEAD_BYTES = 64
_MOST_NAMES = 10_000

Announce = Callable[[str], None]
"""Called with one sentence when reading has to wait for somebody else."""


def expand(path: str, shown: str) -> list[tuple[str, str]]:
    """Return ``(path, path as shown to the user)`` of the file, or of each file that a glob pattern matches, sorted.

    A file whose name holds glob characters is itself, not a pattern.

    Raises:
        DataError: the pattern matches no file, or the path is empty.
    """
    if not shown:
        raise DataError("expected the name of a file, got an empty text")
    if "\0" in path or not glob.has_magic(path) or os.path.exists(path):  # noqa: PTH110 (Path's may raise)
        return [(path, shown)]
    found = glob.glob(path, recursive=True)  # noqa: PTH207 (the pattern may be absolute)
    matches = sorted(match for match in found if not Path(match).is_dir())
    if not matches:
        raise DataError("no file matches this pattern", path=shown, notes=_absolute(path, shown))
    root, shown_root = _fixed_part(path), _fixed_part(shown)
    return [(match, str(shown_root / Path(match).relative_to(root))) for match in matches]


def _fixed_part(pattern: str) -> Path:
    """Return the leading folders of a pattern that hold no glob character."""
    folder = Path(pattern).parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return folder


def read_bytes(path: str, shown: str, announce: Announce | None = None) -> bytes:
    """Return the content of a file or pipe.

    Args:
        path: what is opened.
        shown: the path as the user typed it, for messages.
        announce: told when a pipe has been silent for ``SILENT_SECONDS``.

    Raises:
        DataError: there is no such file, it is a directory or a device, it may not be read, or nobody writes to it.
    """
    with _told(path, shown):
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            help = f"name its files, for example {Path(shown) / '*.csv'}"
            raise DataError("is a directory, expected a file", path=shown, help=help)
        if stat.S_ISFIFO(mode):
            return _read_pipe(path, shown, announce)
        if stat.S_ISCHR(mode) and not Path(path).samefile(os.devnull):
            raise DataError("is a terminal or a device, expected a file or a pipe", path=shown)
        return Path(path).read_bytes()
    raise AssertionError("a failure is always told")


@contextmanager
def _told(path: str, shown: str) -> Iterator[None]:
    """Turn failures of the system inside into what the user is told."""
    try:
        yield
    except FileNotFoundError:
        raise not_found(path, shown) from None
    except PermissionError:
        raise DataError("may not be read: permission denied", path=shown, notes=_absolute(path, shown)) from None
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error).lower()
        raise DataError(f"cannot be read: {reason}", path=shown) from None


def plain_file_size(path: str) -> int | None:
    """Return the size of a file that can be read again, or None of anything else."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # told by whoever reads it
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def unpacks_beyond(path: str, size: int) -> bool:
    """Return whether a file is packed with gzip and holds more than so many bytes; who reads it tells what is wrong."""
    try:
        with Path(path).open("rb") as file:
            if not is_packed(file.read(_HEAD_BYTES)):
                return False
            file.seek(0)
            unpacked = gzip.GzipFile(fileobj=file)
            left = size + 1
            while left and (block := unpacked.read(min(left, BLOCK_BYTES))):
                left -= len(block)
            return not left
    except PACKED_FAULTS:
        return False


def unpacked_size(path: str, size: int) -> int:
    """Return the size of a file's content: what a gzip file says in its last four bytes, or the size it has."""
    try:
        with Path(path).open("rb") as file:
            if size < _HEAD_BYTES or not is_packed(file.read(_HEAD_BYTES)):
                return size
            file.seek(-4, os.SEEK_END)
            return max(size, int.from_bytes(file.read(4), "little"))
    except OSError:  # told by whoever reads it
        return size


class PlainFile:
    """A file on disk, read block by block and as often as wanted.

    ``path``: what is opened; ``status``: of the file when it was first opened; ``sha256``: of its content, once it is
    known.

    Args:
        path: what is opened.
        shown: the path as the user typed it, for messages.
        hashes: whether its content is hashed while it is read, and not by reading it once more, as only one that is
            settled may be.
    """

    def __init__(self, path: str, shown: str, hashes: bool = True) -> None:
        self.path, self._shown = path, shown
        self.began = time.time_ns()
        with _told(path, shown), Path(path).open("rb") as file:
            self.status = os.fstat(file.fileno())
            self.head = file.read(_HEAD_BYTES)
        self.sha256: str | None = None
        self._hashes = hashes or not self.is_settled

    @property
    def is_settled(self) -> bool:
        """Whether the times of the file tell any change from the first opening on."""
        return max(self.status.st_mtime_ns, self.status.st_ctime_ns) <= self.began - SETTLED_NANOSECONDS

    @property
    def is_packed(self) -> bool:
        """Whether the content is packed with gzip."""
        return is_packed(self.head)

    def digest(self) -> str:
        """Return the SHA-256 of the content, read for it if need be.

        Raises:
            DataError: the file cannot be read, or is no longer what it was.
        """
        if self.sha256 is None:
            digest = hashlib.sha256()
            for block in self._read(by_change_time=True):
                digest.update(block)
            self.sha256 = digest.hexdigest()
        return self.sha256

    def blocks(self) -> Iterator[bytes]:
        """Yield the content, unpacked where it is packed with gzip.

        Raises:
            DataError: the file cannot be read, cannot be unpacked, or is no longer what it was.
        """
        read = self._hashed() if self._hashes else self._read()
        if not self.is_packed:
            yield from read
            return
        packed = _Joined(read)
        file = gzip.GzipFile(fileobj=io.BufferedReader(packed))
        while True:
            try:
                block = file.read(BLOCK_BYTES)
            except PACKED_FAULTS as error:
                raise damaged(error, self._shown) from None
            if not block:
                break
            yield block
        packed.drain()

    def _hashed(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for block in self._read():
            digest.update(block)
            yield block
        self.sha256 = self.sha256 or digest.hexdigest()

    def _read(self, by_change_time: bool = False) -> Iterator[bytes]:
        """Yield the content of the file as it was when it was first opened.

        Args:
            by_change_time: whether the time that nobody can set tells as well; a new name for the file changes it too.
        """
        with _told(self.path, self._shown), Path(self.path).open("rb", buffering=0) as file:
            self._check_unchanged(os.fstat(file.fileno()), by_change_time)
            while block := file.read(BLOCK_BYTES):
                yield block
            # rows of before and after would be one table
            self._check_unchanged(os.fstat(file.fileno()), by_change_time)

    def _check_unchanged(self, status: os.stat_result, by_change_time: bool) -> None:
        was = self.status
        is_other = (status.st_size, status.st_mtime_ns, status.st_ino) != (was.st_size, was.st_mtime_ns, was.st_ino)
        if is_other or (by_change_time and status.st_ctime_ns != was.st_ctime_ns):
            raise DataError("the file has changed since it was read", path=self._shown, help="run the command again")


class _Joined(io.RawIOBase):
    """Blocks as a file that can only be read on."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = next(self._blocks, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def drain(self) -> None:
        """Read what is left."""
        for _ in self._blocks:
            pass


def not_found(path: str, shown: str) -> DataError:
    """Return the error for a file that does not exist, with the nearest names in its folder."""
    folder = Path(path).parent
    if not folder.is_dir():
        return DataError("file not found: its folder does not exist", path=shown, notes=_absolute(path, shown))
    names = [name for name in _names_in(folder) if not name.endswith((".yaml", ".yml"))]
    if Path(path).is_symlink():
        message = f"a link to a file that does not exist: {quote(str(Path(path).readlink()))}"
        return DataError(message, path=shown, notes=_absolute(path, shown))
    near = difflib.get_close_matches(Path(path).name, names, n=3, cutoff=0.5)
    message = f"file not found; did you mean {' or '.join(map(quote, near))}?" if near else "file not found"
    data_files = sorted(name for name in names if name.endswith((".csv", ".csv.gz", ".parquet", ".tsv", ".txt")))
    there = (f"data files there: {enumerate_names(data_files, 5)}",) if data_files and not near else ()
    return DataError(message, path=shown, notes=_absolute(path, shown) + there)


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in itertools.islice(folder.iterdir(), _MOST_NAMES)]
    except OSError:  # a folder that may be entered but not listed has no names to offer
        return []


def _absolute(path: str, shown: str) -> tuple[str, ...]:
    absolute = str(Path(path).resolve())
    return () if absolute == shown else (f"looked for {absolute}",)


def _read_pipe(path: str, shown: str, announce: Announce | None) -> bytes:
    """Read a pipe to its end; without blocking, because opening a pipe that nobody writes to would hang."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        pieces: list[bytes] = []
        started = time.monotonic()
        while True:
            piece = _next_piece(descriptor)
            if piece:
                pieces.append(piece)
            elif piece is None:  # a writer is there and says nothing yet
                if announce and time.monotonic() - started > SILENT_SECONDS:
                    announce(f"{shown}: waiting for data from the pipe")
                    announce = None
                select.select([descriptor], [], [], 0.2)
            elif pieces:
                return b"".join(pieces)
            elif time.monotonic() - started > WRITER_SECONDS:
                raise DataError(f"a pipe that nobody wrote to within {WRITER_SECONDS:.0f} seconds", path=shown)
            else:
                time.sleep(0.01)
    finally:
        os.close(descriptor)


def _next_piece(descriptor: int) -> bytes | None:
    """Return bytes, ``b""`` where there is no writer (any more), or None where the writer has not written yet."""
    try:
        return os.read(descriptor, 1 << 20)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
            return None
        raise
