"""Workers that compute at the same time, each in a process of its own."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any, Generic, NoReturn, TypeVar

from nntrain.core.arithmetic import in_training
from nntrain.errors import ResourceError
from nntrain.train.exchange import PeerError
from nntrain.train.pipe import Pipe

W = TypeVar("W")

CAN_FORK = sys.platform == "linux"
"""Elsewhere a forked process may not go on with the system's own libraries, or there is no fork at all."""


class Team(Generic[W]):
    """Calls a method of several workers at once: of the first one here, of each other one in a place of its own.

    A place is a forked process. Python's threads hand one lock to and fro at every NumPy call: for networks of many
    small calls two threads are as slow as one, and two processes twice as fast. Where there is no fork, places are
    threads. Processes start at the first call, as copies of what the workers are then; what they are to see of one
    another must lie in shared memory, and arguments and results of calls must be small.

    Args:
        workers: at least one.
        descriptors: files that the processes use; they close all others, such as the run's lock.

    >>> team = Team(["one", "two"])
    >>> team.call("replace", "o", "0"), team.close()
    (['0ne', 'tw0'], None)
    """

    def __init__(self, workers: Sequence[W], descriptors: Sequence[int] = ()) -> None:
        self.workers = list(workers)
        self._descriptors = list(descriptors)
        self._places: list[Place] = []
        self._process = os.getpid()

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Return what a method of each worker returns, in the order of the workers.

        Raises:
            ResourceError: a worker's process has ended.
        """
        if len(self.workers) == 1:
            return [getattr(self.workers[0], method)(*arguments)]
        if not self._places:
            kind = ProcessPlace if CAN_FORK else ThreadPlace
            self._places = [kind(worker, self._descriptors) for worker in self.workers[1:]]
        for place in self._places:
            place.send(method, arguments)
        answers = [_attempt(self.workers[0], method, arguments)]
        # All answers are taken before an error is raised, so that the next call does not find the rest of this one.
        answers.extend(place.receive() for place in self._places)
        errors = [error for _, error in answers if error is not None]
        if errors:
            raise _cause(errors)
        return [result for result, _ in answers]

    def check(self) -> None:
        """Raise a ResourceError where a worker's process has ended; end this one where it is a worker's, left alone."""
        if os.getpid() != self._process:
            _end_with(self._process)
            return
        for place in self._places:
            place.check()

    def close(self) -> None:
        """End the places."""
        for place in self._places:
            place.close()
        self._places = []


class Place:
    """Where a worker works."""

    def __init__(self, worker: Any, descriptors: Sequence[int]) -> None:
        raise TypeError(f"{type(self).__name__} cannot be made")

    def send(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Ask for a call."""

    def receive(self) -> tuple[Any, BaseException | None]:
        """Return the result of the call, or the error it raised."""
        raise TypeError(f"{type(self).__name__} does not implement receive")

    def check(self) -> None:
        """Raise a ResourceError where the place is no more."""

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

    def close(self) -> None:
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        with in_training():  # NumPy's state belongs to a thread
            while (call := self._calls.get()) is not None:
                self._answers.put(_attempt(self._worker, *call))


class ProcessPlace(Place):
    """A forked process that waits for calls at a pipe, and ends with it."""

    def __init__(self, worker: Any, descriptors: Sequence[int]) -> None:
        self._calls, self._answers = Pipe(), Pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            # Python warns of other threads (a progress bar's, a test runner's): the process uses nothing of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if self._process == 0:
            _live(worker, self._calls, self._answers, descriptors, parent)
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

    def check(self) -> None:
        if self._process and os.waitpid(self._process, os.WNOHANG)[0]:
            self._process = 0
            raise self._ended()

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
                os.waitpid(self._process, 0)
            self._process = 0


def _live(worker: Any, calls: Pipe, answers: Pipe, descriptors: Sequence[int], parent: int) -> NoReturn:
    """Be the process of a worker: answer calls until the pipe ends, which it does when the parent does."""
    code = 1
    try:
        # Ctrl-C reaches all processes of a terminal; the first one decides when to end, after saving.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _close_all_but({0, 1, 2, calls.read_end, answers.write_end, *descriptors})
        gc.freeze()  # what was there before shall not be looked at again: that would copy its memory
        with in_training(), suppress(BrokenPipeError):
            while (call := _read(calls, lambda: _end_with(parent))) is not None:
                _write(answers, _portable(*_attempt(worker, *call)))
        code = 0
    except BaseException:
        traceback.print_exc()  # nobody else could tell of it
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    if os.getppid() != parent:
        os._exit(1)


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


def _attempt(worker: Any, method: str, arguments: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
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


def _cause(errors: Sequence[BaseException]) -> BaseException:
    """Return the first error that is not the mere consequence of another worker's."""
    return next((error for error in errors if not isinstance(error, PeerError)), errors[0])
