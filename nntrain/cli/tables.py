"""Text tables of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nntrain.cli.progress import number
from nntrain.core.memory import size_text
from nntrain.errors import escape, shorten

if TYPE_CHECKING:
    from nntrain.core.network import Network
    from nntrain.fitting import Outcome


MOST_SHOWN_CLASSES = 20
LONGEST_LABEL = 24


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """Return an aligned table; the columns numbered in ``numeric`` are flushed right.

    Cells are escaped here, so that a label with a line break in it does not break the table.

    >>> print(table(["name", "rows"], [["train", "120"], ["val", "9"]], numeric=[1]))
    name   rows
    train   120
    val       9
    """
    lines = [[escape(text) for text in line] for line in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def cell(text: str, i: int) -> str:
        return text.rjust(widths[i]) if i in numeric else text.ljust(widths[i])

    return "\n".join("  ".join(cell(text, i) for i, text in enumerate(line)).rstrip() for line in lines)


def when(created: str) -> str:
    """Return a time of run.json as people read it, in the local time that names of runs use too."""
    try:
        return f"{datetime.fromisoformat(created).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return created


def layer_table(network: Network) -> str:
    """Return the layer table: name, output shape, parameters, FLOPs of a row's forward pass, memory for a row."""
    layers = network.table()
    flops, memory = sum(row.flops for row in layers), sum(row.activation_bytes for row in layers)
    counted = [(row.name or row.kind, row.out_shape, row.parameters, row.flops, row.activation_bytes) for row in layers]
    rows = [
        [name, " x ".join(map(str, shape)), f"{parameters:,}", f"{operations:,}", size_text(size)]
        for name, shape, parameters, operations, size in [*counted, ("total", (), network.store.size, flops, memory)]
    ]
    header = ["layer", "output", "parameters", "FLOPs/row", "activation memory/row"]
    return table(header, rows, numeric=[2, 3, 4])


def layers_as_json(network: Network) -> list[dict[str, Any]]:
    """Return the layer table for ``--json``."""
    return [
        {"name": row.name, "kind": row.kind, "output": list(row.out_shape), "parameters": row.parameters}
        | {"flops": row.flops, "activation_bytes": row.activation_bytes}
        for row in network.table()
    ]


def metric_lines(values: Mapping[str, Any]) -> str:
    """Return values as ``name  value`` lines; texts and nested values are left out."""
    shown = [[name, number(v)] for name, v in values.items() if v is None or isinstance(v, (int, float))]
    return table(["metric", "value"], shown, numeric=[1])


def epoch_table(row: Mapping[str, Any]) -> str:
    """Return the losses and metrics of an epoch, training beside validation, and why any is undefined.

    >>> print(epoch_table({"epoch": 2, "train_loss": 0.5, "val_loss": 0.25, "gradient_norm": 1.0}))
    metric   train     val
    loss    0.5000  0.2500
    """
    parts = [part for part in ("train", "val") if any(name.startswith(f"{part}_") for name in row)]
    names = dict.fromkeys(name[len(part) + 1 :] for part in parts for name in row if name.startswith(f"{part}_"))
    rows = [[name, *(_number(row.get(f"{part}_{name}")) for part in parts)] for name in names]
    shown = table(["metric", *parts], rows, numeric=range(1, len(parts) + 1))
    return "\n".join([shown, *_reasons(row.get("undefined"))])


def _reasons(undefined: Any) -> list[str]:
    """Return why values are undefined, by their names; nothing where a file holds no such thing."""
    if not isinstance(undefined, dict):
        return []
    return [f"  {escape(name)}: undefined, {escape(str(reason))}" for name, reason in undefined.items()]


def _number(value: Any) -> str:
    """Return a number of run.json, which may hold anything."""
    return number(value if isinstance(value, (int, float)) else None)


def spread_table(spread: Mapping[str, Mapping[str, Any]]) -> str:
    """Return mean, standard deviation, smallest and largest of each metric over the best epochs of several runs."""
    columns = ["mean", "deviation", "min", "max"]
    rows = [[name, *(_number(values[column]) for column in columns)] for name, values in spread.items()]
    return table(["best epoch's", *columns], rows, numeric=[1, 2, 3, 4])


def runs_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows that :func:`nntrain.runs.catalog.list_runs` gives, of which there is one, for people."""
    readable = [{**row, "created": row["created"] and when(row["created"])} for row in rows]
    shown = [["-" if value is None else str(value) for value in row.values()] for row in readable]
    return table(list(rows[0]), shown, numeric=[2, 3])


def judged_lines(test: Mapping[str, Any], epoch: int | None) -> list[str]:
    """Return how the test part was judged."""
    values = {name: value for name, value in test.items() if name != "rows"}
    title = f"test ({test['rows']:,} rows, weights of epoch {epoch}):"
    return [title, metric_lines(values), *_reasons(test.get("undefined"))]


def fit_summary(outcome: Outcome) -> str:
    """Return how a training ended, for people."""
    state = outcome.state
    lines = [f"{state.status}: {state.stop_reason}"]
    if outcome.best:
        lines += [f"best epoch {state.best.epoch}:", epoch_table(outcome.best)]
    elif state.epoch:
        lines.append(f"no best epoch: {outcome.run.info.get('monitor')} was undefined in all of them; the last:")
        lines.append(epoch_table(outcome.run.info["metrics"]["last"]))
    if outcome.test is not None:
        lines += judged_lines(outcome.test, state.best.epoch)
    lines.append(f"run: {escape(str(outcome.run.path))}")
    return "\n".join(lines)


def evaluation_text(document: Mapping[str, Any]) -> str:
    """Return an evaluation for people: metrics, and for classes the table and the confusion matrix."""
    lines = [
        f"{escape(document['run'])}, {document['checkpoint']} weights (epoch {document['epoch']}),"
        f" on {escape(document['csv'])}: {document['rows']:,} rows{_unknown(document)}",
        metric_lines({"loss": document["loss"], **document["metrics"]}),
    ]
    if document["target_is_scaled"]:
        lines.append("(the loss is that of the scaled target, the metrics are in the target's own unit)")
    lines += _reasons(document["reasons"])
    if "confusion" in document:
        lines += ["", *class_tables(document)]
    return "\n".join(lines)


def _unknown(document: Mapping[str, Any]) -> str:
    count = document["unknown_rows"]
    done = "counted as errors" if document["unknown_class"] == "wrong" else "left out"
    return f", {count:,} of them of classes that training never saw ({done})" if count else ""


def class_tables(report: Mapping[str, Any]) -> list[str]:
    """Return the per-class table and, of classes that fit on a screen, the confusion matrix."""
    judged = ["precision", "recall", "f1"]
    rows = [
        [_label(c["label"]), *(number(c[column]) for column in judged), _count(c["support"])] for c in report["classes"]
    ]
    lines = [table(["class", *judged, "support"], rows, numeric=[1, 2, 3, 4]), ""]
    labels, matrix = report["confusion"]["labels"], report["confusion"]["matrix"]
    if len(labels) > MOST_SHOWN_CLASSES:
        return [*lines, f"confusion matrix: {len(labels)} x {len(labels)}, in metrics.json"]
    counts = [[_label(label), *map(_count, line)] for label, line in zip(labels, matrix, strict=True)]
    if "unknown" in report["confusion"]:
        counts.append(["(unknown)", *map(_count, report["confusion"]["unknown"])])
    header = ["true \\ predicted", *map(_label, labels)]
    return [*lines, table(header, counts, numeric=range(1, len(labels) + 1))]


def _label(label: str) -> str:
    return shorten(label, LONGEST_LABEL)


def _count(value: float) -> str:
    """Return a count, of weighted rows a sum of weights."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
