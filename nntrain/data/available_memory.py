"""How much memory a process may take without anything being swapped out."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_MEMORY_FILE = Path("/proc/meminfo")
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
_UNKNOWN = 4 << 30


def available_memory() -> int:
    """Return about how many bytes are free, by the machine and by the limit of the container.

    >>> available_memory() > 1 << 20
    True
    """
    free = [_free_in_machine()]
    for limit, used in _LIMITS:
        with suppress(OSError, ValueError):  # no such limit: the file is not there, or says max
            free.append(max(0, int(limit.read_text()) - int(used.read_text())))
    return min(free)


def _free_in_machine() -> int:
    with suppress(OSError, ValueError, StopIteration):  # not on Linux
        lines = _MEMORY_FILE.read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10
    with suppress(AttributeError, OSError, ValueError):  # not on a Unix
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return _UNKNOWN
