"""The order of system calls: what a SIGKILL cannot show, as the kernel keeps what was written without a sync."""

from __future__ import annotations

import re
from pathlib import Path

import strace
from findings import Findings
from groups.points import WORD, scenarios
from settings import Settings

_QUOTED = re.compile(r'"([^"]*)"')
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")

PASSING = ".holder.json"
"""A file that tells of a live process only, and need not outlast a loss of power."""


def measure(settings: Settings) -> Findings:
    """Check each file that takes another's place, in a training and in one that goes on."""
    findings, what = Findings(), "renames with a sync of the file before and of the folder after"
    reason = strace.missing()
    if reason is not None:
        findings.skip(what, reason)
        return findings
    lab = settings.stepped_lab()
    problems: dict[str, list[str]] = {}
    for scenario in scenarios(lab):
        folder = lab.case(0)
        scenario.prepare(folder / WORD)
        _, calls = strace.trace(scenario.command(folder / WORD), folder / "trace", str(folder))
        problems |= {f"{scenario.name}, {case}": found for case, found in check(calls).items()}
    findings.add(what, problems)
    return findings


def check(calls: list[strace.Call]) -> dict[str, list[str]]:
    """Return for each rename in a trace what is out of order."""
    found: dict[str, list[str]] = {}
    unsynced: set[str] = set()
    awaited: dict[str, str] = {}  # folders that are still to be synced, and after which rename
    for call in calls:
        paths = _paths(call)
        if call.name in ("write", "pwrite64", "writev", "ftruncate"):
            unsynced.add(paths[0])
        elif call.name in ("fsync", "fdatasync"):
            unsynced.discard(paths[0])
            awaited.pop(paths[0], None)
        elif call.name.startswith("rename") and not paths[1].endswith(PASSING):
            _tell(awaited, found)
            source, target = paths
            name = f"rename {len(found) + 1}, to {Path(target).name}"
            found[name] = _unsynced_before(source, target, unsynced)
            awaited = {str(Path(target).parent): name}
    _tell(awaited, found)
    return found


def _tell(awaited: dict[str, str], found: dict[str, list[str]]) -> None:
    for name in awaited.values():
        found[name].append("its folder is not synced after it")


def _unsynced_before(source: str, target: str, unsynced: set[str]) -> list[str]:
    """Return which files lack a sync: the renamed one, those of a folder, the rows that come before a checkpoint."""
    own = {path for path in unsynced if path == source or path.startswith(f"{source}/")}
    rows = {path for path in unsynced if path.endswith(".jsonl") and target.endswith("last.safetensors")}
    return [f"{Path(path).name} is not synced before it" for path in sorted(own | rows) if PASSING not in path]


def _paths(call: strace.Call) -> list[str]:
    """Return the files of a call: those it names, or that of its descriptor."""
    return _QUOTED.findall(call.text) if call.name.startswith("rename") else _DESCRIPTOR.findall(call.text)
