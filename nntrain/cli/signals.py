"""Ctrl-C, a terminal that closes, a polite kill and spent processor time: finish the update, save, exit with a code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

# The last one comes when a limit on processor time (ulimit -t) is reached, and a while before SIGKILL does.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU")


class Interrupted(BaseException):
    """A signal has ended the command; not an ``Exception``, so that nothing but the command line takes it up."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


class Interruption:
    """Takes signals: at once, by an exception, or, while it must not break in, by a flag.

    A signal that comes while such an exception is under way ends the process where it stands: no second exception
    breaks into the telling of the first, and what a process leaves that is ended anywhere is whole.

    Attributes:
        number: the first signal that came, or None.
        help: what can be done after the command was ended, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.help: str | None = None
        self._deferred = False
        self._raised = False

    def install(self) -> None:
        """Take the signals over; one that is ignored (``nohup``) stays ignored."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        sys.unraisablehook = self._take_up

    def ignore(self) -> None:
        """Let no signal change the exit code of a command that is done."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within this block a signal only raises the flag; a second Ctrl-C ends the command at once.

        A second signal of another kind is no impatience: a terminal that closes sends SIGHUP twice.
        """
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before

    def check(self) -> None:
        """Raise what a flag has held back.

        Raises:
            Interrupted: a signal came in a block that deferred it.
        """
        if self.number is not None and not self._deferred:
            self._raise(self.number)

    def reason(self) -> str | None:
        """Return the name of the signal that has asked to stop, or None."""
        return None if self.number is None else signal.Signals(self.number).name

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_first = self.number is None
        self.number = self.number or number
        if self._raised:
            self._leave(number)
        if not self._deferred or (number == signal.SIGINT and not is_first):
            self._raise(number)

    def _raise(self, number: int) -> NoReturn:
        self._raised = True
        raise Interrupted(number)

    def _take_up(self, unraisable: Any) -> None:
        """Leave where a signal's exception cannot go on, as out of a callback of Python's own: it would be lost."""
        if isinstance(unraisable.exc_value, Interrupted):
            self._leave(unraisable.exc_value.number)
        sys.__unraisablehook__(unraisable)

    def _leave(self, number: int) -> NoReturn:
        with suppress(OSError):  # the terminal may have gone
            help = f"  help: {self.help}\n" if self.help else ""
            os.write(2, f"error: interrupted\n{help}".encode(errors="surrogateescape"))
        os._exit(128 + number)


INTERRUPTION = Interruption()
