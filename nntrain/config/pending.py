"""Keys that the config knows and checks, and that nothing yet acts on: one table, refused in one place."""

from __future__ import annotations

from typing import Any

from nntrain.config.schema import Config
from nntrain.errors import ConfigError, KeyPath

# Key path, value at which nothing is asked for, and what to do instead.
PENDING: tuple[tuple[KeyPath, Any, str], ...] = ((("tensorboard",), False, "read metrics.jsonl of the run"),)


def refuse_pending(config: Config) -> None:
    """Raise ConfigError where a config asks for something that is not supported yet, naming all of it."""
    problems = []
    for path, unused, remedy in PENDING:
        value: Any = config
        for part in path:
            value = getattr(value, str(part))
        if value != unused:
            problems.append(config.problem(path, "not supported yet", remedy))
    if problems:
        raise ConfigError(problems)
