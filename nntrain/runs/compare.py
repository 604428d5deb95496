"""Comparing runs: what differs in their configs, how they did, and whether a difference is real."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nntrain.runs.catalog import select
from nntrain.runs.comparison_row import DEVIATION, UNREADABLE, ComparedRun, read, unreadable
from nntrain.runs.comparison_text import as_csv, as_markdown, as_text
from nntrain.runs.differences import PairedComparison, paired_comparisons
from nntrain.runs.filters import apply_filters, sort_runs
from nntrain.runs.flatten import flatten
from nntrain.runs.plain_json import plain

__all__ = ["Comparison", "compare", "flatten"]

_TOLD_ELSEWHERE = frozenset({"name"})
"""Config keys that other columns show."""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: in the order asked for.
        differing: dotted config keys in which they differ.
        metrics: names of the metric columns.
        pairs: paired comparisons on CSVs that several of them were judged on.
        notices: what was passed over.
    """

    runs: list[ComparedRun]
    differing: list[str]
    metrics: list[str]
    pairs: list[PairedComparison]
    notices: list[str]

    @property
    def exit_code(self) -> int:
        """7 where a run is unreadable, else 0."""
        return 7 if any(run.status == UNREADABLE for run in self.runs) else 0

    @property
    def columns(self) -> list[str]:
        """Names of all columns, in order."""
        members = ["members"] if any("members" in run.facts for run in self.runs) else []
        epochs = ["epoch", "best_epoch"]
        return ["run", "status", *self.differing, *members, *epochs, *self.metrics, "parameters", "seconds"]

    def table(self, columns: Sequence[str]) -> list[list[Any]]:
        """Return the values of some columns, one list a run."""
        return [[run.value(column) for column in columns] for run in self.runs]

    def render(self, form: str = "text", width: int | None = None) -> str:
        """Return the comparison as ``text``, ``md``, ``csv`` or ``json``.

        Args:
            form: which.
            width: columns of the terminal that text is fitted into; None: no limit where stdout is no terminal.
        """
        if form == "json":
            return json.dumps(self.as_json(), allow_nan=False, indent=2)
        sentences = [pair.sentence() for pair in self.pairs]
        if form == "csv":
            return as_csv(self.columns, self.table(self.columns))
        short = self._short_columns()
        rows = [[run.shown(column) for column in short] for run in self.runs]
        if form == "md":
            return as_markdown(short, rows, sentences)
        return as_text(short, rows, sentences, width)

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON document."""
        runs = [
            {column: plain(run.value(column)) for column in self.columns} | {"problem": run.problem}
            for run in self.runs
        ]
        pairs = [pair.as_json() for pair in self.pairs]
        return {"columns": self.columns, "differing": self.differing, "runs": runs, "comparisons": pairs}

    def _short_columns(self) -> list[str]:
        """Return the columns for people: no settings, no metrics of the last epoch, and deviations beside the means."""
        hidden = {name for name in self.metrics if _is_detail(name) or name.endswith("learning_rate")}
        return [column for column in self.columns if column not in hidden]


def compare(
    runs: Sequence[str], runs_dir: str = "runs", sort: str | None = None, filters: Sequence[str] = ()
) -> Comparison:
    """Return the comparison of runs.

    Args:
        runs: directories, names under ``runs_dir``, ``latest``, or patterns such as ``runs/*``.
        runs_dir: the folder of runs.
        sort: a column, the best or smallest first; ``-column`` for the other direction.
        filters: conditions that all must hold, such as ``val_accuracy>0.9``.

    Raises:
        ConfigError: a run does not exist; a filter or column means nothing.
        RunError: none of them is a run.
    """
    found = select(runs, runs_dir)
    lines = [read(run) for run in found.runs]
    broken = [unreadable(path, reason) for path, reason in found.unreadable]
    kept = apply_filters([*lines, *broken], filters)
    if sort is not None:
        kept = sort_runs(kept, sort)
    pairs, notices = paired_comparisons(kept)
    problems = [f"{run.name}: unreadable: {run.problem}" for run in kept if run.status == UNREADABLE]
    return Comparison(kept, differing_keys(kept), _metrics(kept), pairs, [*found.notices, *problems, *notices])


def differing_keys(runs: Sequence[ComparedRun]) -> list[str]:
    """Return the config keys that are not equal, or not there, in all readable runs, in the order of the configs."""
    configs: list[Mapping[str, Any]] = [run.config for run in runs if run.config]
    keys = dict.fromkeys(key for config in configs for key in config if key not in _TOLD_ELSEWHERE)
    return [key for key in keys if len({_identity(config, key) for config in configs}) > 1]


def _identity(config: Mapping[str, Any], key: str) -> str:
    # As text, 1 and true differ, and so do null and a key that is not there.
    return json.dumps(plain(config[key]), sort_keys=True) if key in config else ""


def _metrics(runs: Sequence[ComparedRun]) -> list[str]:
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    return sorted(names, key=_is_detail)


def _is_detail(name: str) -> bool:
    return name.startswith(("last.", DEVIATION))
