"""A process that is measured: its environment, its seconds, its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memory import MachineClock, TreeSampler

_LIBRARIES = ["OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "OMP_", "KMP_", "VECLIB_", "NUMEXPR_", "XLA_", "JAX_", "KERAS_"]
UNSET = (*_LIBRARIES, "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""What begins the names of variables that no child gets: each runs as on a computer where nobody has set anything."""


SHORTEST = 0.5
"""Processor seconds of the machine below which its clock, of 10 ms, tells nothing about others."""

LAUNCH = Path(__file__).resolve().parent / "launch.py"


class ChildError(Exception):
    """A child that ended with an error."""

    def __init__(self, command: Sequence[str], code: int, stderr: str) -> None:
        self.last_line = (stderr.strip().splitlines() or [f"exit code {code}"])[-1]
        super().__init__(f"exit code {code} of {' '.join(command)[:300]}\n{stderr[-3000:]}")


@dataclass(frozen=True)
class Ended:
    """What is known of a child that has ended well.

    Attributes:
        seconds: from its start to its end.
        peak: largest resident memory in bytes: of the one process, or of its whole tree where that was sampled.
        anonymous: largest RssAnon in bytes, summed over the tree; 0 where it was not sampled.
        processes: most processes in the tree at a time; 0 where it was not sampled.
        others: share of the machine's processor time that went to other processes meanwhile, from 0 to 1.
    """

    stdout: str
    seconds: float
    peak: int
    anonymous: int = 0
    processes: int = 0
    others: float = 0.0


def environment(further: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a child."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNSET)}
    return {**kept, **(further or {})}


def run(command: Sequence[str], folder: Path, further: Mapping[str, str] | None = None, sampled: bool = False) -> Ended:
    """Run a command to its end.

    Args:
        folder: its working directory.
        further: variables of its own.
        sampled: whether the memory of its process tree is sampled, which takes a little of its time.

    Raises:
        ChildError: it failed.
    """
    # Files, not pipes: nobody has to read while the clock runs.
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr, report_file() as report:
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCH), report.name, *command],
            cwd=folder,
            env=environment(further),
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        clock = MachineClock()
        sampler = TreeSampler(launcher.pid)
        if sampled:
            sampler.start()
        try:
            launcher.wait()
        except BaseException:
            os.killpg(launcher.pid, signal.SIGKILL)
            raise
        finally:
            if sampled:
                sampler.stop()
        busy, whole = clock.passed()
        stdout.seek(0)
        stderr.seek(0)
        code, seconds, resident, own = report.read().split() or [str(launcher.returncode), "0", "0", "0"]
        if int(code):
            raise ChildError(command, int(code), stderr.read())
        others = max(0.0, busy - float(own)) / whole if whole > SHORTEST else 0.0
        peak = max(int(resident), sampler.largest)
        return Ended(stdout.read(), float(seconds), peak, sampler.largest_anonymous, sampler.most_processes, others)


def report_file() -> IO[str]:
    """Return a file that the launcher writes into by its name."""
    return tempfile.NamedTemporaryFile("r+")
