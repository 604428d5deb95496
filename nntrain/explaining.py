"""What the user is told of an error that nobody took up: the system's, a plug-in's, or a bug."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import TypeAlias

from nntrain.errors import NntrainError, ResourceError, reason_of

_NO_THREAD = "can't start new thread"
"""What Python says where the system gives it none."""

# Of what fails without naming a file.
_REMEDIES = {
    errno.ENOENT: "the current folder may have been removed: go to another",
    errno.EMFILE: "raise the limit on open files (ulimit -n), or use fewer --threads",
    errno.EAGAIN: "raise the limit on processes (ulimit -u), or use fewer --threads",
}


def of_the_system(error: BaseException) -> ResourceError | None:
    """Return the error that a user is told of instead of one of the system that nobody took up, or None for another.

    >>> of_the_system(MemoryError("Unable to allocate 138. MiB")).problems[0].message
    'out of memory: Unable to allocate 138. MiB'
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        asked = f": {error}" if isinstance(error, MemoryError) and str(error) else ""
        help = "make room, raise the limit (ulimit -v), or take a smaller network or batch_size"
        return ResourceError(f"out of memory{asked}", help=help)
    if isinstance(error, OSError):
        if error.filename is not None:
            return ResourceError(reason_of(error), path=str(error.filename))
        return ResourceError(reason_of(error), help=_REMEDIES.get(error.errno or 0))
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return ResourceError(_NO_THREAD, help=_REMEDIES[errno.EAGAIN])
    if isinstance(error, ImportError) and not (error.name or "").startswith("nntrain"):
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        help = "give the process more memory (ulimit -v), or install nntrain anew"
        return ResourceError(f"a library that nntrain needs cannot be loaded: {reason}", help=help)
    return None


Explanation: TypeAlias = Callable[[BaseException], NntrainError | None]

_EXPLANATIONS: list[Explanation] = []
_SUSPICIONS: list[Explanation] = []


def explain_with(explanation: Explanation, suspicion: Explanation) -> None:
    """Let others ask a function what an error means, and another one what it may mean; both return None for unknown.

    So a room that is seldom loaded, such as plug-ins, explains its errors to rooms that do not load it.
    """
    _EXPLANATIONS.append(explanation)
    _SUSPICIONS.append(suspicion)


def explained(error: BaseException) -> NntrainError | None:
    """Return the error that a user is told of instead of another one, or None where nobody knows what it means.

    >>> explained(ValueError("of nobody's")) is None
    True
    """
    return None if type(error).__module__.startswith("nntrain.") else _first(_EXPLANATIONS, error)


def told_of(error: BaseException) -> NntrainError:
    """Return the error that a user is told of: itself, what it means or may mean, or a bug in nntrain.

    >>> told_of(MemoryError()).exit_code
    6
    """
    if isinstance(error, NntrainError):
        return error
    known = explained(error) or of_the_system(error) or _first(_SUSPICIONS, error)
    return known or bug(error, help="run again with nntrain --debug ... and report what it prints")


def _first(explanations: Iterable[Explanation], error: BaseException) -> NntrainError | None:
    return next((found for explain in explanations if (found := explain(error)) is not None), None)


def bug(error: BaseException, suspect: str = "", help: str | None = None) -> NntrainError:
    """Return the error, of exit code 1, for one that is no fault of the user's, ``suspect`` apart."""
    return NntrainError(f"a bug in nntrain: {str(error) or type(error).__name__}{suspect}", help=help)
