"""Whether a network fits into memory, found out before any of it is taken."""

from __future__ import annotations

import os

from nntrain.errors import ConfigError, ResourceError


def refuse_too_large(parameters: int, bytes_each: int) -> None:
    """Refuse a network whose values and gradients alone are more than the machine's memory, or the process's share.

    Raises:
        ConfigError: no process of this machine could hold them; the message says how much they need.
        ResourceError: this one may not.

    >>> refuse_too_large(1000, 4)
    """
    needed, there, limit = 2 * parameters * bytes_each, memory_bytes(), memory_limit()
    large = f"a network of at least {parameters:,} parameters needs {size_text(needed)} for its weights and gradients"
    if there is not None and needed > there:
        raise ConfigError(f"{large}, and this machine has {size_text(there)}", help="make the layers smaller")
    if limit is not None and needed > limit:
        help = "raise the limit (ulimit -v), or make the layers smaller"
        raise ResourceError(f"{large}, and this process may take {size_text(limit)}", help=help)


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

    >>> size_text(3_200_000_000_000), size_text(1_500_000), size_text(1_024), size_text(12)
    ('3.2 TB', '1.5 MB', '1.0 kB', '12 bytes')
    """
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,} bytes"
