"""A table that stays on disk against the same table in memory: rows a second, and anonymous memory.

python benchmarks/streaming.py [--rounds N] [--rows N]

10 million rows of 20 columns, ``--rows 10000000``, are a file of 1.5 GB. The cache is empty before each run.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from functools import partial
from typing import Any

from alone import main, options
from bare import bare_config
from bench import Bench, nntrain_fit
from markdown import megabytes, number
from markdown import table as markdown_table
from rounds import Contender, Measured, interleaved, ratio
from tables import write_table

COLUMNS, BATCH, EPOCHS = 20, 1024, 3

MEMORY, DISK = "in memory", "streamed"


def cases(bench: Bench) -> Iterable[str]:
    """Return the one case."""
    return [f"{128 if bench.tiny else bench.rows:,} rows of {COLUMNS} columns"]


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """Return the seconds a row of the updates both ways; raw are seconds of each epoch, then of the whole command."""
    rows, batch = (128, 64) if bench.tiny else (bench.rows, BATCH)
    csv = write_table(bench.data / "streamed.csv", rows, COLUMNS, 2)
    contenders = [
        Contender(way, partial(fit, bare_config(csv, (64, 32), batch, EPOCHS, stream=stream), rows))
        for way, stream in ((MEMORY, False), (DISK, True))
    ]
    try:
        return {"rows": rows, "contenders": interleaved(contenders, bench.rounds)}
    finally:
        csv.unlink()


def fit(config: str, rows: int, sampled: bool) -> Measured:
    """Train; the first epoch is the warm-up."""
    done = nntrain_fit(config, sampled=sampled)
    seconds = done.seconds("train_seconds")
    return Measured(statistics.median(seconds[1:]) / rows, done.child, [*seconds, done.child.seconds])


def table(found: dict[str, Any]) -> str:
    """Return rows a second of updates and of the whole command, and the largest anonymous memory."""
    rows = [
        _row(f"{name}, {way}", way, case["rows"], case["contenders"])
        for name, case in found.items()
        for way in (MEMORY, DISK)
    ]
    head = ["table", "rows/s of updates", "of in memory", "whole command", "of in memory", "anonymous memory"]
    return markdown_table(head, rows)


def _row(label: str, way: str, rows: int, found: dict[str, Any]) -> list[str]:
    own = found[way]
    if "missing" in own:
        return [f"{label}: {own['missing']}", *["-"] * 5]
    slower, command = ratio(found, way, MEMORY), statistics.median(raw[-1] for raw in own["raw"])
    longer = None if slower is None else _commands_ratio(own, found[MEMORY])
    return [
        label,
        f"{1 / own['median']:,.0f}",
        number(None if slower is None else 1 / slower),
        number(command, " s"),
        number(longer, "x"),
        megabytes(own["anonymous_bytes"]),
    ]


def _commands_ratio(own: dict[str, Any], other: dict[str, Any]) -> float:
    return float(statistics.median(a[-1] / b[-1] for a, b in zip(own["raw"], other["raw"], strict=True)))


if __name__ == "__main__":
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=Bench.rows, metavar="N", help="of the table")
    main(parser, cases, measure, table)
