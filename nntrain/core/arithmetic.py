"""How NumPy computes while a network trains: without warnings, and with little memory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

BUFFER = 704
"""Numbers in NumPy's own buffer, which it takes and gives back at every call that repeats or converts an operand.

Its 8192 are 32 kB a call; with these it is 3 kB, and the calls take as long.
"""


@contextmanager
def in_training() -> Iterator[None]:
    """Compute without warnings: the training step itself looks for numbers that are not finite.

    >>> with in_training():
    ...     np.float32(1) / np.float32(0), np.getbufsize() == BUFFER
    (np.float32(inf), True)
    """
    with np.errstate(all="ignore"):  # what it restores at its end includes the buffer
        np.setbufsize(BUFFER)
        yield
