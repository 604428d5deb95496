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


PATIENCE = 5.0
"""Seconds that a call of a plug-in's may go on after a signal."""


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

    Where a flag is raised while a plug-in is at work, and the same call of it goes on for :data:`PATIENCE`, nobody may
    ever look at the flag: then the exception breaks in.

    Attributes:
        number: the first signal that came, or None.
        help: what can be done after the command was ended, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.help: str | None = None
        self._deferred = False
        self._raised = False
        self._call: FrameType | None = None

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
        if is_first and _plugins() is not None and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._look_again)
            self._wait_for(_call_of_a_plugin(frame))

    def _wait_for(self, call: FrameType | None) -> None:
        self._call = call
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _look_again(self, number: int, frame: FrameType | None) -> None:
        if self.number is None or self._raised or not self._deferred:
            return
        call = _call_of_a_plugin(frame)
        if call is not None and call is self._call:
            self._raise(self.number)
        self._wait_for(call)

    def _raise(self, number: int) -> NoReturn:
        self._raised = True
        error = Interrupted(number)
        if _plugins() is not None:
            import traceback

            for frame in _other_threads():
                error.add_note("".join(traceback.format_stack(frame)))
        raise error

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


def _plugins() -> Any:
    """Return the package of plug-ins where any is active, else None."""
    plugins = sys.modules.get("nntrain.plugins")
    return plugins if plugins is not None and plugins.active_plugins() else None


def _call_of_a_plugin(frame: FrameType | None) -> FrameType | None:
    """Return the call of a plug-in that is under way, or the wait for a process which may be in one, or None."""
    plugins, places = _plugins(), sys.modules.get("nntrain.core.place")
    if plugins is None:
        return None
    calls = (call for call in map(plugins.outermost_call, [frame, *_other_threads()]) if call is not None)
    return next(calls, None if places is None else places.waiting_call(frame))


def _other_threads() -> list[FrameType]:
    """Return where the threads are that nntrain has begun; what those of plug-ins do is their own affair."""
    import threading

    own = {thread.ident for thread in threading.enumerate() if thread.name.startswith("nntrain-")}
    return [frame for thread, frame in sys._current_frames().items() if thread in own]


INTERRUPTION = Interruption()
