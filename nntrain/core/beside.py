"""Work that goes on in a thread of its own until its result is asked for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """Does some work at once, beside what its maker goes on with; worth it where the work leaves Python's lock alone.

    Args:
        work: returns the result; what it raises is raised by :meth:`result`.

    >>> found = Beside(lambda: 6 * 7)
    >>> found.result()
    42
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._value: T
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run)
        try:
            self._thread.start()
        except RuntimeError:  # there can be no further thread
            self._run()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        """Return the result, once it is there."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value
