"""The table behind the averages: every class by itself."""

from __future__ import annotations

from typing import Any

from nntrain.core.array import Array
from nntrain.metrics.base import Predictions
from nntrain.metrics.classification import F1, HitRatio, Precision, Recall
from nntrain.metrics.counting import count


def classification_report(predictions: Predictions) -> dict[str, Any]:
    """Return precision, recall, F1 and support of every class or label, and for classes the confusion matrix.

    ``classes``: a list, in the order of the model's classes, of ``label``, ``precision``, ``recall``, ``f1`` (null
    where undefined) and ``support``, the sum of weights of the true rows. ``confusion``: ``labels`` and ``matrix``,
    rows by true and columns by predicted class; where there are rows of classes the model does not know, ``unknown``
    holds how they were predicted. Counts are whole numbers unless the rows are weighted. All of it is JSON.

    >>> import numpy as np
    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> report = classification_report(Predictions(task, np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])))
    >>> report["classes"][1]
    {'label': 'b', 'precision': None, 'recall': 0.0, 'f1': 0.0, 'support': 1}
    >>> report["confusion"]
    {'labels': ['a', 'b'], 'matrix': [[1, 0], [1, 0]]}
    """
    task, counts = predictions.task, count(predictions)
    labels = list(task.classes or task.targets)
    columns = {name: _ratios(metric, predictions) for name, metric in _RATIOS.items()}
    support = _plain(counts.truth, predictions)
    classes = [
        {"label": label, **{name: column[i] for name, column in columns.items()}, "support": support[i]}
        for i, label in enumerate(labels)
    ]
    report: dict[str, Any] = {"classes": classes}
    if task.is_classification:
        report["confusion"] = {"labels": labels, "matrix": _plain(predictions.confusion, predictions)}
        if counts.unknown:
            report["confusion"]["unknown"] = _plain(predictions.full_confusion[-1, :-1], predictions)
    return report


_RATIOS: dict[str, HitRatio] = {"precision": Precision(), "recall": Recall(), "f1": F1()}


def _ratios(metric: HitRatio, predictions: Predictions) -> list[float | None]:
    numerators, denominators = metric.parts(count(predictions))
    pairs = zip(numerators.tolist(), denominators.tolist(), strict=True)
    return [numerator / denominator if denominator else None for numerator, denominator in pairs]


def _plain(counts: Array, predictions: Predictions) -> list[Any]:
    """Return counts as numbers of JSON: whole ones unless the rows are weighted."""
    listed: list[Any] = (counts if predictions.weight is not None else counts.astype(int)).tolist()
    return listed
