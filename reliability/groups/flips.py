"""Damaged files: one flipped bit anywhere in a checkpoint is found, and the checkpoint before it is used."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np

from findings import Findings
from groups.points import interrupted_run
from lab import Lab
from nntrain.errors import NntrainError
from nntrain.runs.store import CheckpointStore
from process import NNTRAIN, run
from settings import Settings

LAST, PREVIOUS, BEST = (f"checkpoints/{name}.safetensors" for name in ("last", "previous", "best"))


def measure(settings: Settings) -> Findings:
    """Flip bits of a run that was killed in its midst, which has two checkpoints."""
    lab, chance, findings = settings.stepped_lab(), settings.random("flips"), Findings()
    base = interrupted_run(lab, lab.folder / "base")
    size = (base / LAST).stat().st_size
    step = settings.count(1, 61)
    findings.add("a flipped bit of a checkpoint is found, the one before it is used", _flips(base, step, chance))
    every = "every byte" if step == 1 else f"one byte of {step}"
    findings.notes.append(f"a bit of {every}; last.safetensors has {size:,}")
    spots = [(number, chance.randrange(size), chance.randrange(8)) for number in range(settings.count(40, 1))]
    answers = settings.spread("flips", spots, lambda spot: _resume(lab, base, *spot))
    what = "`fit --resume` says so, and ends with the same bytes"
    findings.add(what, {f"byte {spot[1]}": found for spot, found in zip(spots, answers, strict=True)})
    findings.add("both checkpoints damaged, or the best: exit code 4, nothing changed", _hopeless(lab, base, chance))
    return findings


def _flips(base: Path, step: int, chance: Random) -> dict[str, list[str]]:
    """Return the problems by the byte that was changed."""
    checkpoints = base / "checkpoints"
    whole = (base / LAST).read_bytes()
    problems: dict[str, list[str]] = {}
    before = CheckpointStore(checkpoints).load("previous")
    for position in range(0, len(whole), step):
        bit = chance.randrange(8)
        (base / LAST).write_bytes(_flipped(whole, position, bit))
        problems[f"bit {bit} of byte {position}"] = _of_store(CheckpointStore(checkpoints), before)
    (base / LAST).write_bytes(whole)
    return problems


def _flipped(content: bytes, position: int, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[position] ^= 1 << bit
    return bytes(damaged)


def _of_store(store: CheckpointStore, before: tuple[dict[str, np.ndarray], dict[str, object]]) -> list[str]:
    try:
        found = store.load_last()
    except NntrainError as error:
        return [f"refused although the previous one is sound: {error}"]
    if found is None or not any("last.safetensors is passed over" in notice for notice in store.notices):
        return ["not found, or not said"]
    same = found[1] == before[1] and found[0].keys() == before[0].keys()
    same = same and all(np.array_equal(array, before[0][name], equal_nan=True) for name, array in found[0].items())
    return [] if same else ["what is used is not the previous checkpoint"]


def _resume(lab: Lab, base: Path, number: int, position: int, bit: int) -> list[str]:
    folder = lab.case(number)
    place = Path(shutil.copytree(base, folder / "run"))
    (place / LAST).write_bytes(_flipped((place / LAST).read_bytes(), position, bit))
    done = run(lab.resume(place))
    problems = done.problems(0) or lab.differences(place)
    if "last.safetensors is passed over" not in done.stderr:
        problems.append("it does not say that the last checkpoint is passed over")
    return problems


def _hopeless(lab: Lab, base: Path, chance: Random) -> dict[str, list[str]]:
    """Return what is wrong where no sound checkpoint is left of those that a command needs."""
    folder = lab.case(0)
    csv = str(lab.folder / "iris.csv")
    resumed = _damaged(base, folder / "both", (LAST, PREVIOUS), chance)
    judged = _damaged(lab.reference, folder / "best", (BEST,), chance)
    return {
        "fit --resume": _refused(resumed, lab.resume(resumed), (LAST, PREVIOUS)),
        "eval": _refused(judged, [*NNTRAIN, "eval", str(judged), csv], (BEST,)),
        "predict": _refused(judged, [*NNTRAIN, "predict", str(judged), csv], (BEST,)),
    }


def _damaged(base: Path, place: Path, names: tuple[str, ...], chance: Random) -> Path:
    shutil.copytree(base, place)
    for name in names:
        content = (place / name).read_bytes()
        (place / name).write_bytes(_flipped(content, chance.randrange(len(content)), chance.randrange(8)))
    return place


def _refused(place: Path, command: list[str], named: tuple[str, ...]) -> list[str]:
    before = {name: (place / name).read_bytes() for name in named}
    done = run(command)
    problems = done.problems(4)
    problems += [f"the error does not name {name}" for name in named if name not in done.stderr]
    return problems + [f"{name} was changed" for name in named if (place / name).read_bytes() != before[name]]
