"""What watching costs: validation, metrics, checkpoints, early stopping and logging, all on against all off.

python benchmarks/monitoring.py [--rounds N] [--only NAME] [--seconds S]

The gradient watch has no switch, so it is in both. The validation rows are a file of their own, a tenth as many as the
training rows: both ways train on the same rows.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from alone import main, options
from bare import bare_config
from bench import Bench, nntrain_fit
from markdown import megabytes, number
from markdown import table as markdown_table
from rounds import Contender, Measured, interleaved, ratio
from tables import write_table

OFF, ON = "all off", "all on"

CHECKPOINT_SECONDS = 5.0
"""Shorter than the default of 30 s, so that a run of ten seconds writes some on the way."""


@dataclass(frozen=True)
class Watched:
    """A perceptron and its table."""

    columns: int
    hidden: tuple[int, ...]
    classes: int
    batch: int
    rows: int

    @property
    def name(self) -> str:
        return f"mlp {'-'.join(map(str, [self.columns, *self.hidden, self.classes]))}, batch {self.batch}"


CASES = {
    case.name: case
    for case in (
        Watched(4, (16,), 3, 32, 12_800),
        Watched(20, (64, 32), 2, 256, 51_200),
        Watched(784, (256, 128), 10, 128, 12_800),
    )
}


def cases(bench: Bench) -> Iterable[str]:
    """Return the names of the cases."""
    return list(CASES)[:1] if bench.tiny else CASES


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """Return the seconds of the whole command both ways, of runs that take ``bench.seconds`` at least."""
    case = replace(CASES[name], rows=2 * CASES[name].batch) if bench.tiny else CASES[name]
    train = write_table(bench.data / "watched.csv", case.rows, case.columns, case.classes)
    held_out = write_table(bench.data / "held_out.csv", case.rows // 10 + case.classes, case.columns, case.classes, 1)
    bare = partial(bare_config, train, case.hidden, case.batch)
    trial = statistics.median(nntrain_fit(bare(5)).seconds("train_seconds")[1:])
    epochs = 2 if bench.tiny else math.ceil(1.1 * bench.seconds / trial)
    everything = bare(
        epochs,
        data={"validation": str(held_out)},
        metrics=None,
        checkpoint={"every_seconds": CHECKPOINT_SECONDS},
        early_stopping={"patience": 1_000_000},
    )
    contenders = [Contender(OFF, partial(fit, bare(epochs), True)), Contender(ON, partial(fit, everything, False))]
    return {"epochs": epochs, "contenders": interleaved(contenders, bench.rounds)}


def fit(config: str, quiet: bool, sampled: bool = False) -> Measured:
    """Return the seconds of the whole command; of its updates, and of what came between epochs."""
    done = nntrain_fit(config, sampled=sampled, quiet=quiet)
    parts = [sum(done.seconds(column)) for column in ("train_seconds", "eval_seconds")]
    return Measured(done.child.seconds, done.child, parts)


def table(found: dict[str, Any]) -> str:
    """Return the seconds both ways, and how much more it is with all on."""
    return markdown_table(
        ["network", "epochs", OFF, ON, "more", "of that in the updates", "memory off", "memory on"],
        [_row(name, case["epochs"], case["contenders"]) for name, case in found.items()],
    )


def _row(name: str, epochs: int, found: dict[str, Any]) -> list[str]:
    more = ratio(found, ON, OFF)
    if more is None:
        reasons = "; ".join(f"{way}: {each['missing']}" for way, each in found.items() if "missing" in each)
        return [name, reasons, *["-"] * 6]
    updates = [statistics.median(each[0] for each in found[way]["raw"]) for way in (OFF, ON)]
    in_updates = (updates[1] - updates[0]) / found[OFF]["median"]
    return [
        name,
        f"{epochs:,}",
        *(number(found[way]["median"], " s") for way in (OFF, ON)),
        f"{100 * (more - 1):+.1f} %",
        f"{100 * in_updates:+.1f} %",
        *(megabytes(found[way]["peak_bytes"]) for way in (OFF, ON)),
    ]


if __name__ == "__main__":
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=Bench.seconds, metavar="S", help="shortest run")
    main(parser, cases, measure, table)
