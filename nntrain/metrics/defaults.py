"""Which metrics a task has where the config names none."""

from __future__ import annotations

from collections.abc import Mapping

from nntrain.core.task import Task
from nntrain.metrics.base import METRICS, Metric


def default_metrics(task: Task) -> list[str]:
    """Return the metrics of every epoch: few, cheap and what users of the task look at first.

    >>> default_metrics(Task("regression", ("y",)))
    ['rmse', 'r2']
    """
    if task.kind == "regression":
        return ["rmse", "r2"]
    return ["f1_micro", "subset_accuracy"] if task.kind == "multilabel" else ["accuracy"]


def standard_metrics(task: Task) -> list[str]:
    """Return everything ``eval`` reports.

    >>> standard_metrics(Task("multilabel", ("a", "b")))[:3]
    ['subset_accuracy', 'hamming_loss', 'f1_macro']
    """
    if task.kind == "regression":
        return ["rmse", "mae", "median_absolute_error", "max_error", "mape", "r2", "explained_variance"]
    if task.kind == "multilabel":
        return ["subset_accuracy", "hamming_loss", "f1_macro", "f1_micro", "roc_auc", "pr_auc", "log_loss", "brier"]
    ratios = ["precision", "recall", "f1"] if task.is_binary else ["precision_macro", "recall_macro", "f1_macro"]
    names = ["accuracy", "balanced_accuracy", *ratios, "roc_auc", "pr_auc", "log_loss", "brier"]
    names += ["matthews_correlation", "cohen_kappa"]
    return [*names, "top_5"] if len(task.classes) > 10 else names


def with_standard_metrics(task: Task, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return the standard metrics of a task by name, with those of a config after and instead of them."""
    return {**{name: METRICS.build(name) for name in standard_metrics(task)}, **metrics}
