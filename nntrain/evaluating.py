"""Judging a run on a CSV, and predicting for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.data.batches import Dataset, Labels
from nntrain.data.preparation import load_for_eval
from nntrain.data.table import Table, read_table
from nntrain.errors import RunError, escape
from nntrain.inference import TrainedModel, load_model, refusing_odd_models
from nntrain.metrics.base import evaluate
from nntrain.metrics.defaults import with_standard_metrics
from nntrain.metrics.report import classification_report
from nntrain.runs.files import is_there
from nntrain.runs.parent import is_parent, kind_of_members, members_of
from nntrain.runs.record import refuse_foreign
from nntrain.runs.run import Run
from nntrain.train.evaluation import Evaluator

CheckpointName: TypeAlias = str
"""``best``, ``last``, or ``step-N`` of those that ``checkpoint.keep`` keeps."""
UnknownClass = Literal["error", "wrong", "skip"]


@dataclass(frozen=True)
class Evaluation:
    """A run judged on a CSV.

    Attributes:
        document: what ``eval --json`` and ``metrics.json`` hold.
        predictions: columns of ``predictions.csv`` by name.
        notices: what is worth knowing about the file.
    """

    document: dict[str, Any]
    predictions: dict[str, Sequence[Any]]
    notices: list[str]


def load_trained(run: Run, checkpoint: CheckpointName) -> TrainedModel:
    """Return the model of a run's checkpoint.

    Raises:
        RunError: the run holds others, of several seeds or folds, or its checkpoint is missing or damaged.
    """
    refuse_parent(run)
    arrays, state = run.checkpoints.load(checkpoint)
    path = run.checkpoints.path(checkpoint)
    refuse_foreign(run.info, state, path)
    return load_model(arrays, state, str(path))


def best_or_last(run: Run, checkpoint: CheckpointName) -> CheckpointName:
    """Return the checkpoint that is asked for, or the last one where no epoch has been the best yet."""
    best, last = run.checkpoints.path("best"), run.checkpoints.path("last")
    return "last" if checkpoint == "best" and not is_there(best) and is_there(last) else checkpoint


def refuse_parent(run: Run) -> None:
    """Refuse a run that holds others, of several seeds or folds.

    Raises:
        RunError: it does; the remedy names one of them.
    """
    if not is_parent(run.info):
        return
    kind, members, help = kind_of_members(run.info), members_of(run.info), "name one of its runs"
    if kind is not None and members:
        help += f", such as {escape(str(run.path / kind / members[0]))}"
    raise RunError("it holds runs, and has no weights of its own", path=str(run.path), help=help)


def evaluate_csv(run: Run, csv: str, checkpoint: CheckpointName, unknown_class: UnknownClass) -> Evaluation:
    """Return how a run's network does on a CSV that holds the target."""
    checkpoint = best_or_last(run, checkpoint)
    model = load_trained(run, checkpoint)
    with refusing_odd_models(str(run.checkpoints.path(checkpoint))):
        return _evaluate(run, model, csv, checkpoint, unknown_class)


def _evaluate(
    run: Run, model: TrainedModel, csv: str, checkpoint: CheckpointName, unknown_class: UnknownClass
) -> Evaluation:
    table = read_table([csv], model.preprocessing.read_options, [csv])
    prepared = load_for_eval(model.preprocessing, table, unknown_class)
    metrics = with_standard_metrics(model.task, model.metrics)
    evaluator = model.evaluator(metrics)
    outputs, labels, known = evaluator.outputs(prepared.dataset), prepared.labels, prepared.known
    judged = evaluator.judge(outputs[known], labels.at(known))
    # Rows of unknown classes have no loss; where they count as errors, the metrics see them as code -1.
    predictions = judged.predictions
    if unknown_class == "wrong" and not known.all():
        predictions = evaluator.predictions(outputs, labels)
    values, reasons = evaluate(metrics, predictions)
    document: dict[str, Any] = {
        "run": run.name,
        "checkpoint": checkpoint,
        "epoch": model.epoch,
        "csv": csv,
        "sha256": table.sha256[csv],
        "task": model.task.kind,
        "target_is_scaled": any(s.scale != 1.0 for s in model.preprocessing.target.scalers),
        "rows": len(labels),
        "unknown_rows": int((~known).sum()),
        "unknown_class": unknown_class,
        "loss": judged.loss,
        "metrics": values,
        "reasons": reasons,
    }
    if model.task.is_classification:
        document |= classification_report(predictions)
    truth = {f"true_{name}": values_ for name, values_ in prepared.truth.items()}
    columns = columns_of(model, evaluator, outputs, labels, table, truth)
    notices = [*model.notices, *_seen_before(run, table.sha256[csv]), *table.notices, *prepared.notices]
    return Evaluation(document, columns, notices)


def _seen_before(run: Run, sha256: str) -> list[str]:
    """A score on rows that the weights or the best epoch were chosen by is no estimate for new rows."""
    data = run.info.get("data")
    files = [known for known in data.values() if isinstance(known, dict)] if isinstance(data, dict) else []
    parts = [known.get("part") for known in files if known.get("sha256") == sha256]
    uses = {"train": "was trained on", "validation": "chose its best epoch by"}
    found = [
        f"warning: the run {uses[part]} this very file: the scores say little of new rows"
        for part in uses
        if part in parts
    ]
    return found[:1]


def predict_csv(run: Run, csv: str, checkpoint: CheckpointName) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Return prediction columns for a CSV, with or without the target in it, and notices."""
    checkpoint = best_or_last(run, checkpoint)
    model = load_trained(run, checkpoint)
    with refusing_odd_models(str(run.checkpoints.path(checkpoint))):
        table = read_table([csv], model.preprocessing.read_options, [csv])
        features, notices = model.preprocessing.apply(table)
        notices += model.preprocessing.extra_columns(table)
        return prediction_columns(model, features), [*model.notices, *table.notices, *notices]


def prediction_columns(model: TrainedModel, data: Dataset) -> dict[str, Sequence[Any]]:
    """Return the columns of ``predictions.csv`` for some examples."""
    evaluator = model.evaluator({})
    return columns_of(model, evaluator, evaluator.outputs(data), data.labels(), data.table, {})


def columns_of(
    model: TrainedModel,
    evaluator: Evaluator,
    outputs: Array,
    labels: Labels,
    table: Table | None,
    truth: Mapping[str, Sequence[Any]],
) -> dict[str, Sequence[Any]]:
    """Return the columns of ``predictions.csv`` for outputs (L, K) and the truth, in the order of the file's rows."""
    preprocessing = model.preprocessing
    if preprocessing.target.reconstructs:
        columns = anomaly_scores(outputs, labels)
    else:
        codes = evaluator.loss.decide(outputs) if model.task.is_classification else None
        columns = outputs_as_columns(model, evaluator.linked(outputs, labels.base), labels.rows, codes)
    owner = {} if table is None else preprocessing.form.identify(table, labels.rows)
    taken = {*columns, *truth}
    named = {(f"sequence_{name}" if name in taken else name): cells for name, cells in owner.items()}
    columns = {"row": columns["row"], **named, **columns, **truth}
    order = np.argsort(labels.rows, kind="stable").tolist()
    return {name: [cells[i] for i in order] for name, cells in columns.items()}


def anomaly_scores(outputs: Array, labels: Labels) -> dict[str, Sequence[Any]]:
    """Return the mean squared error (N,) of each reconstruction, in scaled units: the larger, the odder the row."""
    scores = np.square(outputs.astype(np.float64) - labels.target).mean(axis=1)
    return {"row": labels.rows.tolist(), "anomaly_score": scores.tolist()}


def outputs_as_columns(
    model: TrainedModel, linked: Array, rows: Array, codes: Array | None
) -> dict[str, Sequence[Any]]:
    """Return the columns of ``predictions.csv``.

    ``row`` counts the rows of the CSV from 0; classification adds the predicted class and one probability a class,
    regression the predicted values in the target's own units.
    """
    task = model.task
    columns: dict[str, Sequence[Any]] = {"row": rows.tolist()}
    if codes is not None:
        columns[f"predicted_{task.targets[0]}"] = [task.classes[code] for code in codes]
        kind = "probability" if model.loss.gives_probabilities else "score"
        for i, label in enumerate(task.classes):
            columns[f"{kind}_{label}"] = linked[:, i].tolist()
        return columns
    if task.kind == "multilabel":
        for i, name in enumerate(task.targets):
            columns[f"predicted_{name}"] = (linked[:, i] >= 0.5).astype(int).tolist()
            columns[f"probability_{name}"] = linked[:, i].tolist()
        return columns
    for i, name in enumerate(task.targets):
        columns[f"predicted_{name}"] = linked[:, i].tolist()
    return columns
