"""What ``compare`` knows of one run: its config, its epochs and its metrics, by column."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nntrain.errors import NntrainError, RunError, quote
from nntrain.runs import checkpoint
from nntrain.runs.files import is_there, read_file
from nntrain.runs.flatten import flatten
from nntrain.runs.parent import is_parent, members_of, spread_of, with_deviation
from nntrain.runs.rows import NOT_VALUES
from nntrain.runs.run import CONFIG_FILE, Run

LARGEST_CONFIG = 4 << 20
UNREADABLE = "unreadable"
DEVIATION = "deviation."
"""Begins the columns with the standard deviations of a parent's metrics."""


@dataclass
class ComparedRun:
    """One line of the comparison.

    Attributes:
        name: of the run directory.
        status: of the run, or ``unreadable``.
        problem: why it is unreadable, or None.
        config: by dotted key.
        facts: ``epoch``, ``best_epoch``, ``parameters``, ``seconds``, and ``members`` of a parent.
        metrics: at the best epoch under their own names, of the last epoch as ``last.<name>``, of the test part as
            ``test_<name>``; of a parent the means over its runs, with their standard deviations as
            ``deviation.<name>``.
        run: to read predictions from, or None.
    """

    name: str
    status: str
    problem: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    run: Run | None = None

    def value(self, column: str) -> Any:
        """Return what stands in a column, None where there is nothing.

        ``optimizer.name`` also finds the name of a thing that the config gives by its name alone.
        """
        if column in ("run", "name"):
            return self.name
        if column == "status":
            return self.status
        for values in (self.facts, self.metrics, self.config):
            if column in values:
                return values[column]
        short = self.config.get(column.removesuffix(".name")) if column.endswith(".name") else None
        return short if isinstance(short, str) else None

    def shown(self, column: str) -> Any:
        """Return what stands in a column for people: the means of a parent with their deviations."""
        value, deviation = self.value(column), self.metrics.get(f"{DEVIATION}{column}")
        return value if deviation is None or not _is_number(value) else with_deviation(value, deviation)

    def columns(self) -> list[str]:
        """Return the names of all columns that the run has."""
        return ["run", "status", *self.config, *self.facts, *self.metrics]


def unreadable(path: Path, reason: str) -> ComparedRun:
    """Return the line of a run that cannot be read."""
    return ComparedRun(path.name or str(path), UNREADABLE, reason)


def read(run: Run) -> ComparedRun:
    """Return the line of a run; one with a damaged file is ``unreadable``, with all that could be read of it."""
    compared = ComparedRun(run.name, run.status, run=run)
    for part in (_read_config, _read_spread if is_parent(run.info) else _read_epochs, _check_checkpoints):
        try:
            part(run, compared)
        except NntrainError as error:
            problem = error.problems[0]
            compared.status = UNREADABLE
            compared.problem = compared.problem or ": ".join(filter(None, (problem.place, problem.message)))
    return compared


def _read_config(run: Run, compared: ComparedRun) -> None:
    import yaml

    path = run.path / CONFIG_FILE
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(read_file(path, LARGEST_CONFIG), loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise RunError(f"not sound YAML: {quote(str(error))}", path=str(path)) from None
    if not isinstance(config, dict):
        raise RunError("expected a mapping", path=str(path))
    compared.config = flatten(config)


def _read_epochs(run: Run, compared: ComparedRun) -> None:
    rows, info = run.read_metrics(), run.info
    best_epoch = info.get("best_epoch")
    last = rows[-1] if rows else {}
    best = next((row for row in rows if row.get("epoch") == best_epoch), last)
    metrics = {name: value for name, value in best.items() if name not in NOT_VALUES}
    metrics |= {f"last.{name}": value for name, value in last.items() if name not in NOT_VALUES}
    test = info.get("test")
    if isinstance(test, dict):
        metrics |= {f"test_{name}": value for name, value in test.items() if name != "rows"}
    compared.metrics = {name: value for name, value in metrics.items() if value is None or _is_number(value)}
    timing = run.read_timing()
    spent = [row.get(name) for row in timing for name in ("train_seconds", "eval_seconds")]
    seconds = sum(value for value in spent if isinstance(value, (int, float)))
    compared.facts = {
        "epoch": len(rows),
        "best_epoch": best_epoch if isinstance(best_epoch, int) else None,
        "parameters": info.get("parameters") if _is_number(info.get("parameters")) else None,
        "seconds": round(seconds, 3) if timing else None,
    }


def _read_spread(run: Run, compared: ComparedRun) -> None:
    """Take the metrics of a parent, which has no epochs of its own: they are those of its runs."""
    info, spread = run.info, spread_of(run.info)
    compared.metrics = {name: values["mean"] for name, values in spread.items()}
    compared.metrics |= {f"{DEVIATION}{name}": values["deviation"] for name, values in spread.items()}
    parameters = info.get("parameters")
    compared.facts = {
        "members": len(members_of(info)) or None,
        "parameters": parameters if _is_number(parameters) else None,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_checkpoints(run: Run, compared: ComparedRun) -> None:
    """Look at the headers; the arrays are not read, so that a comparison of many runs stays quick."""
    for name in ("best", "last"):
        path = run.checkpoints.path(name)
        if is_there(path):
            checkpoint.inspect(path)
