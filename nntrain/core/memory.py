"""Whether a network fits into memory, found out before any of it is taken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nntrain.errors import ConfigError, KeyPath, Problem, ResourceError, quote

if TYPE_CHECKING:
    from nntrain.core.array import Shape


def refuse_too_large(
    what: str, needed: int, help: str, at: KeyPath | None = None, of_process: int | None = None
) -> None:
    """Refuse what needs more than the machine's memory, or than the process may take.

    Args:
        what: is too large, with its size, as the beginning of a sentence.
        needed: bytes that it takes at the least.
        help: remedy.
        at: its key path in the config, if that is known.
        of_process: bytes of them that this process takes; all where left out.

    Raises:
        ConfigError: no process of this machine could hold it.
        ResourceError: this one may not.

    >>> refuse_too_large("a kernel of 4 x 3", 96, "make it smaller")
    """
    there, limit = memory_bytes(), memory_limit()
    if there is not None and needed > there:
        large = f"{what} needs {size_text(needed)}, and this machine has {size_text(there)}"
        raise ConfigError([Problem(large, help=help, at=at)])
    own = needed if of_process is None else of_process
    if limit is not None and own > limit:
        large = f"{what} needs {size_text(own)}, and this process may take {size_text(limit)}"
        raise ResourceError([Problem(large, help=f"raise the limit (ulimit -v), or {help}", at=at)])


def most_memory() -> int | None:
    """Return how much memory this process could take at the most, or None where the system does not tell."""
    return min((size for size in (memory_bytes(), memory_limit()) if size is not None), default=None)


def memory_bytes() -> int | None:
    """Return the machine's memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def memory_limit() -> int | None:
    """Return how much address space this process may take, or None where it is not limited."""
    try:
        import resource
    except ImportError:  # not on a Unix
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def size_text(size: int) -> str:
    """Return a number of bytes in words.

    >>> size_text(3_200_000_000_000), size_text(1_500_000), size_text(1_024), size_text(12), size_text(10**400)
    ('3.2 TB', '1.5 MB', '1.0 kB', '12 bytes', 'more than 1,000,000 TB')
    """
    if size >= 10**18:
        return "more than 1,000,000 TB"
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,} bytes"


def shape_text(shape: Shape) -> str:
    """Return a shape in words.

    >>> shape_text((28, 28, 1)), shape_text(()), shape_text((2, 10**100))
    ('28 x 28 x 1', '1', '2 x a number of about 100 digits')
    """
    return " x ".join(quote(size) for size in shape) or "1"
