"""System calls seen, ended or made to fail, by strace."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from process import Ended, run

CALLS = (
    "open", "openat", "creat", "write", "pwrite64", "writev", "fsync", "fdatasync", "rename", "renameat", "renameat2",
    "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "ftruncate", "link", "linkat", "symlink", "symlinkat",
)  # fmt: skip
"""Calls that make, change or remove a file, and those that make it durable."""

_LINE = re.compile(r"(\d+) +(\w+)\((.*)")


@dataclass(frozen=True)
class Call:
    """A system call of a trace.

    Attributes:
        name: of the call.
        nth: its number among the calls of this name in its thread, from 1, by which strace finds it again.
        text: its arguments and result.
    """

    name: str
    nth: int
    text: str


def missing() -> str | None:
    """Return why there is no strace here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = run(["strace", "-f", "-o", "/dev/null", "true"])
    return None if tried.code == 0 else f"strace may not trace here: {tried.stderr.strip()[-100:]}"


def trace(command: Sequence[str], log: Path, word: str) -> tuple[Ended, list[Call]]:
    """Run a command; return how it ended, and its calls that have to do with a file of that word in its path."""
    wanted = ",".join(f"?{name}" for name in CALLS)
    ended = run(
        ["strace", "-f", "--seccomp-bpf", "-y", "-qq", "-s", "0", "-o", str(log), "-e", f"trace={wanted}", *command]
    )
    return ended, [call for call in _calls(log) if word in call.text]


def _calls(log: Path) -> list[Call]:
    """Return all calls of a trace, in order."""
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.match(line)
        if match:
            thread, name, text = match.groups()
            counts[thread, name] += 1
            found.append(Call(name, counts[thread, name], text))
    return found


def inject(command: Sequence[str], log: Path, call: Call, fault: str, word: str) -> tuple[Ended, bool]:
    """Run a command with a fault at a call; return how it ended, and whether the fault hit such a call.

    Args:
        fault: ``signal=KILL`` or ``error=ENOSPC``, as strace writes it.
        word: that is in the path of the call that is meant.
    """
    aim = [f"trace={call.name}", "-e", f"inject={call.name}:{fault}:when={call.nth}"]
    ended = run(["strace", "-f", "-y", "-qq", "-s", "0", "-o", str(log), "-e", *aim, *command])
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    calls = [line for line in lines if _LINE.match(line)]
    if fault.startswith("signal"):
        hit = bool(calls) and any("killed by SIGKILL" in line for line in lines) and word in calls[-1]
    else:
        hit = any("(INJECTED)" in line and word in line for line in calls)
    return ended, hit
