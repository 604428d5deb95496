"""Errors of a user's code, told as errors at a line of the user's file."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from types import FrameType

from nntrain.errors import ConfigError, NntrainError, ResourceError, shorten
from nntrain.explaining import of_the_system

_FRAME = re.compile(r'^ *File "(.+)", line (\d+)', re.MULTILINE)

_LONGEST = 300

_EXTRAS = {"autograd": "autograd"}
"""Modules that come with an extra of nntrain's."""


def place_in(error: BaseException, owns: Callable[[str], bool]) -> tuple[str, int] | None:
    """Return file and line of the innermost call in a user's own file, or None where the error does not come from one.

    Args:
        error: with its traceback, or, from another process, with one in its notes.
        owns: whether a file is the user's.
    """
    found = None
    trace = error.__traceback__
    while trace is not None:
        if owns(trace.tb_frame.f_code.co_filename):
            found = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    written = "\n".join([_text_of(error), *getattr(error, "__notes__", ())]) if found is None else ""
    frames = [(file, int(line)) for file, line in _FRAME.findall(written) if owns(file)]
    return frames[-1] if frames else found


def is_signal(error: BaseException) -> bool:
    """Return whether an error stands for a signal, such as Ctrl-C, and not for something that code has done.

    Where the command line takes the signals, none of them raises KeyboardInterrupt: code has, such as a plug-in's.
    """
    if isinstance(error, KeyboardInterrupt):
        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return type(error).__module__ == "nntrain.cli.signals"


def handled_last(error: BaseException, frames: int = 3) -> Iterator[object]:
    """Yield what the innermost calls that an error came out of had in their hands, the innermost first."""
    for frame in islice(frames_of(error), frames):
        yield from list(frame.f_locals.values())


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """Yield the calls that an error came out of, the innermost first."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    yield from reversed(frames)


def fault_of(error: BaseException, owns: Callable[[str], bool], default: str) -> NntrainError:
    """Return the error that a user is told of instead of one that a plug-in raised.

    Args:
        error: as raised.
        owns: whether a file is the plug-in's.
        default: file that is named where no line of the plug-in's is known.
    """
    path, line = place_in(error, owns) or (default, None)
    if isinstance(error, NntrainError):
        places: Iterable[tuple[str | None, int | None]] = ((p.path, p.line) for p in error.problems)
        return ConfigError(
            replace(problem, path=known or path, line=number if known else line)
            for problem, (known, number) in zip(error.problems, places, strict=True)
        )
    if isinstance(error, SyntaxError) and error.filename is not None and owns(error.filename):
        column = error.offset if error.offset and error.offset > 0 else None
        return ConfigError(f"not valid Python: {error.msg}", path=error.filename, line=error.lineno, column=column)
    if isinstance(error, MemoryError) and (short := of_the_system(error)) is not None:
        return ResourceError(replace(problem, path=path, line=line) for problem in short.problems)
    return ConfigError(described(error), path=path, line=line, help=_remedy(error))


def described(error: BaseException) -> str:
    """Return an error in one line, with its class: the user is a programmer here.

    >>> described(ZeroDivisionError("division by zero")), described(SystemExit(0))
    ('ZeroDivisionError: division by zero', 'it ends the program: SystemExit: 0')
    """
    text = _text_of(error)
    lines = text.strip().splitlines()
    first = lines[-1 if text.startswith("Traceback") else 0] if lines else ""
    told = f"{type(error).__name__}: {shorten(first, _LONGEST)}" if first else type(error).__name__
    return f"it ends the program: {told}" if isinstance(error, (SystemExit, KeyboardInterrupt)) else told


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of a class of the user's, whose own __str__ fails
        return ""


def _remedy(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError):
        return None
    extra = _EXTRAS.get((error.name or "").split(".")[0])
    if extra is not None:
        return f'pip install "nntrain[{extra}]"'
    return "a plug-in is one file; what it imports must be installed"
