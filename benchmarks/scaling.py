"""How time and memory grow with rows, columns, width, depth, batch, epochs and classes.

python benchmarks/scaling.py [--rounds N] [--only AXIS]

Each axis changes one size of a training and keeps the others. The slope is that of log(time) over log(size): 1 is
linear, below 1 is what a fixed cost in the smallest run leaves. Preparing is what the command takes beyond training and
starting; starting is a command that trains on next to nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alone import main, options
from bare import bare_config
from bench import Bench, nntrain_fit
from markdown import megabytes, number
from markdown import table as markdown_table
from rounds import Contender, Measured, interleaved
from tables import write_table


@dataclass(frozen=True)
class Size:
    """Everything that has a size in the training of a perceptron."""

    rows: int = 20_480
    columns: int = 20
    width: int = 64
    depth: int = 2
    batch: int = 256
    epochs: int = 5
    classes: int = 2

    @property
    def table(self) -> tuple[int, int, int]:
        return self.rows, self.columns, self.classes

    def csv(self, folder: Path) -> Path:
        """Return its table, written where it is not there yet."""
        path = folder / f"scaling-{'x'.join(map(str, self.table))}.csv"
        return path if path.exists() else write_table(path, *self.table)

    def config(self, folder: Path) -> str:
        return bare_config(self.csv(folder), [self.width] * self.depth, self.batch, self.epochs)


AXES: dict[str, tuple[Size, tuple[int, ...]]] = {
    "rows": (Size(), (102_400, 204_800, 409_600, 819_200)),
    # Large enough a batch that all sizes of an axis are cut into the same number of shards.
    "columns": (Size(rows=8192, width=128, depth=1, batch=1024, epochs=50), (128, 256, 512, 1024, 2048)),
    "width": (Size(rows=20_480, batch=512), (128, 256, 512, 1024)),
    "depth": (Size(rows=20_480, width=128, batch=512, epochs=10), (2, 4, 8, 16)),
    "batch": (Size(rows=131_072), (32, 128, 512, 2048)),
    "epochs": (Size(rows=10_240), (50, 100, 200, 400, 800)),
    "classes": (Size(rows=40_960, width=128), (2, 16, 128, 1024)),
}

LEAST = Size(rows=64, columns=4, width=4, depth=1, batch=32, epochs=2)
TINY_AXES = {"rows": (LEAST, (64, 128)), "epochs": (LEAST, (2, 4))}
START = "start"


def cases(bench: Bench) -> Iterable[str]:
    """Return the axes."""
    return TINY_AXES if bench.tiny else AXES


def measure(axis: str, bench: Bench) -> dict[str, Any]:
    """Return what each size took, point by point, and the slopes; ``missing`` says why there are none."""
    base, values = (TINY_AXES if bench.tiny else AXES)[axis]
    sizes = {START: LEAST} | {str(value): replace(base, **{axis: value}) for value in values}
    contenders = [Contender(name, partial(fit, size.config(bench.data))) for name, size in sizes.items()]
    try:
        found = interleaved(contenders, bench.rounds)
    finally:
        for csv in {size.csv(bench.data) for size in sizes.values()}:
            csv.unlink()
    reasons = sorted({each["missing"] for each in found.values() if "missing" in each})
    if reasons:
        return {"missing": "; ".join(reasons)}
    starting = statistics.median(raw[1] - raw[0] for raw in found[START]["raw"])
    points = [point(value, found[str(value)], starting) for value in values]
    return {"start_seconds": starting, "points": points, "slopes": slopes(points)}


def fit(config: str, sampled: bool) -> Measured:
    """Train; all epochs count."""
    done = nntrain_fit(config, sampled=sampled)
    training = sum(done.seconds("train_seconds", "eval_seconds"))
    return Measured(training, done.child, [training, done.child.seconds])


def point(value: int, found: dict[str, Any], starting: float) -> dict[str, Any]:
    """Return what a size took, round by round."""
    return {
        "value": value,
        "seconds": [training for training, _ in found["raw"]],
        "command_seconds": [command for _, command in found["raw"]],
        "preparing_seconds": [command - training - starting for training, command in found["raw"]],
        "peak_bytes": found["peak_bytes"],
    }


def slopes(points: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Return the slopes of the medians over all sizes."""
    values = [each["value"] for each in points]
    kinds = ("seconds", "command_seconds", "preparing_seconds")
    found = {kind: slope(values, [statistics.median(each[kind]) for each in points]) for kind in kinds}
    return {**found, "peak_bytes": slope(values, [each["peak_bytes"] for each in points])}


def slope(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """Return the least-squares slope of log(value) over log(size), None where a value is not measurable.

    >>> round(slope([1, 2, 4], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    if min(values) <= 0:
        return None
    return statistics.linear_regression([math.log(x) for x in sizes], [math.log(y) for y in values]).slope


def table(found: dict[str, Any]) -> str:
    """Return sizes, seconds and slopes of each axis."""
    head = ["axis", "sizes", "training", "slope", "preparing", "slope", "memory"]
    note = "Slopes of log(seconds) over log(size): 1 is in proportion."
    return f"{markdown_table(head, [_row(axis, case) for axis, case in found.items()])}\n\n{note}"


def _row(axis: str, found: dict[str, Any]) -> list[str]:
    if "missing" in found:
        return [axis, found["missing"], *["-"] * 5]
    ends = found["points"][0], found["points"][-1]
    sizes = " to ".join(f"{each['value']:,}" for each in ends)
    training, preparing = (_seconds(ends, kind) for kind in ("seconds", "preparing_seconds"))
    # Where the table stays the same, so does what preparing takes.
    grown = _two_digits(found["slopes"]["preparing_seconds"]) if axis in ("rows", "columns") else "-"
    memory = " to ".join(megabytes(each["peak_bytes"]) for each in ends)
    return [axis, sizes, training, _two_digits(found["slopes"]["seconds"]), preparing, grown, memory]


def _seconds(ends: Sequence[dict[str, Any]], kind: str) -> str:
    return " to ".join(number(max(0.0, statistics.median(each[kind]))) for each in ends) + " s"


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main(options(__doc__.splitlines()[0]), cases, measure, table)
