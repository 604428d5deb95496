"""The table of checks, and what the three suites have in common."""

from __future__ import annotations

import gc
import random
import sys
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from nntrain.core.array import Array
from nntrain.errors import NntrainError, shorten
from nntrain.registry import Argument, arguments_of


class Made(Protocol):
    """A case whose subject comes from a factory."""

    @property
    def factory(self) -> Callable[[], Any]:
        """What makes the layer, loss or optimizer that is checked."""


Case = TypeVar("Case", bound=Made)

TRIES = 4
"""Times that an action's memory is measured; the least counts. Python's own objects find their places in the first."""

MOST_ALLOCATED = 8192
"""Bytes that views and NumPy's bookkeeping may take in a step; the arrays of a check are several times as large."""


SMALL_BUFFER = 16
"""Numbers in the buffer NumPy casts through; the least it takes."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table: what was checked, whether it held, and if not, what was found.

    Attributes:
        detail: what was found; of a check that held, why it was not asked for, where it was not.
        frames: files and lines of the calls that an error passed through, the innermost last.
    """

    name: str
    passed: bool
    detail: str = ""
    frames: tuple[tuple[str, int], ...] = field(default=(), repr=False, compare=False)


class Suite(Generic[Case]):
    """A list of named checks.

    Each takes the case and raises an AssertionError where a promise is broken; one that a class declares not to keep
    returns its declaration.
    """

    def __init__(self) -> None:
        self._checks: list[tuple[str, Callable[[Case], str | None]]] = []

    def check(self, name: str) -> Callable[[Callable[[Case], str | None]], Callable[[Case], str | None]]:
        """Return a decorator that enters a check."""

        def enter(function: Callable[[Case], str | None]) -> Callable[[Case], str | None]:
            self._checks.append((name, function))
            return function

        return enter

    def check_construction(self) -> None:
        """Enter the checks of how a thing is made and shown, the same for every kind."""
        self.check("constructor arguments are attributes")(lambda case: require_attributes(case.factory()))
        self.check("the docstring says what each argument is")(lambda case: require_documented(case.factory()))
        self.check("repr is one line with the class's name")(lambda case: require_repr(case.factory()))

    def run(self, case: Case) -> list[Check]:
        """Run all checks, each by itself: what one finds does not keep the others from running."""
        return [_run(name, function, case) for name, function in self._checks]


def _run(name: str, function: Callable[[Case], str | None], case: Case) -> Check:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            remark = function(case)
    except Exception as error:
        return failed_check(name, error)
    return Check(name, True, remark or "")


def failed_check(name: str, error: Exception) -> Check:
    """Return the finding that an error is: a promise that is broken, or whatever a plug-in raises."""
    frames = tuple((frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__))
    if isinstance(error, AssertionError):
        return Check(name, False, str(error) or "the promise is broken", frames)
    if isinstance(error, NntrainError):
        return Check(name, False, error.problems[0].message, frames)
    place = f" ({frames[-1][0]}:{frames[-1][1]})" if frames else ""
    return Check(name, False, f"{type(error).__name__}: {shorten(str(error), 200)}{place}", frames)


def assert_passes(checks: Sequence[Check]) -> None:
    """Raise an AssertionError that lists the checks which failed.

    Raises:
        AssertionError: at least one did.
    """
    failed = [check for check in checks if not check.passed]
    if failed:
        lines = "\n".join(f"  {check.name}: {check.detail}" for check in failed)
        raise AssertionError(f"{len(failed)} of {len(checks)} checks failed:\n{lines}")


def require(condition: object, message: str) -> None:
    """Raise an AssertionError where a condition does not hold; also under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def require_equal(name: str, found: Array, expected: Array) -> None:
    """Require the same bits."""
    require(found.shape == expected.shape, f"{name} has shape {found.shape}, expected {expected.shape}")
    require(found.dtype == expected.dtype, f"{name} has dtype {found.dtype}, expected {expected.dtype}")
    same = np.array_equal(found, expected, equal_nan=True)
    require(same, f"{name} differs by up to {_largest_difference(found, expected):.3g}, expected the same bits")


def require_close(name: str, found: Array, expected: Array, tolerance: float) -> None:
    """Require equal shapes and values within ``tolerance`` of the larger of 1 and the expected values."""
    require(found.shape == expected.shape, f"{name} has shape {found.shape}, expected {expected.shape}")
    close = np.allclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    require(close, f"{name} differs by up to {_largest_difference(found, expected):.3g}")


def _largest_difference(a: Array, b: Array) -> float:
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)), initial=0.0))


def require_no_global_randomness(action: Callable[[], object]) -> None:
    """Require that NumPy's and Python's global generators are as they were after ``action``."""
    np.random.seed(np.random.randint(1 << 31))  # who seeds it again and again would leave the state it has left before
    before, python_before = np.random.get_state(), random.getstate()
    action()
    after = np.random.get_state()
    untouched = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    require(untouched, "it draws from np.random's global state; use nntrain.core.rng.stream or self.noise(ctx)")
    require(python_before == random.getstate(), "it draws from the global state of the module random")


def require_no_allocation(action: Callable[[], object], thing: Any = None) -> str | None:
    """Require that ``action`` allocates next to nothing from its third call on, unless its class says it does.

    Where a NumPy call mixes dtypes (a mask times a float) it casts through a buffer of its own, of 8192 numbers however
    long the arrays are. That buffer is made small meanwhile, so that what is left is what grows with the arrays.
    """
    if getattr(thing, "allocates", False):
        return "not asked for: the class says that it allocates"
    action()
    action()
    buffer = np.setbufsize(SMALL_BUFFER)
    gc.collect()
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        allocated = min(_allocated(action) for _ in range(TRIES))
    finally:
        np.setbufsize(buffer)
        if not tracing:
            tracemalloc.stop()
    require(
        allocated <= MOST_ALLOCATED,
        f"it allocates {allocated} bytes in a step; use self.scratch(...) and out=, or say allocates = True",
    )
    return None


def _allocated(action: Callable[[], object]) -> int:
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    action()
    return tracemalloc.get_traced_memory()[1] - before


def _arguments(thing: Any) -> tuple[Argument, ...]:
    constructor: Callable[..., Any] = type(thing)
    return arguments_of(constructor)


def require_attributes(thing: Any) -> None:
    """Require that every constructor argument is an attribute of the same name, as ``nntrain list`` relies on."""
    missing = [argument.name for argument in _arguments(thing) if not hasattr(thing, argument.name)]
    require(not missing, f"the constructor's arguments are no attributes: {', '.join(missing)}")


def require_documented(thing: Any) -> None:
    """Require a docstring, and a line for each argument in its ``Args:`` section."""
    if sys.flags.optimize > 1:  # python -OO leaves every docstring out
        return
    require((type(thing).__doc__ or "").strip(), "the class has no docstring")
    undocumented = [argument.name for argument in _arguments(thing) if not argument.doc]
    require(not undocumented, f"'Args:' in the docstring says nothing on {', '.join(undocumented)}")


def require_repr(thing: Any) -> None:
    """Require a printed form of one line that names the class."""
    text = repr(thing)
    require(type(thing).__name__ in text and "\n" not in text, f"repr() is {shorten(text)}")
