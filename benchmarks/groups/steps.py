"""The time of one update in training, against PyTorch, JAX, Keras and scikit-learn on the same network and rows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from functools import partial
from typing import Any

from bench import Bench, geometric_mean, nntrain_fit, peer, told
from cases import SUITE, Case
from markdown import megabytes, number
from markdown import table as markdown_table
from rounds import OURS, Contender, Measured, interleaved, ratio

CASES = {case.name: case for case in SUITE}

PEERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "PyTorch": ("pytorch.py", ("torch",)),
    "torch.compile": ("pytorch.py", ("torch",)),
    "JAX": ("jax_jit.py", ("jax",)),
    "Keras": ("keras_fit.py", ("keras", "jax")),
    "scikit-learn": ("scikit_learn.py", ("sklearn",)),
}
"""Script and needed modules of each peer."""

WARM_UP = {"torch.compile": 4}
"""Epochs left out at the beginning where it is more than one: what is compiled anew as batches and epochs pass."""

TINY_UPDATE = 100.0
"""Microseconds of an update of JAX below which a network is tiny: the loop around it counts, not the products."""


def cases(bench: Bench) -> Iterable[str]:
    """Return the names of the suite and of what is stated apart."""
    return CASES


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """Measure a case with all contenders that take part; values are microseconds an update."""
    case = CASES[name].tiny() if bench.tiny else CASES[name]
    contenders = [Contender(OURS, partial(ours, case, bench)), *contenders_of(case, bench)]
    found = interleaved(contenders, bench.rounds)
    return {"in_suite": case.in_suite, "contenders": found}


def contenders_of(case: Case, bench: Bench) -> list[Contender]:
    """Return the peers that can train the case."""
    able = {name: needs for name, needs in PEERS.items() if name in bench.peers}
    if case.net["kind"] != "mlp":
        able.pop("scikit-learn", None)
    return [
        Contender(name, partial(theirs, name, script, case, bench), bench.missing(*modules, "pandas"))
        for name, (script, modules) in able.items()
    ]


def ours(case: Case, bench: Bench, sampled: bool) -> Measured:
    """Train with ``nntrain fit``; ``train_seconds`` of its ``timing.jsonl`` are what counts."""
    fit = nntrain_fit(case.config(case.csv(bench.data)), sampled=sampled)
    seconds = fit.seconds("train_seconds")
    return Measured(per_update(case, seconds[1:]), fit.child, seconds, fit.run["versions"]["nntrain"])


def theirs(name: str, script: str, case: Case, bench: Bench, sampled: bool) -> Measured:
    """Train with a peer's script."""
    skipped = WARM_UP.get(name, 1)
    told_case = {**case.for_peers(case.csv(bench.data)), "epochs": case.epochs + skipped - 1}
    told_case["compile"] = name == "torch.compile"
    # Of Keras' backends the faster one: XLA's convolutions are slow on a CPU, its loops over time and rows are not.
    backend = "torch" if case.net["kind"] == "cnn" else "jax"
    ended = peer(script, json.dumps(told_case), variables={"KERAS_BACKEND": backend}, sampled=sampled)
    answer = told(ended)
    return Measured(per_update(case, answer["epochs"][skipped:]), ended, answer["epochs"], answer["version"])


def per_update(case: Case, seconds: list[float]) -> float:
    """Return the microseconds of an update, from the median epoch."""
    return statistics.median(seconds) / case.updates * 1e6


def table(found: dict[str, Any]) -> str:
    """Return microseconds an update, how many times faster nntrain is, means, and memory."""
    peers = [name for name in PEERS if any(name in case["contenders"] for case in found.values())]
    rows = [_row(name, case["contenders"], peers) for name, case in found.items()]
    suite = {name: case["contenders"] for name, case in found.items() if case["in_suite"]}
    whole = sum(case.in_suite for case in SUITE)
    part = "" if len(suite) == whole else f", {len(suite)} of its {whole} cases"
    means = [_summary(f"**geometric mean of the suite{part}**", suite, peers, geometric_mean)]
    means.append(_summary("**least of the suite**", suite, peers, lambda values: min(values, default=None)))
    tiny = {name: case for name, case in suite.items() if case.get("JAX", {}).get("median", 1e9) < TINY_UPDATE}
    if tiny and len(tiny) < len(suite):
        large = {name: case for name, case in suite.items() if name not in tiny}
        means.append(_summary(f"geometric mean, {len(tiny)} tiny nets", tiny, peers, geometric_mean))
        means.append(_summary(f"geometric mean, {len(large)} others", large, peers, geometric_mean))
    memory = [_memory(name, case["contenders"], peers) for name, case in found.items()]
    text = markdown_table(["microseconds an update (times faster)", OURS, *peers], [*rows, *means])
    apart = [name for name, case in found.items() if not case["in_suite"]]
    notes = [f"Not in the means: {'; '.join(apart)}."] if apart else []
    notes += sorted({f"{name}: {why}." for case in found.values() for name, why in _missing(case["contenders"])})
    return "\n\n".join([text, *notes, markdown_table(["peak memory", OURS, *peers], memory)])


def _row(name: str, found: dict[str, Any], peers: list[str]) -> list[str]:
    cells = [number(found[OURS]["median"])]
    for peer_name in peers:
        value, times = found.get(peer_name, {}).get("median"), ratio(found, peer_name)
        cells.append("-" if value is None else f"{number(value)} ({number(times, 'x')})")
    return [name, *cells]


def _summary(label: str, suite: dict[str, Any], peers: list[str], summary: Any) -> list[str]:
    cells = []
    for name in peers:
        times = [ratio(found, name) for found in suite.values()]
        cells.append(number(summary([value for value in times if value is not None]), "x"))
    return [label, "", *cells]


def _memory(name: str, found: dict[str, Any], peers: list[str]) -> list[str]:
    return [name, *(megabytes(found.get(who, {}).get("peak_bytes")) for who in (OURS, *peers))]


def _missing(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, values["missing"]) for name, values in found.items() if values.get("missing")]
