"""Where the arrays of examples are kept: in memory, or in files without a name that are mapped into it."""

from __future__ import annotations

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.cache import active_cache
from nntrain.data.table import Table
from nntrain.errors import ResourceError, reason_of


class Storage(Protocol):
    """What makes arrays."""

    def empty(self, shape: Shape, dtype: Any) -> Array:
        """Return an array of unspecified values."""
        ...


class Memory:
    """Arrays in memory."""

    def empty(self, shape: Shape, dtype: Any) -> Array:
        return np.empty(shape, dtype)


MEMORY = Memory()


class Disk:
    """Arrays in files that the system brings into memory, and takes out again, as they are used.

    The files have no name, so nothing is left of them when the process ends, however it does. Their space is reserved
    at once: a disk that fills up while a mapped file is written to would end the process without a word.

    Args:
        folders: where the files may be; the first one that has room is taken.

    >>> array = Disk([Path(tempfile.gettempdir())]).empty((2, 3), np.float32)
    >>> array[:] = 1
    >>> float(array.sum()), type(array).__name__
    (6.0, 'ndarray')
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders

    def empty(self, shape: Shape, dtype: Any) -> Array:
        """Return an array of unspecified values.

        Raises:
            ResourceError: no folder has room for it, or may be written to.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if not size:
            return np.empty(shape, dtype)
        trouble = OSError()
        for folder in self.folders:
            try:
                return np.frombuffer(_mapped(folder, size), dtype).reshape(shape)
            except OSError as error:
                trouble = error
        raise ResourceError(
            f"cannot keep {size / 1e6:,.0f} MB of examples on disk: {reason_of(trouble)}",
            path=str(self.folders[-1]),
            help=room_help(trouble, "there"),
        )


def room_help(error: OSError, place: str) -> str:
    """Return what to do where something cannot be put on disk, or cannot be mapped into memory from there."""
    if error.errno == errno.ENOMEM:
        return "what is streamed is mapped into the address space: raise its limit (ulimit -v)"
    return f"make room {place}, or set TMPDIR to a folder with room; or set stream: false to keep it in memory"


def _mapped(folder: Path, size: int) -> mmap.mmap:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return mmap.mmap(file.fileno(), size)


def storage_for(table: Table) -> Storage:
    """Return where the examples of a table are kept: on disk where the table is, else in memory."""
    if not table.is_streamed:
        return MEMORY
    cache = active_cache()
    return Disk([*([] if cache is None else [cache.folder]), Path(tempfile.gettempdir())])
