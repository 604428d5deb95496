"""The same training several times: with other seeds, or with each fold held out in turn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nntrain.config.schema import Config
from nntrain.evaluating import best_or_last, load_trained, prediction_columns
from nntrain.experiment import Experiment, assemble
from nntrain.runs.parent import FOLDS, SEEDS
from nntrain.runs.rows import NOT_VALUES
from nntrain.runs.run import Run


@dataclass(frozen=True, slots=True)
class Member:
    """One of the trainings: its name, such as ``seed-1`` or ``fold-1``, its experiment, and its fold from 0."""

    name: str
    experiment: Experiment
    fold: int | None = None


def members(config: Config, seeds: int | None) -> Iterator[Member]:
    """Yield the trainings: one for each seed, or one for each fold."""
    if seeds:
        for i in range(seeds):
            seed = config.seed + i
            yield Member(f"seed-{seed}", assemble(config.model_copy(update={"seed": seed})))
        return
    for fold in range(config.data.folds or 0):
        yield Member(f"fold-{fold + 1}", assemble(config, fold), fold)


def kind_of(seeds: int | None) -> str:
    """Return what the trainings differ in, the folder's name under the parent."""
    return SEEDS if seeds else FOLDS


def held_out_columns(experiment: Experiment, run: Run) -> dict[str, list[Any]]:
    """Return the best weights' predictions for a fold's held-out rows: the columns of ``out_of_fold.csv``."""
    part = experiment.prepared.validation
    assert part is not None, "a fold holds rows out"
    model = load_trained(run, best_or_last(run, "best"))
    columns = prediction_columns(model, part)
    return {name: list(values) for name, values in columns.items()}


def summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | int | None]]:
    """Return mean, standard deviation (n - 1), smallest and largest of each value over the members' best rows.

    >>> summarize([{"val_loss": 1.0}, {"val_loss": 3.0}])["val_loss"]["mean"]
    2.0
    """
    names = [name for name in (rows[0] if rows else {}) if name not in NOT_VALUES | {"learning_rate"}]
    return {name: _spread([row.get(name) for row in rows]) for name in names}


def _spread(values: Sequence[float | None]) -> dict[str, float | int | None]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return {"mean": None, "deviation": None, "min": None, "max": None, "count": 0}
    deviation = statistics.stdev(known) if len(known) > 1 else None
    mean = math.fsum(known) / len(known)
    return {"mean": mean, "deviation": deviation, "min": min(known), "max": max(known), "count": len(known)}
