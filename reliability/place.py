"""What the faults were put on: machine, file system, versions, revision."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from lab import ROOT


def describe(scratch: Path) -> dict[str, Any]:
    """Return the facts that a table of survivals needs beside it."""
    return {
        "system": f"{platform.system()} {platform.release().split('-')[0]} on {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "file_system": file_system(scratch),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "nntrain": metadata.version("nntrain"),
        "revision": revision(),
    }


def file_system(folder: Path) -> str:
    """Return the kind of file system that a folder lies on, ``unknown`` where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    mounts = {place: kind for _, place, kind, *_ in (line.split() for line in lines)}
    above = [str(path) for path in (folder.resolve(), *folder.resolve().parents)]
    return next((mounts[place] for place in above if place in mounts), "unknown")


def revision() -> str:
    """Return the commit of this repository, with a plus where files differ from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if head and _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def sentence(facts: dict[str, Any]) -> str:
    """Return the facts in a sentence."""
    versions = f"Python {facts['python']}, NumPy {facts['numpy']}, nntrain {facts['nntrain']}"
    machine = f"{facts['system']}, {facts['cores']} cores, {facts['file_system']}"
    return f"{facts['date']}, {machine}; {versions} at {facts['revision'] or 'no commit'}, seed {facts['seed']}"
