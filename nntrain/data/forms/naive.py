"""Forecasts that need no network: what one has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array
from nntrain.data.forms.changes import Changes
from nntrain.data.notices import Notice


def naive_scores(
    part: str,
    targets: Sequence[str],
    changes: Changes,
    u: Array,
    places: Array,
    base: Array,
    weights: Array | None,
) -> list[Notice]:
    """Return the root mean squared errors of forecasts that repeat a value; of several rows ahead their mean.

    Args:
        part: that is predicted, ``rows`` for a whole file.
        targets: names of the D columns.
        changes: what the series is modelled by.
        u: (R, D) the series as it is modelled.
        places: (N,) of the first rows predicted.
        base: (N, horizon, D) what changes are relative to.
        weights: (N,) of the windows, or None.

    Returns:
        A notice for each forecast and column; none where all weights are 0.
    """
    if weights is not None and not weights.any():
        return []
    truth = changes.inverse(u[places[:, None] + np.arange(base.shape[1])])
    guesses = {"the last value (persistence)": u[places - 1][:, None]}
    if changes.lags not in ([], [1]):
        before = " and ".join(map(str, changes.lags))
        guesses[f"the value {before} rows before (seasonal naive)"] = base
    where = "these rows" if part == "rows" else f"the {part} part"
    found = []
    for words, guess in guesses.items():
        errors = np.sqrt(np.average(np.square(changes.inverse(guess) - truth), axis=0, weights=weights)).mean(axis=0)
        sentence = f"to beat on {where}, rmse of repeating {words}"
        found += [Notice(sentence, name, f"{error:.6g}") for name, error in zip(targets, errors, strict=True)]
    return found
