"""What a run ran on: versions, system and source revision."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import nntrain

_PACKAGES = ("numpy", "pandas", "pydantic", "pyyaml", "safetensors")


def describe_environment() -> dict[str, Any]:
    """Return the ``versions``, ``system`` and ``git_commit`` of ``run.json``."""
    return {
        "versions": {"nntrain": nntrain.__version__, "python": platform.python_version(), **_installed()},
        "system": {"platform": sys.platform, "machine": platform.machine()},
        "git_commit": git_commit(Path.cwd),
    }


def _installed() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # not every package is needed by every run
    return found


def git_commit(where: Any = Path.cwd) -> str | None:
    """Return the commit that is checked out around the current directory, or None; nothing is executed for it."""
    try:
        start = where() if callable(where) else Path(where)
        for folder in (start, *start.parents):
            if (folder / ".git").exists():
                return _head(folder / ".git")
    except (OSError, ValueError):
        return None  # a folder that has gone, a repository of another form: the commit is an extra
    return None


def _head(git: Path) -> str | None:
    if git.is_file():  # a worktree or submodule points to where its facts are
        git = (git.parent / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref: "):
        return _commit(head)
    reference = head.removeprefix("ref: ")
    shared = git / (git / "commondir").read_text("utf-8").strip() if (git / "commondir").is_file() else git
    for folder in (git, shared):
        if (folder / reference).is_file():
            return _commit((folder / reference).read_text("utf-8").strip())
    packed = shared / "packed-refs"
    lines = packed.read_text("utf-8").splitlines() if packed.is_file() else []
    return next((_commit(line.split()[0]) for line in lines if line.endswith(f" {reference}")), None)


def _commit(text: str) -> str | None:
    return text if len(text) in (40, 64) and set(text) <= set("0123456789abcdef") else None
