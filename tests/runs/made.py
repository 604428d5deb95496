"""Run directories for the tests, and other processes that make some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from nntrain.runs.run import Run


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def create(folder: Path, name: str = "iris", run_dir: Path | None = None, **info: Any) -> Run:
    chosen = None if run_dir is None else str(run_dir)
    return Run.create(name, str(folder), chosen, "name: iris\n", "source: as it was\n", info)


def child(script: str, **options: Any) -> subprocess.Popen[str]:
    prelude = "from nntrain.runs.run import Run\nimport sys, time\n"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", prelude + script], text=True, **{**pipes, **options})
