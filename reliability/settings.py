"""The options of a run of the reliability tool, and what all groups share."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab import Lab

Case = TypeVar("Case")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Settings:
    """The options.

    Attributes:
        scratch: folder of all that is made on the way.
        seed: of every choice that is left to chance.
        quick: whether everything is cut down to a sample.
        jobs: cases at a time.
    """

    scratch: Path
    seed: int = 0
    quick: bool = False
    jobs: int = 1

    def count(self, full: int, quick: int) -> int:
        """Return how often something is done."""
        return quick if self.quick else full

    def random(self, group: str) -> random.Random:
        """Return a group's own source of chance, so that no group's cases depend on which others run."""
        return random.Random(f"{self.seed} {group}")

    def timed_lab(self) -> Lab:
        """Return a training of about a second."""
        return Lab(self.scratch / "timed", epochs=12, batch_size=16)

    def stepped_lab(self) -> Lab:
        """Return a training of few system calls, each of which can be made to fail."""
        return Lab(self.scratch / "stepped", epochs=2, batch_size=64)

    def spread(self, what: str, cases: Sequence[Case], function: Callable[[Case], Answer]) -> list[Answer]:
        """Return the answers of a function for cases, several at a time, and tell how far it is."""
        done, lock = [0], threading.Lock()

        def counted(case: Case) -> Answer:
            answer = function(case)
            with lock:
                done[0] += 1
                if done[0] % max(1, len(cases) // 10) == 0:
                    tell(f"  {what}: {done[0]} of {len(cases)}")
            return answer

        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(counted, cases))


def tell(text: str) -> None:
    """Print progress, on stderr."""
    print(text, file=sys.stderr, flush=True)
