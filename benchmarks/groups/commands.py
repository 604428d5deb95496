"""Whole commands, from nothing to a saved network, against scripts that do the same."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench import ROOT, Bench, nntrain_command, nntrain_fit, peer
from child import run
from markdown import megabytes, number
from markdown import table as markdown_table
from rounds import OURS, Contender, Measured, interleaved, ratio

AGAIN = "nntrain, same CSV again"
SCRIPTS = {"PyTorch": ("pytorch", ("torch",)), "Keras": ("keras", ("keras", "jax"))}
IRIS, FASHION, HELP = "iris, 100 epochs", "Fashion-MNIST, 5 epochs", "nntrain --help"


def cases(bench: Bench) -> Iterable[str]:
    """Return the commands; Fashion-MNIST only where its CSV was given, or where anything will do."""
    return [IRIS, *([FASHION] if bench.fashion or bench.tiny else []), HELP]


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """Measure a command and its scripts; values are seconds."""
    if name == HELP:
        contenders = [Contender(OURS, help_alone)]
    elif name == IRIS:
        contenders = trainings(iris_config(bench), "iris", ROOT / "datasets" / "iris.csv", bench)
    else:
        csv = fashion_csv(bench)
        contenders = trainings(fashion_config(csv, bench), "fashion", csv, bench)
    return {"contenders": interleaved(contenders, bench.rounds)}


def help_alone(sampled: bool) -> Measured:
    """Ask for the list of commands."""
    with tempfile.TemporaryDirectory() as folder:
        ended = run([*nntrain_command(), "--help"], Path(folder), sampled=sampled)
    return Measured(ended.seconds, ended)


def trainings(config: str, script: str, csv: Path, bench: Bench) -> list[Contender]:
    """Return nntrain with an empty cache, nntrain with the cache of an earlier run, and the scripts that take part."""
    kept = bench.out / "cache"
    found = [Contender(OURS, partial(ours, config, None)), Contender(AGAIN, partial(ours, config, kept))]
    for name, (ending, modules) in SCRIPTS.items():
        if name in bench.peers:
            measured = partial(theirs, f"{script}_{ending}.py", csv)
            found.append(Contender(name, measured, bench.missing(*modules, "pandas")))
    return found


def ours(config: str, cache: Path | None, sampled: bool) -> Measured:
    """Run ``nntrain fit``."""
    fit = nntrain_fit(config, sampled=sampled, cache=cache)
    return Measured(fit.child.seconds, fit.child, fit.seconds("train_seconds"), fit.run["versions"]["nntrain"])


def theirs(script: str, csv: Path, sampled: bool) -> Measured:
    """Run a script."""
    ended = peer(script, str(csv), variables={"KERAS_BACKEND": "jax"}, sampled=sampled)
    return Measured(ended.seconds, ended)


def iris_config(bench: Bench) -> str:
    """Return the smallest of the example configs."""
    values = yaml.safe_load((ROOT / "configs" / "iris_mlp.yaml").read_text(encoding="utf-8"))
    values["data"]["train"] = str(ROOT / "datasets" / "iris.csv")
    values["epochs"] = 2 if bench.tiny else values["epochs"]
    return yaml.safe_dump(values)


def fashion_config(csv: Path, bench: Bench) -> str:
    """Return what the scripts do, as a config."""
    image = {"height": 28, "width": 28}
    values = {
        "data": {"train": str(csv), "target": "label", "image": image, "scale": "minmax", "validation": 0.1},
        "architecture": {"name": "mlp", "hidden": [256, 128], "activation": "relu"},
        "metrics": ["accuracy"],
        "batch_size": 128,
        "epochs": 1 if bench.tiny else 5,
    }
    return yaml.safe_dump(values)


def fashion_csv(bench: Bench) -> Path:
    """Return the CSV, unpacked where it was compressed; rows of noise where none was given."""
    if bench.fashion is None:
        noise = np.random.default_rng(0).integers(0, 256, (200, 785))
        noise[:, 0] = np.arange(200) % 10
        names = ",".join(["label", *(f"pixel{number}" for number in range(784))])
        np.savetxt(bench.data / "noise.csv", noise, "%d", ",", header=names, comments="")
        return bench.data / "noise.csv"
    if bench.fashion.suffix != ".gz":
        return bench.fashion.resolve()
    csv = bench.data / bench.fashion.stem
    if not csv.exists():
        part = csv.with_suffix(".part")
        with gzip.open(bench.fashion) as packed, part.open("wb") as file:
            shutil.copyfileobj(packed, file)
        part.rename(csv)
    return csv


def table(found: dict[str, Any]) -> str:
    """Return seconds, memory, and both as multiples of nntrain's."""
    rows = []
    for command, case in found.items():
        measured = case["contenders"]
        for name, values in measured.items():
            label = command if command == HELP else f"{command}: {name}"
            if "median" not in values:
                rows.append([label, values["missing"], "", "", ""])
                continue
            memory, own = values["peak_bytes"], measured[OURS]["peak_bytes"]
            times = [number(values["median"]), number(ratio(measured, name), "x")]
            rows.append([label, *times, megabytes(memory), number(memory / own, "x")])
    return markdown_table(["whole command", "seconds", "times nntrain's", "peak memory", "times nntrain's"], rows)
