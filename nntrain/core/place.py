"""A place where another worker works at the same time: a forked process, or a thread where there is no fork."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import signal
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn

from nntrain.core.arithmetic import in_training
from nntrain.core.pipe import Pipe
from nntrain.errors import ResourceError

CAN_FORK = sys.platform == "linux"
"""Elsewhere a forked process may not go on with the system's own libraries, or there is no fork at all."""


_PR_SET_PDEATHSIG = 1
"""Number of the system's call that sets the signal a process gets when its parent ends."""


def new_place(worker: Any, descriptors: Sequence[int] = ()) -> Place:
    """Return a place for a worker.

    Python's threads hand one lock to and fro at every NumPy call: for many small calls two threads are as slow as one,
    and two processes twice as fast. A process is a copy of this one; what both are to see must lie in shared memory,
    and arguments and results of calls must be small.

    Args:
        worker: whose methods are called.
        descriptors: files that a process uses; it closes all others, such as the run's lock.
    """
    return (ProcessPlace if CAN_FORK else ThreadPlace)(worker, descriptors)


class Place:
    """Where a worker works."""

    def __init__(self, worker: Any, descriptors: Sequence[int]) -> None:
        raise TypeError(f"{type(self).__name__} cannot be made")

    def send(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Ask for a call."""

    def receive(self) -> tuple[Any, BaseException | None]:
        """Return the result of the call, or the error it raised."""
        raise TypeError(f"{type(self).__name__} does not implement receive")

    def has_answer(self) -> bool:
        """Whether :meth:`receive` would return at once."""
        raise TypeError(f"{type(self).__name__} does not implement has_answer")

    def check(self) -> None:
        """Raise a ResourceError where the place is no more."""

    def where(self) -> str:
        """End the call under way and return where it was, as a traceback, or an empty text where it does not tell."""
        return ""

    def close(self) -> None:
        """End it."""


class ThreadPlace(Place):
    """A thread that waits for calls."""

    def __init__(self, worker: Any, descriptors: Sequence[int]) -> None:
        from queue import SimpleQueue

        self._worker = worker
        self._calls: SimpleQueue[tuple[str, tuple[Any, ...]] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True, name="nntrain-worker")
        self._thread.start()

    def send(self, method: str, arguments: tuple[Any, ...]) -> None:
        self._calls.put((method, arguments))

    def receive(self) -> tuple[Any, BaseException | None]:
        return self._answers.get()

    def has_answer(self) -> bool:
        return not self._answers.empty()

    def close(self) -> None:
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        with in_training():  # NumPy's state belongs to a thread
            while (call := self._calls.get()) is not None:
                self._answers.put(attempt(self._worker, *call))


class ProcessPlace(Place):
    """A forked process that waits for calls at a pipe, and ends with it."""

    def __init__(self, worker: Any, descriptors: Sequence[int]) -> None:
        self._calls, self._answers = Pipe(), Pipe()
        parent, is_main = os.getpid(), current_thread() is main_thread()
        with warnings.catch_warnings():
            # Python warns of other threads (a progress bar's, a test runner's): the process uses nothing of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._process = os.fork()
            except OSError:
                self._calls.close()
                self._answers.close()
                raise
        if self._process == 0:
            _live(worker, self._calls, self._answers, descriptors, parent, is_main)
        _close_end(self._calls, "read_end")
        _close_end(self._answers, "write_end")

    def send(self, method: str, arguments: tuple[Any, ...]) -> None:
        try:
            _write(self._calls, (method, arguments))
        except BrokenPipeError:
            raise self._ended() from None

    def receive(self) -> tuple[Any, BaseException | None]:
        answer = _read(self._answers)
        return (None, self._ended()) if answer is None else answer

    def has_answer(self) -> bool:
        return self._answers.is_readable()

    def check(self) -> None:
        if self._process and os.waitpid(self._process, os.WNOHANG)[0]:
            self._process = 0
            raise self._ended()

    def where(self) -> str:
        def give_up() -> None:
            raise TimeoutError

        if not self._process:  # the number 0 would mean this process and its kin
            return ""
        with suppress(OSError):
            os.kill(self._process, signal.SIGUSR1)
            _, error = _read(self._answers, give_up) or (None, None)
            return "\n".join(getattr(error, "__notes__", ()))
        return ""

    def _ended(self) -> ResourceError:
        return ResourceError(
            "a process that computes a part of each batch was ended from outside",
            help="see whether memory is short; --threads 1 needs no further process",
        )

    def close(self) -> None:
        self._calls.close()
        self._answers.close()
        if self._process:
            with suppress(ChildProcessError):
                self._wait()
            self._process = 0

    def _wait(self) -> None:
        """Return when the process has ended, which a call that goes on and on, as a user's may, does not keep alive."""
        for seconds in (0.0, *(0.001 * 2**i for i in range(11))):  # two seconds together
            time.sleep(seconds)
            if os.waitpid(self._process, os.WNOHANG)[0]:
                return
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _live(worker: Any, calls: Pipe, answers: Pipe, descriptors: Sequence[int], parent: int, is_main: bool) -> NoReturn:
    """Be the process of a worker: answer calls until the pipe ends, which it does when the parent does."""
    code = 1
    try:
        if is_main:  # the system counts the thread as the parent; the main one lives as long as the process
            _let_the_system_end_it_with(parent)
        # Ctrl-C reaches all processes of a terminal; the first one decides when to end, after saving.
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        asked = _Asked()
        signal.signal(signal.SIGUSR1, asked.answer)
        _close_all_but({0, 1, 2, calls.read_end, answers.write_end, *descriptors})
        gc.freeze()  # what was there before shall not be looked at again: that would copy its memory
        with in_training(), suppress(BrokenPipeError):
            while (call := _read(calls, lambda: end_with(parent))) is not None:
                asked.is_at_work = True
                answer = attempt(worker, *call)
                asked.is_at_work = False
                _write(answers, _portable(*answer))
        code = 0
    except BaseException:
        traceback.print_exc()  # nobody else could tell of it
    finally:
        os._exit(code)


class _AskedError(BaseException):
    """Somebody wants to know where a call is that goes on and on; its traceback tells."""


class _Asked:
    """Answers :meth:`Place.where` in the process of a worker.

    Attributes:
        is_at_work: whether there is a call under way.
    """

    is_at_work = False

    def answer(self, number: int, frame: FrameType | None) -> None:
        if self.is_at_work:
            raise _AskedError


def _let_the_system_end_it_with(parent: int) -> None:
    """Have this process killed when its parent ends, also while it does not look at the pipe."""
    with suppress(OSError, AttributeError):  # where the C library has no such call, the pipe tells
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    end_with(parent)


def end_with(parent: int) -> None:
    """End this process where its parent is no longer that one."""
    if os.getppid() != parent:
        os._exit(1)


def waiting_call(frame: FrameType | None) -> FrameType | None:
    """Return the call, among those that a frame is within, that waits for another process, or None."""
    while frame is not None and frame.f_code is not ProcessPlace.receive.__code__:
        frame = frame.f_back
    return frame


def _close_all_but(kept: set[int]) -> None:
    start = 0
    for descriptor in sorted(kept):
        if start < descriptor:  # an empty range would be taken as one without an end
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _close_end(pipe: Pipe, end: str) -> None:
    os.close(getattr(pipe, end))
    setattr(pipe, end, -1)


def attempt(worker: Any, method: str, arguments: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """Return the result of a call, or the error it raised."""
    try:
        return getattr(worker, method)(*arguments), None
    except BaseException as error:
        return None, error


def _portable(result: Any, error: BaseException | None) -> tuple[Any, BaseException | None]:
    """Return an answer whose error can be sent: itself, or one that tells what it was."""
    if error is None:
        return result, None
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return None, RuntimeError("".join(traceback.format_exception(error)))
    return None, error


def _write(pipe: Pipe, message: Any) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.write(struct.pack("=I", len(data)) + data)


def _read(pipe: Pipe, check: Callable[[], None] | None = None) -> Any:
    head = pipe.read(4, check)
    if head is None:
        return None
    data = pipe.read(struct.unpack("=I", head)[0], check)
    return None if data is None else pickle.loads(data)
