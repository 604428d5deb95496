"""A parent: a run that holds others, one for each seed or fold, and has no weights of its own.

Who only shows a run takes its ``run.json`` as it comes: what is odd in it counts as not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Spread: TypeAlias = dict[str, float | None]

SEEDS, FOLDS = KINDS = ("seeds", "folds")
"""What the runs of a parent differ in; the name of their folder too."""

STATISTICS = ("mean", "deviation", "min", "max", "count")
"""What ``run.json`` and ``summary.json`` hold of each metric of the best rows of a parent's runs."""


def is_parent(info: Mapping[str, Any]) -> bool:
    """Return whether a ``run.json`` is that of a parent.

    >>> is_parent({"repeats": {"kind": "seeds", "seeds": 3}}), is_parent({"status": "finished"})
    (True, False)
    """
    return isinstance(info.get("repeats"), Mapping)


def kind_of_members(info: Mapping[str, Any]) -> str | None:
    """Return what a parent's runs differ in, which is the name of their folder too; None where it does not tell."""
    told = info["repeats"].get("kind") if is_parent(info) else None
    return next((kind for kind in KINDS if kind == told), None)


def members_of(info: Mapping[str, Any]) -> list[str]:
    """Return the names of a parent's runs, none before all of them have ended once."""
    members = info.get("members") if is_parent(info) else None
    return [str(name) for name in members] if isinstance(members, list) else []


def spread_of(info: Mapping[str, Any]) -> dict[str, Spread]:
    """Return mean, standard deviation, extremes and count of each metric over a parent's runs, by its name.

    There are none while some of the runs have yet to end: those that stand in ``run.json`` are of fewer epochs then.

    >>> spread_of({"repeats": {"kind": "seeds"}, "status": "finished", "summary": {"val_loss": {"mean": 0.5}}})
    {'val_loss': {'mean': 0.5, 'deviation': None, 'min': None, 'max': None, 'count': None}}
    """
    summary = info.get("summary") if is_parent(info) and info.get("status") == "finished" else None
    if not isinstance(summary, Mapping):
        return {}
    known = {name: values for name, values in summary.items() if isinstance(values, Mapping)}
    return {name: {key: _number(values.get(key)) for key in STATISTICS} for name, values in known.items()}


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def with_deviation(mean: float, deviation: float | None) -> str:
    """Return a mean for people, with its standard deviation where it is one of several.

    >>> with_deviation(0.116119, 0.0532152), with_deviation(0.25, None)
    ('0.11612 ± 0.053', '0.25')
    """
    return f"{mean:.5g}" if deviation is None else f"{mean:.5g} ± {deviation:.2g}"
