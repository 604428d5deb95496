"""Commands as processes of their own: run to the end, ended at a moment, always within a limit of time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST = 120.0
"""Seconds after which a command is taken to hang."""

NNTRAIN = (sys.executable, "-m", "nntrain")
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code, minus a signal's number where one ended it, None where it hung.
    """

    code: int | None
    stdout: str
    stderr: str

    def problems(self, *codes: int) -> list[str]:
        """Return what is wrong with it, where one of ``codes`` is right."""
        if self.code is None:
            return [f"no end within {LONGEST:.0f} seconds"]
        found = [] if self.code in codes else [f"exit code {self.code}: {self.stderr.strip()[-200:]}"]
        return found + (["a traceback"] if TRACEBACK in self.stdout + self.stderr else [])


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Start a command in a session of its own."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, errors="replace", start_new_session=True, **{**pipes, **options})


def finish(process: subprocess.Popen[str], seconds: float = LONGEST) -> Ended:
    """Wait for the end of a command; one that hangs is killed."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        stdout, stderr = process.communicate()
        return Ended(None, stdout or "", stderr or "")
    return Ended(process.returncode, stdout or "", stderr or "")


def run(command: Sequence[str], **options: Any) -> Ended:
    """Run a command to its end."""
    return finish(start(command, **options))


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a command and all that it has started, as a loss of power would end them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def killed_after(command: Sequence[str], seconds: float) -> bool:
    """Kill a command after a time, and return whether it still ran then."""
    process = start(command)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=seconds)
        return False
    kill(process)
    finish(process)
    return process.returncode == -signal.SIGKILL


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Wait for a condition while a command runs, and return whether it came true."""
    end = time.monotonic() + LONGEST
    while process.poll() is None and time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.001)
    return False


def takes_signals(process: subprocess.Popen[str]) -> bool:
    """Return whether a process has a handler for SIGHUP, which Python itself has not: nntrain's entry was reached."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    return bool(caught >> (signal.SIGHUP - 1) & 1)
