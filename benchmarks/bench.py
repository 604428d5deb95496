"""What all groups share: options, folders, and how nntrain and the peers are started."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from child import Ended, run

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True)
class Bench:
    """The options of a run of the benchmarks.

    Attributes:
        out: folder of results and generated CSV files.
        rounds: how often each contender is measured.
        only: part of the names of the cases that are run; all where empty.
        peers: names of the peers that take part.
        tiny: whether everything is cut down to see that it runs.
        seconds: how long the runs with everything on last, at least.
        rows: of the CSV that is streamed.
        fashion: the training CSV of Fashion-MNIST, or None.
    """

    out: Path
    rounds: int = 3
    only: str = ""
    peers: tuple[str, ...] = ()
    tiny: bool = False
    seconds: float = 11.0
    rows: int = 1_000_000
    fashion: Path | None = None

    @property
    def data(self) -> Path:
        folder = self.out / "data"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def wants(self, case: str) -> bool:
        """Return whether a case is to be run: ``|`` separates parts of names, any of which is enough."""
        return any(part in case for part in self.only.split("|"))

    def missing(self, *modules: str) -> str | None:
        """Return why a peer cannot run: the first module that is not installed; None where all are."""
        absent = next((module for module in modules if importlib.util.find_spec(module) is None), None)
        return f"{absent} is not installed" if absent else None


@dataclass(frozen=True)
class Fit:
    """A finished ``nntrain fit``.

    Attributes:
        timing: rows of ``timing.jsonl``.
        run: ``run.json``.
    """

    child: Ended
    timing: list[dict[str, Any]]
    run: dict[str, Any]

    def seconds(self, *columns: str) -> list[float]:
        """Return the sum of columns of ``timing.jsonl``, epoch by epoch."""
        return [sum(row[column] for column in columns) for row in self.timing]


def nntrain_fit(config: str, sampled: bool = False, cache: Path | None = None, quiet: bool = True) -> Fit:
    """Train in a process of its own, in an empty folder that goes away, and with an empty cache unless one is given."""
    with tempfile.TemporaryDirectory(prefix="nntrain-bench-") as text:
        folder = Path(text)
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        command = [*nntrain_command(), "fit", "config.yaml", "--run-dir", "run", *(["--quiet"] if quiet else [])]
        ended = run(command, folder, {"XDG_CACHE_HOME": str(cache or folder / "cache")}, sampled)
        lines = (folder / "run" / "timing.jsonl").read_text(encoding="utf-8").splitlines()
        described = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
        return Fit(ended, [json.loads(line) for line in lines], described)


def nntrain_command() -> list[str]:
    """Return how a user of this Python starts nntrain: the installed command, or the module where there is none."""
    script = Path(sys.executable).parent / "nntrain"
    return [str(script)] if script.exists() else [sys.executable, "-m", "nntrain"]


def peer(script: str, *arguments: str, variables: Mapping[str, str] | None = None, sampled: bool = False) -> Ended:
    """Run a script of ``peers`` in a process of its own, in an empty folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="nntrain-bench-") as folder:
        return run([sys.executable, str(PEERS / script), *arguments], Path(folder), variables, sampled)


def told(ended: Ended) -> dict[str, Any]:
    """Return the JSON object in the last line of a script's stdout."""
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def geometric_mean(values: list[float]) -> float | None:
    """Return the geometric mean, None of nothing."""
    return statistics.geometric_mean(values) if values else None
