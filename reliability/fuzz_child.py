"""A process that reads changed files for as long as it is told, within a limit of memory, and tells what came out."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from changes import mutate
from lab import ROOT, Unseen

sys.path.insert(0, str(ROOT))

from nntrain.config import load_config
from nntrain.errors import NntrainError
from nntrain.evaluating import load_trained
from nntrain.experiment import assemble
from nntrain.fitting import Checkpoints, resume
from nntrain.runs import checkpoint
from nntrain.runs.run import Run
from nntrain.train.trainer import Trainer

SLOWEST = 5.0
"""Seconds within which a file must be read or refused."""

MEMORY = 3 << 30
"""Bytes of address space, the libraries' own included."""

MOST_TOLD = 20


def main(kind: str, seed: str, count: int, folder: Path, sources: list[Path]) -> None:
    """Read ``count`` files of a kind, made of ``sources``; print a JSON object with the failures."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chance = Random(seed)
    read = _readers(folder)[kind]
    target = folder / "input"
    contents = [path.read_bytes() for path in sources]
    failures: list[str] = []
    refused = 0
    for number in range(count):
        content = mutate(kind, chance.choice(contents), chance.choice(contents), chance)
        target.write_bytes(content)
        problem, was_refused = _try(read, target)
        refused += was_refused
        if problem:
            kept = folder / f"failure-{len(failures)}"
            shutil.copy(target, kept)
            failures.append(f"execution {number} ({kept.name}): {problem}")
    told = {"executions": count, "refused": refused, "failed": len(failures), "failures": failures[:MOST_TOLD]}
    print(json.dumps(told))


def _try(read: Callable[[Path], object], target: Path) -> tuple[str, bool]:
    """Return what is wrong with how a file was read, and whether it was refused."""
    started = time.monotonic()
    problem, refused = "", False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(target)
    except NntrainError as error:
        refused = True
        if not str(error).strip():
            problem = "refused without a word"
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"{type(error).__name__}: {str(error)[:120]} ({Path(frame.filename).name}:{frame.lineno})"
    seconds = time.monotonic() - started
    return problem or (f"took {seconds:.1f} seconds" if seconds > SLOWEST else ""), refused


def _readers(folder: Path) -> dict[str, Callable[[Path], object]]:
    """Return what reads a file of each kind, as the commands do."""
    return {
        "checkpoint": checkpoint.load,
        "config": lambda path: load_config(str(path)),
        "table": lambda path: assemble(load_config(str(folder / "config.yaml"))),
        "model": lambda path: load_trained(_run_with(folder, path), "last"),
        "training": _resumes(folder),
    }


def _resumes(folder: Path) -> Callable[[Path], object]:
    """Return what goes on with a checkpoint, as ``fit --resume`` does."""
    trainers: list[Trainer] = []

    def go_on(path: Path) -> None:
        run = _run_with(folder, path)
        if not trainers:
            experiment = assemble(load_config(str(run.path / "config.yaml")))
            trainers.append(experiment.trainer(run.recorder, Checkpoints(run, experiment), Unseen(), lambda: None))
        resume(trainers[0], run)

    return go_on


def _run_with(folder: Path, path: Path) -> Run:
    shutil.copyfile(path, folder / "run" / "checkpoints" / "last.safetensors")
    return Run.open(folder / "run")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), [Path(text) for text in sys.argv[5:]])
