"""Large perceptrons: the time of an update over the time of its bare matrix products."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from bench import Bench, peer, told
from cases import Case, mlp
from groups.steps import ours, per_update
from markdown import number
from markdown import table as markdown_table
from rounds import OURS, Contender, Measured, interleaved, ratio

BARE = "bare products"

AT_MOST = 1.25
"""Largest ratio that is wanted."""

SHARDS = 2
"""Parts of a batch that nntrain computes side by side on two cores."""

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        mlp([784, 1024, 1024, 1024, 10], batch=512, updates=10, epochs=9),
        mlp([256, 2048, 2048, 10], batch=512, updates=10, epochs=6),
        mlp([512, 1024, 1024, 1], batch=1024, updates=8, epochs=9, classes=False),
    )
}


def cases(bench: Bench) -> Iterable[str]:
    """Return the names of the networks."""
    return CASES


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """Measure a network's training and its products; values are microseconds an update."""
    case = CASES[name].tiny() if bench.tiny else CASES[name]
    contenders = [Contender(OURS, partial(ours, case, bench)), Contender(BARE, partial(bare, case))]
    return {"contenders": interleaved(contenders, bench.rounds)}


def bare(case: Case, sampled: bool) -> Measured:
    """Make nothing but the products, as often as training does."""
    wanted = {
        "sizes": [*case.shape, *case.net["hidden"], case.classes or 1],
        "rows": case.batch,
        "processes": SHARDS,
        "updates": case.updates * case.epochs,
    }
    ended = peer("bare_products.py", json.dumps(wanted), sampled=sampled)
    answer = told(ended)
    seconds = answer["seconds"]
    return Measured(per_update(case, [seconds * case.updates]), ended, answer["raw"])


def table(found: dict[str, Any]) -> str:
    """Return both times and their ratio."""
    rows = []
    for name, case in found.items():
        times = case["contenders"]
        over = ratio({OURS: times[BARE], "it": times[OURS]}, "it")
        rows.append([name, number(times[OURS]["median"]), number(times[BARE]["median"]), number(over)])
    return markdown_table(["microseconds an update", OURS, BARE, f"ratio (wanted: at most {AT_MOST})"], rows)
