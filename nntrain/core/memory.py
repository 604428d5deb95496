"""Whether a network fits into memory, found out before any of it is taken."""

from __future__ import annotations

import os

from nntrain.errors import ConfigError


def refuse_too_large(parameters: int, bytes_each: int) -> None:
    """Refuse a network whose values and gradients alone are more than the machine's memory.

    Raises:
        ConfigError: they are; the message says how much they need.

    >>> refuse_too_large(1000, 4)
    """
    needed, there = 2 * parameters * bytes_each, memory_bytes()
    if there is not None and needed > there:
        raise ConfigError(
            f"a network of at least {parameters:,} parameters needs {size_text(needed)} for its weights and gradients,"
            f" and this machine has {size_text(there)}",
            help="make the layers smaller",
        )


def memory_bytes() -> int | None:
    """Return the machine's memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def size_text(size: int) -> str:
    """Return a number of bytes in words.

    >>> size_text(3_200_000_000_000), size_text(1_500_000), size_text(1_024), size_text(12)
    ('3.2 TB', '1.5 MB', '1.0 kB', '12 bytes')
    """
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,} bytes"
