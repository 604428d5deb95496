"""Disks that refuse: full, without inodes, read-only, beyond a limit of file size, and a run directory that is gone."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from pathlib import Path

from findings import Findings
from lab import Lab
from on_small_disk import left_half, refused
from process import finish, run, start, wait_until
from settings import Settings

CHILD = Path(__file__).resolve().parent.parent / "on_small_disk.py"

PAGE = 4096
"""Bytes that a file takes at least on a disk in memory."""


def measure(settings: Settings) -> Findings:
    """Train on each, and go on when there is room again."""
    lab, findings = settings.stepped_lab(), Findings()
    _measure_mounted(settings, lab, findings)
    whole = (lab.reference / "checkpoints" / "last.safetensors").stat().st_size
    sizes = [200, 1_000, whole // 4, whole // 2, whole - 1][:: settings.count(1, 3)]
    cases = list(enumerate(sizes))
    answers = settings.spread("file sizes", cases, lambda case: _limited(lab, *case))
    problems = {f"{size} bytes": found for size, found in zip(sizes, answers, strict=True)}
    findings.add("a limit on the size of files (`ulimit -f`): exit code 6, goes on without it", problems)
    removed = settings.timed_lab()
    cases = [(number, number) for number in range(settings.count(10, 1))]
    answers = settings.spread("removed", cases, lambda case: _removed(removed, *case))
    what = "the run directory is removed while it trains: exit code 6, not made again"
    findings.add(what, {f"after {rows} epochs": found for (_, rows), found in zip(cases, answers, strict=True)})
    return findings


def _measure_mounted(settings: Settings, lab: Lab, findings: Findings) -> None:
    """Train on file systems in memory, which only root may mount."""
    full = "a full disk: exit code 6, nothing half written, goes on when there is room"
    inodes = "no inodes: the same"
    closed = "a read-only disk: exit code 6 before the training"
    reason = _cannot_mount()
    if reason is not None:
        for what in (full, inodes, closed):
            findings.skip(what, reason)
        return
    pages = sum(-(-path.stat().st_size // PAGE) for path in lab.reference.rglob("*") if path.is_file())
    inodes_needed = 2 + sum(1 for _ in lab.reference.rglob("*"))
    sizes = [f"size={PAGE * count}" for count in range(1, pages, settings.count(1, 9))]
    counts = [f"size=1m,nr_inodes={count}" for count in range(2, inodes_needed, settings.count(1, 9))]
    kinds = [
        (full, sizes, "size=8m", "no space left on device"),
        (inodes, counts, "size=8m,nr_inodes=1000", "no space left on device"),
        (closed, ["size=1m,ro"], "size=8m,rw", "read-only file system"),
    ]
    for what, tried, cure, word in kinds:
        cases = [(number, options, cure, word) for number, options in enumerate(tried)]
        answers = settings.spread(what.split(":")[0], cases, lambda case: _mounted(lab, *case))
        findings.add(what, dict(zip(tried, answers, strict=True)))


def _cannot_mount() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may mount a small disk"
    tried = run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]) if shutil.which("unshare") else None
    return None if tried is not None and tried.code == 0 else "the system lets nobody mount a small disk here"


def _mounted(lab: Lab, number: int, options: str, cure: str, word: str) -> list[str]:
    folder = lab.case(number)
    where = {"lab": str(lab.folder), "epochs": lab.epochs, "batch_size": lab.batch_size, "folder": str(folder)}
    given = json.dumps({**where, "options": options, "cure": cure, "word": word})
    ended = run(["unshare", "-m", sys.executable, str(CHILD), given])
    return list(json.loads(ended.stdout)) if ended.code == 0 else [f"the tool failed: {ended.stderr[-300:]}"]


def _limited(lab: Lab, number: int, size: int) -> list[str]:
    folder = lab.case(number)
    place = folder / "run"
    limit = (size, size)
    process = start(lab.fit(place), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    problems = refused(finish(process), place, "file too large")
    return problems + left_half(folder) + lab.judge(place)


def _removed(lab: Lab, number: int, rows: int) -> list[str]:
    folder = lab.case(number)
    place = folder / "run"
    metrics = place / "metrics.jsonl"
    process = start(lab.fit(place))
    if wait_until(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= rows, process):
        place.rename(folder / "gone")
    ended = finish(process)
    problems = refused(ended, place, "no such file or directory")
    return problems + (["it was made again"] if place.exists() else [])
