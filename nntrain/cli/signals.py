"""Ctrl-C, a terminal that closes and a polite kill: finish the update, save, exit with the signal's code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(BaseException):
    """A signal has ended the command; not an ``Exception``, so that nothing but the command line takes it up."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


class Interruption:
    """Takes signals: at once, or, while training runs, by a flag that the loop looks at between two updates."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._deferred = False

    def install(self) -> None:
        """Take the signals over; one that is ignored (``nohup``) stays ignored."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def ignore(self) -> None:
        """Let no signal change the exit code of a command that is done."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within this block the first signal only raises the flag; a second one ends the command at once."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def reason(self) -> str | None:
        """Return the name of the signal that has asked to stop, or None."""
        return None if self.number is None else signal.Signals(self.number).name

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first, self.number = self.number is None, number
        if not (first and self._deferred):
            raise Interrupted(number)


INTERRUPTION = Interruption()
