"""Writing and reading the files of a run so that none is ever half there.

Whole files are replaced: a temporary file beside the target, fsync, rename, fsync of the directory. Row files are
appended in one piece. Symbolic links are never followed: a link that stands where a file of ours belongs is refused.
Every failure of the system becomes a :class:`ResourceError` with the path, the reason and the bytes that were needed.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from nntrain.core.plain_file import NotPlainError, opened_plain
from nntrain.errors import NntrainError, ResourceError, RunError, reason_of

Content: TypeAlias = bytes | bytearray | memoryview

TEMPORARY = re.compile(r"\..{1,60}\.tmp-[0-9a-f]{8}", re.DOTALL)
"""Full names of our temporary files; nothing else is ever removed."""

LARGEST_TEXT = 64 << 20
"""Bytes of the largest text file that is read whole."""

SMALL_BYTES = 1 << 16
"""Bytes up to which parts of a file are put together before they are written."""

# Absent on Windows, where they mean nothing.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PLAIN = _NO_FOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_REMEDIES = {
    errno.ENOSPC: "free some space on this disk, then go on with nntrain fit --resume",
    errno.EDQUOT: "free some of your disk quota, then go on with nntrain fit --resume",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then go on with nntrain fit --resume",
    errno.EACCES: "choose a folder you may write to (--runs-dir), or change its permissions",
    errno.EPERM: "choose a folder you may write to (--runs-dir), or change its permissions",
    errno.EROFS: "choose a folder on a disk that is not read-only (--runs-dir)",
    errno.ENOENT: "the folder was moved or removed; put it back, or start a new run",
    errno.EIO: "the disk reports an error; check it, then go on with nntrain fit --resume",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}


def resource_error(error: OSError, path: Path, doing: str, needed: int | None = None) -> NntrainError:
    """Return what the user is told about a failure of the system while ``doing`` something with ``path``."""
    if error.errno == errno.ELOOP:
        return link_error(path)
    reason = reason_of(error)
    wanted = "" if needed is None else f"; {needed:,} bytes needed{_free(path)}"
    return ResourceError(f"cannot {doing}: {reason}{wanted}", path=str(path), help=_REMEDIES.get(error.errno or 0))


def link_error(path: Path) -> RunError:
    """Return the error for a symbolic link, device or pipe in place of a file of the run."""
    return RunError(
        "expected a plain file, got a link or a device; nothing is read or written through it",
        path=str(path),
        help="remove it; nntrain never makes links here",
    )


def _free(path: Path) -> str:
    with suppress(OSError):  # the number is an extra: without it the message is still whole
        return f", {shutil.disk_usage(path.parent).free:,} free"
    return ""


@contextmanager
def told(path: Path, doing: str, needed: int | None = None) -> Iterator[None]:
    """Turn an ``OSError`` inside into what the user is told."""
    try:
        yield
    except OSError as error:
        raise resource_error(error, path, doing, needed) from error


def is_there(path: Path) -> bool:
    """Return whether anything has this name, a link too, wherever it leads.

    Raises:
        ResourceError: a folder on the way may not be looked into, so that nobody knows.
    """
    try:
        os.lstat(path)
    except PermissionError:
        help = "change the permissions of its folder, or ask who owns it"
        raise ResourceError("cannot look at it: permission denied", path=str(path), help=help) from None
    except (OSError, ValueError):  # no such name, or none at all
        return False
    return True


def replace_file(path: Path | str, *parts: Content, durable: bool = True) -> None:
    """Replace a whole file, or make it, so that readers and a crash see the old content or the new, nothing between.

    Args:
        path: what to replace; its folder must exist.
        parts: the content, one after another; given apart so that large arrays need no copy.
        durable: whether it shall outlast a loss of power; readers see a whole file in any case.

    Raises:
        ResourceError: the disk, a permission or a missing folder; the old file is untouched, nothing is left behind.
        RunError: a link stands in place of the file.
    """
    target = Path(path)
    needed = sum(memoryview(part).nbytes for part in parts)
    temporary = temporary_beside(target)
    with told(target, "write", needed):
        if target.is_symlink():
            raise link_error(target)
        try:
            _write_new(temporary, parts, durable)
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):  # the first failure is the one to tell
                temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(target.parent)


def make_files(folder: Path, contents: Mapping[str, Content]) -> None:
    """Write new files into a folder that nobody else knows of yet, and make them durable together.

    Raises:
        ResourceError: the system refused.
    """
    for name, content in contents.items():
        with told(folder / name, "write", len(content)):
            _write_new(folder / name, [content])
    with told(folder, "write"):
        sync_folder(folder)


def temporary_beside(target: Path) -> Path:
    """Return a fresh name in the target's own folder, so that the rename never crosses a file system."""
    return target.with_name(f".{target.name[:40]}.tmp-{secrets.token_hex(4)}")


def _write_new(path: Path, parts: Iterable[Content], durable: bool = True) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o666)
    try:
        for block in _blocks(parts):
            write_all(file, block)
        if durable:
            os.fsync(file)
    finally:
        os.close(file)


def _blocks(parts: Iterable[Content]) -> Iterator[Content]:
    """Yield the parts, with small neighbours in one piece: a copy of them costs less than a call each."""
    waiting = bytearray()
    for part in parts:
        size = memoryview(part).nbytes
        if waiting and len(waiting) + size > SMALL_BYTES:
            yield waiting
            waiting = bytearray()
        if size > SMALL_BYTES:
            yield part
        else:
            waiting += part
    if waiting:
        yield waiting


def write_all(file: int, content: Content) -> None:
    """Write all of ``content`` to a file descriptor."""
    rest = memoryview(content)
    while len(rest):
        rest = rest[os.write(file, rest) :]


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable."""
    if os.name == "nt":  # Windows has no such call, and needs none
        return
    file = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(file)
    finally:
        os.close(file)


def append_file(path: Path, content: Content, durable: bool = True) -> bool:
    """Append to a file in one piece; where that fails, the file is cut back to what it was.

    Returns:
        Whether the file had nothing in it, so that its name may not be durable yet (see :func:`sync_folder`).

    Raises:
        ResourceError: the system refused.
        RunError: a link stands in place of the file.
    """
    with told(path, "append", len(content)), opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as (file, size):
        try:
            write_all(file, content)
        except OSError:
            with suppress(OSError):  # a torn last line is cut on resume as well
                os.ftruncate(file, size)
            raise
        if durable:
            os.fsync(file)
        return size == 0


def cut_file(path: Path, size: int) -> None:
    """Cut a file to its first ``size`` bytes."""
    with told(path, "shorten"), opened(path, os.O_WRONLY) as (file, _):
        os.ftruncate(file, size)
        os.fsync(file)


def read_file(path: Path, largest: int = LARGEST_TEXT) -> bytes:
    """Return a file's bytes.

    Raises:
        RunError: there is no such plain file, or it is larger than ``largest``.
        ResourceError: the system refused.
    """
    if not is_there(path):
        raise RunError("the file is missing", path=str(path))
    with told(path, "read"), opened(path, os.O_RDONLY) as (file, size):
        if size > largest:
            raise RunError(f"expected at most {largest:,} bytes, got {size:,}", path=str(path))
        with os.fdopen(os.dup(file), "rb") as stream:
            return stream.read(size)  # memory is taken for as many bytes as are asked for


@contextmanager
def opened(path: Path, flags: int) -> Iterator[tuple[int, int]]:
    """Yield ``(file descriptor, size)`` of a plain file; links, pipes and devices are refused."""
    try:
        with opened_plain(path, flags | _NO_FOLLOW) as found:
            yield found
    except NotPlainError:
        raise link_error(path) from None


def write_output(path: Path | str, content: Content) -> None:
    """Write a result where the user said: a file is replaced whole, a device or pipe (``/dev/stdout``) is written to.

    Unlike inside a run, a link is followed here: the user named it.
    """
    target = Path(path)
    if not os.path.exists(target) or target.is_file():  # noqa: PTH110 - Path.exists fails where one may not look
        replace_file(Path(os.path.realpath(target)) if os.path.islink(target) else target, content)  # noqa: PTH114
        return
    with told(target, "write", len(content)):
        file = os.open(target, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            write_all(file, content)
        finally:
            os.close(file)


def remove_temporaries(folder: Path) -> list[str]:
    """Remove what our own dead writers left in a folder, and return the names."""
    found: list[str] = []
    with told(folder, "tidy up"):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)
                found.append(entry.name)
    return found


def ensure_writable(folder: Path | str) -> None:
    """Make a folder where it is missing, and prove by writing that it can be written to.

    Raises:
        ResourceError: it cannot.
    """
    place = Path(folder)
    with told(place, "make the folder"):
        place.mkdir(parents=True, exist_ok=True)
    probe = temporary_beside(place / "probe")
    with told(place, "write to the folder", 1):
        try:
            _write_new(probe, [b"x"])
        finally:
            probe.unlink(missing_ok=True)


def real_folder(folder: Path) -> Path:
    """Return a folder of the run, made where it is missing and refused where a link stands in its place."""
    if folder.is_symlink():
        raise link_error(folder)
    with told(folder, "make the folder"):
        folder.mkdir(exist_ok=True)
    return folder


def csv_text(columns: Mapping[str, Sequence[object]]) -> str:
    """Return columns as CSV: cells verbatim, quoted only where they must be, numbers in their shortest exact form.

    >>> csv_text({"row": [0, 1], "label": ["a,b", None]})
    'row,label\\n0,"a,b"\\n1,\\n'
    """
    rows = zip(*columns.values(), strict=True)
    return "".join(map(_csv_line, [tuple(columns), *rows]))


def _csv_line(cells: Sequence[object]) -> str:
    if len(cells) == 1 and cells[0] in (None, ""):
        return '""\n'  # else it would be a blank line, which readers skip
    return ",".join(map(_csv_cell, cells)) + "\n"


def _csv_cell(cell: object) -> str:
    text = "" if cell is None else str(cell)
    # Python's csv module leaves a lone carriage return unquoted, and then cannot read it back.
    return '"' + text.replace('"', '""') + '"' if _MUST_QUOTE.search(text) else text


_MUST_QUOTE = re.compile('[",\r\n]')
