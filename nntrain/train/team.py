"""Workers that compute at the same time, each in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Generic, TypeGuard, TypeVar

from nntrain.core.place import Place, attempt, end_with, new_place
from nntrain.train.exchange import PeerError

W = TypeVar("W")


class Team(Generic[W]):
    """Calls a method of several workers at once: of the first one here, of each other one in a place of its own.

    Places are made at the first call, with what the workers are then: see :func:`nntrain.core.place.new_place`.

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
            self._places = [new_place(worker, self._descriptors) for worker in self.workers[1:]]
        for place in self._places:
            place.send(method, arguments)
        answers = [attempt(self.workers[0], method, arguments)]
        if _ends_all(answers[0][1]):
            raise answers[0][1]
        # All answers are taken before an error is raised, so that the next call does not find the rest of this one.
        try:
            answers.extend(place.receive() for place in self._places)
        except BaseException as error:
            if _ends_all(error):  # who has waited without end is told for what
                error.add_note("\n".join(place.where() for place in self._places))
            raise
        errors = [error for _, error in answers if error is not None]
        if errors:
            raise _cause(errors)
        return [result for result, _ in answers]

    def check(self) -> None:
        """Raise a ResourceError where a worker's process has ended; end this one where it is a worker's, left alone."""
        if os.getpid() != self._process:
            end_with(self._process)
            return
        for place in self._places:
            place.check()

    def close(self) -> None:
        """End the places."""
        for place in self._places:
            place.close()
        self._places = []


def _ends_all(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether an error, such as a signal, ends the program, whatever the other workers do."""
    return error is not None and not isinstance(error, Exception)


def _cause(errors: Sequence[BaseException]) -> BaseException:
    """Return the first error that is not the mere consequence of another worker's."""
    return next((error for error in errors if not isinstance(error, PeerError)), errors[0])
