"""Errors of plug-ins that nobody waits for: of their threads, and of what they have Python call at its end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from nntrain.errors import Problem
from nntrain.plugins.faults import described, place_in


def tell_stray_errors(owns: Callable[[str], bool]) -> None:
    """Have Python tell such an error in one line, at the line of the user's file, and all others as before.

    Args:
        owns: whether a file is a plug-in's.
    """
    threading.excepthook = partial(_tell, threading.excepthook, owns, "a thread of a plug-in's ended")
    sys.unraisablehook = partial(_tell, sys.unraisablehook, owns, "an error that nobody can take up any more")


def _tell(otherwise: Callable[[Any], object], owns: Callable[[str], bool], what: str, stray: Any) -> None:
    error = stray.exc_value
    # With SystemExit a thread ends itself, of which Python says nothing.
    place = None if error is None or isinstance(error, SystemExit) else place_in(error, owns)
    if place is None or sys.stderr is None:
        otherwise(stray)
        return
    path, line = place
    problem = Problem(f"{what}: {described(error)}", path=path, line=line)
    sys.stderr.write(f"{problem.render('warning')}\n")  # at once: other threads write too
