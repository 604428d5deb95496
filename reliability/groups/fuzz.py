"""Changed files to the readers: whatever a checkpoint, config or CSV holds, it is read or refused in our own words."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from findings import Findings
from lab import ROOT, Lab
from process import finish, start
from settings import Settings

CHILD = Path(__file__).resolve().parent.parent / "fuzz_child.py"

SECONDS = 3600.0
"""Longest time of a child, which tells itself when one file takes long."""

WHAT = {
    "checkpoint": "changed checkpoints read or refused",
    "model": "changed checkpoints with a right checksum, made a network of or refused",
    "training": "changed checkpoints with a right checksum, gone on with or refused",
    "config": "changed configs checked or refused",
    "table": "changed CSV files prepared or refused",
}

CONFIG = """
data: {train: input, target: tree}
architecture: mlp
"""


def measure(settings: Settings) -> Findings:
    """Give each reader its share of changed files."""
    lab, findings = settings.stepped_lab(), Findings()
    sources = _sources(settings, lab)
    pieces = 1 if settings.quick else 2 * settings.jobs
    count = settings.count(10_000, 200) // pieces
    cases = [(kind, number) for kind in WHAT for number in range(pieces)]
    answers = settings.spread("fuzz", cases, lambda case: _fuzz(settings, lab, *case, count, sources[case[0]]))
    for kind, what in WHAT.items():
        told = [answer for case, answer in zip(cases, answers, strict=True) if case[0] == kind]
        row = findings.add(what, {})
        row.of = sum(answer["executions"] for answer in told)
        row.good = row.of - sum(answer["failed"] for answer in told)
        findings.failures += [f"{kind}: {failure}" for answer in told for failure in answer["failures"]]
        findings.notes.append(f"{kind}: {sum(answer['refused'] for answer in told):,} of {row.of:,} were refused")
    return findings


def _sources(settings: Settings, lab: Lab) -> dict[str, list[Path]]:
    faults = ROOT / "tests" / "faults"
    iris = settings.scratch / "iris.csv"
    iris.write_text((lab.folder / "iris.csv").read_text(encoding="utf-8").replace("species", "tree"), encoding="utf-8")
    checkpoints = sorted((lab.reference / "checkpoints").glob("*.safetensors"))
    return {
        "checkpoint": checkpoints,
        "model": checkpoints[1:2],
        "training": checkpoints[1:],
        "config": sorted([*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "reliability" / "configs").glob("*.yaml")]),
        "table": [iris, *sorted(faults.glob("csv_*.csv"))],
    }


def _fuzz(settings: Settings, lab: Lab, kind: str, number: int, count: int, sources: list[Path]) -> dict[str, object]:
    folder = settings.scratch / f"fuzz-{kind}-{number}"
    shutil.copytree(lab.reference, folder / "run")
    (folder / "run" / "checkpoints" / "previous.safetensors").unlink()  # else it would be used instead
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    seed = f"{settings.seed} {kind} {number}"
    command = [sys.executable, str(CHILD), kind, seed, str(count), str(folder), *map(str, sources)]
    ended = finish(start(command), SECONDS)
    if ended.code:
        told = (ended.stderr.strip().splitlines() or [""])[-1]
        return {"executions": count, "refused": 0, "failed": 1, "failures": [f"the process ended: {told}"]}
    return dict(json.loads(ended.stdout.splitlines()[-1]))
