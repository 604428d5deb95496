"""Memory of a process and all its descendants, sampled while it runs; processor time of the whole machine."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """Bytes of a tree of processes at one moment.

    Attributes:
        own: private memory, and memory the tree's processes share with each other, counted once.
        files: mapped files (programs, libraries, data) of the process that maps most.
        anonymous: RssAnon, summed over the processes: a page that two of them share after a fork counts twice.
        processes: how many there are.
    """

    own: int = 0
    files: int = 0
    anonymous: int = 0
    processes: int = 0

    @property
    def total(self) -> int:
        return self.own + self.files


class TreeSampler(threading.Thread):
    """Keeps the largest usage of all that a launcher has started; nothing where there is no ``/proc``.

    PSS divides a page by the number of processes that map it, so the sum over the tree counts memory that is shared
    after a fork or through a mapping once. Mapped files are left out of that sum: a library that a process outside of
    the tree maps too would count for less.
    """

    def __init__(self, launcher: int, every_seconds: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.launcher, self.every_seconds = launcher, every_seconds
        self.largest, self.largest_anonymous, self.most_processes = 0, 0, 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self.every_seconds):
            usage = usage_of(descendants(self.launcher))
            self.largest = max(self.largest, usage.total)
            self.largest_anonymous = max(self.largest_anonymous, usage.anonymous)
            self.most_processes = max(self.most_processes, usage.processes)

    def stop(self) -> None:
        self._over.set()
        self.join()


def descendants(root: int) -> list[int]:
    """Return the processes that a process has started, those that they have started, and so on."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything, brackets too.
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended since it was listed
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(root, []))
    for process in found:
        found.extend(children.get(process, []))
    return found


def usage_of(processes: list[int]) -> Usage:
    """Return what processes use together; one that has ended counts nothing."""
    own = files = anonymous = count = 0
    for process in processes:
        try:
            shares, sizes = fields_of(process, "smaps_rollup"), fields_of(process, "status")
        except OSError:
            continue  # it has ended, or belongs to somebody else
        own += shares.get("Pss_Anon", 0) + shares.get("Pss_Shmem", 0)
        files = max(files, sizes.get("RssFile", 0))
        anonymous += sizes.get("RssAnon", 0)
        count += 1
    return Usage(own, files, anonymous, count)


def fields_of(process: int, name: str) -> dict[str, int]:
    """Return the sizes in a file of ``/proc``, in bytes."""
    found = {}
    for line in (PROC / str(process) / name).read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            found[words[0].rstrip(":")] = int(words[1]) * 1024
    return found


class MachineClock:
    """Processor seconds of the whole machine since it was made; none where there is no ``/proc``."""

    def __init__(self) -> None:
        self.start = self._read()

    def passed(self) -> tuple[float, float]:
        """Return the seconds that processors were busy, for whomever, and the seconds there were."""
        busy, whole = (now - before for now, before in zip(self._read(), self.start, strict=True))
        return busy, whole

    def _read(self) -> tuple[float, float]:
        try:
            line = (PROC / "stat").read_text(encoding="utf-8").splitlines()[0]
        except OSError:
            return 0.0, 0.0
        # user, nice, system, idle, iowait, irq, softirq, steal: what the host takes away is not idle either.
        ticks = [int(word) for word in line.split()[1:9]]
        second = os.sysconf("SC_CLK_TCK")
        return (sum(ticks) - ticks[3] - ticks[4]) / second, sum(ticks) / second
