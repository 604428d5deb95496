"""What a command does while it loads its modules.

A short command spends most of its time importing. Each object that a module leaves behind counts towards Python's next
search for garbage, and the searches of a start walk all of them again and again: a seventh of ``nntrain check``. So the
command line begins without the collector, and has it back, with all that is there by then taken for permanent, when a
command has its modules. The worker processes of a training then share those pages with it too.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

from nntrain import blas
from nntrain.cli.signals import INTERRUPTION


@contextmanager
def loading() -> Iterator[None]:
    """Import inside this block what a command works with; the BLAS then has one thread, and signals wait."""
    blas.use_one_thread()
    # A plug-in of pydantic's has no say in what a config means, and the search for some reads what every package says.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with INTERRUPTION.deferred():  # an exception out of a half-loaded module could be taken for another
        yield
    INTERRUPTION.check()
    if not gc.isenabled():  # the collector of a program that calls a command in its own process is left alone
        gc.freeze()
        gc.enable()
