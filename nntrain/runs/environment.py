"""What a run ran on: versions, system and source revision."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nntrain

_DECIDING: dict[str, tuple[str, ...]] = {
    "versions": (),
    "system": ("platform", "machine"),
    "blas": ("library", "version", "kernel"),
}
"""Entries of ``run.json`` that have a say in the last bits, by section; of the versions all."""

_WORDS = {"library": "BLAS", "version": "BLAS version", "kernel": "BLAS kernel", "machine": "processor architecture"}

_PACKAGES = {"numpy": "numpy", "pandas": "pandas", "pyarrow": "pyarrow", "pydantic": "pydantic", "yaml": "pyyaml"}
"""Names of packages by the modules they are imported as."""


def describe_environment() -> dict[str, Any]:
    """Return the ``versions``, ``system`` and ``git_commit`` of ``run.json``."""
    return {
        "versions": {"nntrain": nntrain.__version__, "python": platform.python_version(), **_taking_part()},
        "system": {"platform": sys.platform, "machine": platform.machine()},
        "git_commit": git_commit(Path.cwd),
    }


def changed_since(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return what may change the bits of a training, and is not what it was: its name, its value then and now.

    Args:
        then: what ``run.json`` holds.
        now: the same entries as they would be written now.

    >>> changed_since({"versions": {"numpy": "2.3.0"}, "blas": {}}, {"versions": {"numpy": "2.4.6"}, "blas": {}})
    [('numpy', '2.3.0', '2.4.6')]
    """
    found = []
    for section, names in _DECIDING.items():
        old, new = _section(then, section), _section(now, section)
        keys = names or sorted({*old, *new})
        found += [(_WORDS.get(key, key), old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]
    return [(name, _told(a), _told(b)) for name, a, b in found]


def _section(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a section of run.json, which may hold anything."""
    section = info.get(name)
    return section if isinstance(section, dict) else {}


def _told(value: Any) -> str:
    return "none" if value is None else str(value)


def _taking_part() -> dict[str, str]:
    """Return the versions of the packages that are loaded: one that this run does without has no say in its results."""
    loaded = {package: sys.modules[module] for module, package in _PACKAGES.items() if module in sys.modules}
    return {package: str(getattr(module, "__version__", "unknown")) for package, module in loaded.items()}


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
