"""What the measurements were made on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from child import environment

PACKAGES = ("numpy", "pandas", "torch", "jax", "keras", "scikit-learn")

ASK_BLAS = "import json, numpy; from threadpoolctl import threadpool_info; print(json.dumps(threadpool_info()))"


def describe() -> dict[str, Any]:
    """Return processor, memory, system, versions, revision, and the BLAS that a child gets."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
        "revision": revision(),
        "blas": blas(),
    }


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]))
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else name


def memory() -> int | None:
    """Return the bytes of memory there are, None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def versions() -> dict[str, str]:
    """Return the versions of what is installed of nntrain and the peers."""
    found = {}
    for package in ("nntrain", *PACKAGES):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # its peers say so themselves
    return found


def revision() -> str | None:
    """Return the commit of this repository, with a plus where files differ from it, or None."""
    folder = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=folder, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def blas() -> dict[str, Any]:
    """Return library, version and kernel of NumPy's BLAS in a child, where no variable forces one."""
    asked = subprocess.run([sys.executable, "-c", ASK_BLAS], env=environment(), capture_output=True, text=True)
    if asked.returncode:
        return {}
    found = [library for library in json.loads(asked.stdout) if library["user_api"] == "blas"]
    keys = {"internal_api": "library", "version": "version", "architecture": "kernel"}
    return {name: found[0].get(key) for key, name in keys.items()} if found else {}


def sentence(machine: dict[str, Any], date: str) -> str:
    """Return the machine in a sentence, for below a table."""
    kernel = machine["blas"]
    parts = [
        f"{machine['cores']} cores of {machine['processor']}",
        f"Python {machine['python']}",
        ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
    ]
    if kernel:
        parts.append(f"NumPy's {kernel['library']} {kernel['version']} with its {kernel['kernel']} kernel")
    return f"{date}: {'; '.join(parts)}."
