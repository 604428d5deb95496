"""Text tables of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nntrain.cli.progress import number

if TYPE_CHECKING:
    from nntrain.core.network import Network
    from nntrain.fitting import Outcome


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """Return an aligned table; the columns numbered in ``numeric`` are flushed right.

    >>> print(table(["name", "rows"], [["train", "120"], ["val", "9"]], numeric=[1]))
    name   rows
    train   120
    val       9
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def cell(text: str, i: int) -> str:
        return text.rjust(widths[i]) if i in numeric else text.ljust(widths[i])

    return "\n".join("  ".join(cell(text, i) for i, text in enumerate(line)).rstrip() for line in lines)


def layer_table(network: Network) -> str:
    """Return the layer table: name, output shape, parameters, FLOPs of a row's forward pass."""
    rows = [
        [row.name or row.kind, " x ".join(map(str, row.out_shape)), f"{row.parameters:,}", f"{row.flops:,}"]
        for row in network.table()
    ]
    total = sum(row.flops for row in network.table())
    rows.append(["total", "", f"{network.store.size:,}", f"{total:,}"])
    return table(["layer", "output", "parameters", "FLOPs/row"], rows, numeric=[2, 3])


def metric_lines(values: Mapping[str, Any]) -> str:
    """Return values as ``name  value`` lines; texts and nested values are left out."""
    shown = [[name, number(v)] for name, v in values.items() if v is None or isinstance(v, (int, float))]
    return table(["metric", "value"], shown, numeric=[1])


def fit_summary(outcome: Outcome) -> str:
    """Return how a training ended, for people."""
    state = outcome.state
    lines = [f"{state.status}: {state.stop_reason}"]
    best = {name: v for name, v in outcome.best.items() if name not in ("epoch", "step", "learning_rate")}
    if best:
        lines.append(f"best epoch {state.best.epoch}:")
        lines.append(metric_lines(best))
    if outcome.test is not None:
        lines.append(f"test ({outcome.test['rows']} rows, best weights):")
        lines.append(metric_lines({name: v for name, v in outcome.test.items() if name != "rows"}))
    lines.append(f"run: {outcome.run.path}")
    return "\n".join(lines)


def evaluation_text(document: Mapping[str, Any]) -> str:
    """Return an evaluation for people: metrics, and for classes the table and the confusion matrix."""
    unknown = f", {document['unknown_rows']} of unknown classes" if document["unknown_rows"] else ""
    lines = [
        f"{document['run']}, {document['checkpoint']} weights (epoch {document['epoch']}),"
        f" on {document['csv']}: {document['rows']} rows{unknown}",
        metric_lines({"loss": document["loss"], **document["metrics"]}),
    ]
    lines += [f"  {name}: undefined, {reason}" for name, reason in document["reasons"].items()]
    if "confusion" in document:
        lines += ["", *class_tables(document)]
    return "\n".join(lines)


def class_tables(report: Mapping[str, Any]) -> list[str]:
    """Return the per-class table and the confusion matrix of a classification report."""
    judged = ["precision", "recall", "f1"]
    rows = [[c["label"], *(number(c[column]) for column in judged), f"{c['support']:g}"] for c in report["classes"]]
    labels, matrix = report["confusion"]["labels"], report["confusion"]["matrix"]
    counts = [[label, *(f"{value:g}" for value in line)] for label, line in zip(labels, matrix, strict=True)]
    if "unknown" in report["confusion"]:
        counts.append(["(unknown)", *(f"{value:g}" for value in report["confusion"]["unknown"])])
    return [
        table(["class", *judged, "support"], rows, numeric=[1, 2, 3, 4]),
        "",
        table(["true \\ predicted", *labels], counts, numeric=range(1, len(labels) + 1)),
    ]
