"""Pairs of runs judged on the same CSV: which is better, and can it be chance?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nntrain.errors import NntrainError
from nntrain.runs.comparison_row import UNREADABLE, ComparedRun
from nntrain.runs.evaluation import Evaluation
from nntrain.runs.paired import Difference, compare_errors, compare_shares, holm

Predictions: TypeAlias = Mapping[str, Sequence[str]]

MOST_IN_ALL_PAIRS = 8
"""So many runs are compared each with each; more, each with the best."""
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two runs on the rows that both predicted.

    Attributes:
        measure: ``accuracy`` or ``rmse``.
        a, b: names of the runs, the better first.
        value_a, value_b: the measure of each.
        difference: ``value_a - value_b``, with ``low`` and ``high`` its 95 % interval.
        p: of McNemar's or the sign-flip test; ``p_holm`` is adjusted for the number of comparisons.
    """

    csv: str
    rows: int
    measure: str
    a: str
    b: str
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    comparisons: int

    @property
    def distinguishable(self) -> bool:
        """Whether the difference is unlikely to be chance, at 5 % over all comparisons."""
        return self.p_holm < SIGNIFICANCE

    def sentence(self) -> str:
        """Return the comparison in words."""
        if self.value_a == self.value_b:
            verdict, relation = "not distinguishable", f"{self.a} and {self.b} are equal"
        elif self.distinguishable:
            verdict, relation = "a real difference", f"{self.a} is better than {self.b}"
        else:
            verdict, relation = "not distinguishable", f"{self.a} looks better than {self.b}"
        p = "p < 0.001" if self.p_holm < 0.001 else f"p = {self.p_holm:.2g}"
        corrected = f" (Holm, {self.comparisons} comparisons)" if self.comparisons > 1 else ""
        return f"{relation} on {self.rows:,} shared rows of {self.csv}: {self._size()}, {p}{corrected}: {verdict}"

    def _size(self) -> str:
        if self.measure == "accuracy":
            points = [100 * value for value in (self.difference, self.low, self.high)]
            return "accuracy {:+.1f} points, 95 % interval [{:.1f}, {:.1f}]".format(*points)
        return f"RMSE {self.difference:+.4g}, 95 % interval [{self.low:.4g}, {self.high:.4g}]"

    def as_json(self) -> dict[str, Any]:
        """Return the comparison for ``--format json``."""
        return {**asdict(self), "distinguishable": self.distinguishable, "sentence": self.sentence()}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A run's rows of one CSV: row number to whether it was right, or to its squared error.

    ``targets`` are the columns it predicted; errors of other ones, or of other steps of a forecast, are not comparable.
    """

    run: str
    csv: str
    targets: frozenset[str]
    is_share: bool
    scores: dict[str, float]

    def measure(self) -> float:
        mean = sum(self.scores.values()) / len(self.scores)
        return mean if self.is_share else -math.sqrt(mean)


def paired_comparisons(runs: Sequence[ComparedRun]) -> tuple[list[PairedComparison], list[str]]:
    """Return the comparisons of runs judged on the same CSV for the same targets, and notices about unusable files."""
    alike: dict[tuple[str, frozenset[str], bool], list[_Judged]] = {}
    notices: list[str] = []
    for run in runs:
        for content, evaluation in _evaluations(run, notices).items():
            try:
                judged = _judge(run, evaluation)
            except NntrainError as error:
                notices.append(f"{error.problems[0].place}: passed over: {error.problems[0].message}")
                continue
            if judged is not None:
                alike.setdefault((content, judged.targets, judged.is_share), []).append(judged)
    found = [pair for judged in alike.values() for pair in _pairs(judged)]
    return _corrected(found), notices


def _evaluations(run: ComparedRun, notices: list[str]) -> dict[str, Evaluation]:
    """Return one evaluation for each CSV content, that of the best checkpoint where there are two."""
    if run.run is None or run.status == UNREADABLE:
        return {}
    try:
        found = [evaluation for evaluation in run.run.read_evaluations() if evaluation.content]
    except NntrainError as error:
        notices.append(f"{run.name}: eval is passed over: {error.problems[0].message}")
        return {}
    found.sort(key=lambda evaluation: evaluation.checkpoint == "best")
    return {evaluation.content: evaluation for evaluation in found}


def _judge(run: ComparedRun, evaluation: Evaluation) -> _Judged | None:
    """Return a run's rows, or None where the file holds no truth beside the predictions."""
    columns = evaluation.predictions()
    targets = [name.removeprefix("true_") for name in columns if name.startswith("true_")]
    targets = [name for name in targets if f"predicted_{name}" in columns]
    if not targets or "row" not in columns:
        return None
    task = run.run.info.get("task") if run.run is not None else None
    scores = _wrong_or_right(columns, targets) if task != "regression" else _squared_errors(columns, targets)
    if scores is None:
        return None
    csv = str(evaluation.document.get("csv") or evaluation.folder.name)
    by_row = dict(zip(columns["row"], scores, strict=True))
    return _Judged(run.name, csv, frozenset(targets), task != "regression", by_row)


def _wrong_or_right(columns: Predictions, targets: Sequence[str]) -> list[float]:
    pairs = [zip(columns[f"true_{name}"], columns[f"predicted_{name}"], strict=True) for name in targets]
    return [float(all(_same(true, predicted) for true, predicted in row)) for row in zip(*pairs, strict=True)]


def _same(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return float(a) == float(b)
    except ValueError:
        return False


def _squared_errors(columns: Predictions, targets: Sequence[str]) -> list[float] | None:
    try:
        errors = [
            np.array(columns[f"true_{name}"], np.float64) - np.array(columns[f"predicted_{name}"], np.float64)
            for name in targets
        ]
    except ValueError:
        return None
    squared: NDArray[np.float64] = np.mean(np.square(errors), axis=0)
    return [float(value) for value in squared] if np.isfinite(squared).all() else None


def _pairs(judged: list[_Judged]) -> list[PairedComparison]:
    judged = sorted((one for one in judged if one.scores), key=lambda one: -one.measure())
    best = judged[:1] if len(judged) > MOST_IN_ALL_PAIRS else judged
    pairs = [(a, b) for a, b in itertools.combinations(judged, 2) if a in best]
    found = (_compare(a, b) for a, b in pairs)
    return [pair for pair in found if pair is not None]


def _compare(a: _Judged, b: _Judged) -> PairedComparison | None:
    shared = [row for row in a.scores if row in b.scores]
    if len(shared) < 2:
        return None
    x, y = (np.array([one.scores[row] for row in shared]) for one in (a, b))
    difference = compare_shares(x > 0, y > 0) if a.is_share else compare_errors(x, y)
    if difference.value != 0 and (difference.value < 0) == a.is_share:
        return _compare(b, a)  # on the shared rows the other one is ahead
    values = [float(v.mean()) if a.is_share else math.sqrt(float(v.mean())) for v in (x, y)]
    return _paired(a, b, len(shared), values, difference)


def _paired(a: _Judged, b: _Judged, rows: int, values: Sequence[float], found: Difference) -> PairedComparison:
    return PairedComparison(
        csv=a.csv,
        rows=rows,
        measure="accuracy" if a.is_share else "rmse",
        a=a.run,
        b=b.run,
        value_a=values[0],
        value_b=values[1],
        difference=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        p_holm=found.p,
        comparisons=1,
    )


def _corrected(found: list[PairedComparison]) -> list[PairedComparison]:
    adjusted = holm([pair.p for pair in found])
    return [replace(pair, p_holm=p, comparisons=len(found)) for pair, p in zip(found, adjusted, strict=True)]
