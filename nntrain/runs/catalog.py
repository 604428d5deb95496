"""Finding runs: by directory, by name, the latest, or all of a folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nntrain.errors import (
    ConfigError,
    NntrainError,
    ResourceError,
    RunError,
    did_you_mean,
    enumerate_names,
    quote,
    reason_of,
)
from nntrain.runs.files import is_there, resource_error
from nntrain.runs.parent import is_parent, kind_of_members, members_of, spread_of, with_deviation
from nntrain.runs.run import Run, is_run

LATEST = "latest"


@dataclass
class Found:
    """Runs found, those that cannot be read with the reason, and notices about what is no run."""

    runs: list[Run] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def take(self, folder: Path) -> None:
        """Add what is at ``folder``."""
        try:
            if is_run(folder):
                self.runs.append(Run.open(folder))
            else:
                self.notices.append(f"{folder}: not a run, passed over")
        except NntrainError as error:
            self.unreadable.append((folder, error.problems[0].message))


def find_runs(runs_dir: str, must_exist: bool = False) -> Found:
    """Return the runs of a folder, the oldest first, equal times by name.

    Files and hidden folders, such as a run that is just being made, are passed over in silence, other folders with a
    notice.

    Args:
        runs_dir: the folder.
        must_exist: whether it is a mistake that there is none; else it holds no runs then.

    Raises:
        ConfigError: there is no such folder, or it is none.
        ResourceError: it may not be looked into.
    """
    found = Found()
    top = Path(runs_dir)
    try:
        entries = sorted(top.iterdir()) if must_exist or top.is_dir() else []
    except PermissionError as error:
        raise resource_error(error, top, "list the runs") from None
    except OSError as error:
        help = "name a folder that holds runs; nntrain fit makes one"
        raise ConfigError(f"--runs-dir: {reason_of(error)}", path=runs_dir, help=help) from None
    for folder in entries:
        if not folder.name.startswith(".") and folder.is_dir():
            found.take(folder)
    found.runs.sort(key=age)
    return found


def age(run: Run) -> tuple[str, str]:
    """Return the sort key of runs by age."""
    return run.info["created"], run.name


def resolve(run: str, runs_dir: str) -> Run:
    """Return the run that ``run`` means: a directory, its name under ``runs_dir``, or ``latest``.

    Raises:
        ConfigError: there is none; the message holds the closest name.
        RunError: the directory is no run, or its run.json is damaged.
    """
    if run == LATEST:
        return _latest(runs_dir)
    return Run.open(locate(run, runs_dir))


def locate(run: str, runs_dir: str) -> Path:
    """Return the directory that ``run`` means.

    Raises:
        ConfigError: there is none of that name.
        RunError: there is nothing at that path, which need not be a slip: its training may not have got that far.
        ResourceError: a folder on the way may not be looked into.
    """
    if run == LATEST:
        return _latest(runs_dir).path
    for place in (Path(run), Path(runs_dir) / run):
        if run and is_there(place):
            return place
    if os.sep in run.rstrip(os.sep):
        help = "nntrain runs lists those of a folder; nntrain fit makes one"
        raise RunError("there is no such run directory", path=run, help=help)
    names = _names(runs_dir)
    known = f" (there are: {enumerate_names(names, 10)})" if names else ""
    raise ConfigError(
        f"no run {quote(run)} here or in {quote(runs_dir)}{did_you_mean(run, names)}{known}",
        help="nntrain runs lists them; another folder: --runs-dir",
    )


def _names(runs_dir: str) -> list[str]:
    try:
        with os.scandir(runs_dir) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []  # no such folder: no names to suggest


def _latest(runs_dir: str) -> Run:
    found = find_runs(runs_dir)
    if not found.runs:
        raise ConfigError(
            f"latest: no runs in {quote(runs_dir)}", help="nntrain fit makes one; another folder: --runs-dir"
        )
    return found.runs[-1]


def select(runs: Sequence[str], runs_dir: str) -> Found:
    """Return the runs that several arguments mean; each argument may also be a pattern such as ``runs/*``.

    Raises:
        ConfigError: an argument means nothing that exists.
        RunError: none of them is a run.
    """
    found = Found()
    seen: set[str] = set()
    for argument in runs:
        try:
            places = _places(argument, runs_dir)
        except ResourceError as error:
            found.unreadable.append((Path(argument), error.problems[0].message))
            continue
        for place in places:
            real = os.path.realpath(place)
            if real not in seen:
                seen.add(real)
                found.take(place)
    if not found.runs and not found.unreadable:
        raise RunError(f"no run among {enumerate_names(list(runs), 5)}: a run directory holds a run.json")
    return found


def _places(argument: str, runs_dir: str) -> list[Path]:
    if glob.has_magic(argument) and not os.path.lexists(argument):
        # Path.glob takes no absolute pattern.
        below = os.path.join(glob.escape(runs_dir), argument)  # noqa: PTH118
        matches = glob.glob(argument) or glob.glob(below)  # noqa: PTH207
        if matches:
            return [Path(match) for match in sorted(matches)]
    return [locate(argument, runs_dir)]


def list_runs(runs_dir: str, must_exist: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of ``nntrain runs``, the oldest first, and notices; the arguments are :func:`find_runs`'s."""
    found = find_runs(runs_dir, must_exist)
    rows = [_row(run) for run in found.runs]
    rows += [{**dict.fromkeys(_COLUMNS), "name": path.name, "status": "unreadable"} for path, _ in found.unreadable]
    return rows, [*found.notices, *(f"{path}: unreadable: {reason}" for path, reason in found.unreadable)]


_COLUMNS = ("name", "status", "epoch", "best_epoch", "monitor", "created")


def _row(run: Run) -> dict[str, Any]:
    found = _of_members(run.info) if is_parent(run.info) else _of_epochs(run)
    return dict(zip(_COLUMNS, (run.name, run.status, *found, run.info["created"]), strict=True))


def _of_epochs(run: Run) -> tuple[Any, Any, str | None]:
    """Return epochs done, best epoch, and the monitored value at the best."""
    info = run.info
    try:
        rows = run.read_metrics()
    except NntrainError:
        rows = []  # the list shows what it can; ``show`` and ``compare`` say what is wrong
    best = next((row for row in rows if row.get("epoch") == info.get("best_epoch")), rows[-1] if rows else {})
    monitor = _monitor(info, best)
    value = best.get(monitor) if monitor else None
    shown = f"{monitor} {with_deviation(value, None)}" if isinstance(value, (int, float)) else None
    epoch = info.get("epoch") if isinstance(info.get("epoch"), int) else len(rows)
    return epoch, info.get("best_epoch"), shown


def _of_members(info: Mapping[str, Any]) -> tuple[None, None, str | None]:
    """Return the same of a parent, which has no epochs: mean and deviation of the monitored value over its runs."""
    spread = spread_of(info)
    monitor = _monitor(info, spread)
    mean = spread[monitor]["mean"] if monitor else None
    if monitor is None or mean is None:
        return None, None, None
    value = with_deviation(mean, spread[monitor]["deviation"])
    return None, None, f"{monitor} {value} ({len(members_of(info))} {kind_of_members(info) or 'runs'})"


def _monitor(info: Mapping[str, Any], known: Container[str]) -> str | None:
    """Return the name of the value that a run is listed with."""
    monitors = [name for name in (info.get("monitor"), "val_loss", "train_loss") if isinstance(name, str)]
    return next((name for name in monitors if name in known), None)
