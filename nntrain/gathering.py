"""All that is wrong at once, where one check needs nothing of another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nntrain.errors import ConfigError, DataError


class Gathering:
    """Errors of checks that need nothing of each other, raised together in the order of the file.

    >>> checks = Gathering()
    >>> with checks.next():
    ...     raise ConfigError("loss: unknown", path="a.yaml", line=7)
    >>> with checks.next():
    ...     raise ConfigError("epochs: unknown", path="a.yaml", line=5)
    >>> checks.end()
    Traceback (most recent call last):
    nntrain.errors.ConfigError: error: a.yaml:5: epochs: unknown
    error: a.yaml:7: loss: unknown
    """

    def __init__(self) -> None:
        self._errors: list[ConfigError | DataError] = []

    @contextmanager
    def next(self) -> Iterator[None]:
        """Keep an error of a config or of its data for the end."""
        try:
            yield
        except (ConfigError, DataError) as error:
            self._errors.append(error)

    def end(self) -> None:
        """Raise what was kept as one error, a ConfigError where any of them is one."""
        if not self._errors:
            return
        kind = next((type(error) for error in self._errors if isinstance(error, ConfigError)), DataError)
        problems = [problem for error in self._errors for problem in error.problems]
        once = [p for i, p in enumerate(problems) if p not in problems[:i]]  # two parts may name one file
        raise kind(sorted(once, key=lambda problem: (problem.line is None, problem.line or 0)))
