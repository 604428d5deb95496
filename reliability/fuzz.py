"""Random bytes at every reader: ``python reliability/fuzz.py --minutes 10``, or ``make fuzz``.

An input is a function of the target, the seed and its number. Each is read in a process of its own kind, under limits
of time and memory; whatever is not a value or an error of ours is a finding, kept as a file.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from targets import TARGETS, describe

MOST_SECONDS = 2.0
MOST_BYTES = 300 << 20
_GIVEN_UP = 4 * MOST_SECONDS
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\ufeff]")
_LONGEST_MESSAGE = 20_000


@dataclass(frozen=True)
class Finding:
    """An input that a reader did not take as it should.

    Attributes:
        number: of the input.
        reason: what went wrong, and where in our code.
    """

    target: str
    seed: int
    number: int
    reason: str
    content: bytes

    def write(self, folder: Path) -> Path:
        """Keep the input as a file, with the reason beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.target}_{hashlib.sha256(self.content).hexdigest()[:8]}"
        path = folder / f"{name}{TARGETS[self.target].ending}"
        path.write_bytes(self.content)
        (folder / f"{name}.txt").write_text(f"seed {self.seed}, number {self.number}\n{self.reason}\n", "utf-8")
        return path


def input_of(target: str, seed: int, number: int, seeds: Sequence[bytes]) -> bytes:
    """Return an input of a target."""
    return TARGETS[target].make(seeds, random.Random(f"{target} {seed} {number}"))


def fuzz(target: str, count: int | None = None, seconds: float = 60.0, seed: int = 0) -> tuple[list[Finding], int]:
    """Read inputs, so many or for so many seconds; return one finding of each kind, and how many were read."""
    seeds, found = TARGETS[target].seeds(), dict[str, Finding]()
    end, number = time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory(prefix="nntrain-fuzz-") as folder:
        while time.monotonic() < end and (count is None or number < count):
            worker = _Worker(target, seed, number, count, seeds, folder)
            try:
                for at, reason in worker.reports(end):
                    if _kind(reason) not in found:
                        content = input_of(target, seed, at, seeds)
                        found[_kind(reason)] = Finding(target, seed, at, reason, content)
                number = worker.reached
            finally:
                worker.end()
    return list(found.values()), number


def _kind(reason: str) -> str:
    """Return what findings are told apart by: the kind of failure and its place, not the values in its message."""
    return reason.split("\n", 1)[0].split(": ", 1)[0]


class _Worker:
    """A process that reads inputs, one after the other, until one takes too long."""

    def __init__(
        self, target: str, seed: int, first: int, count: int | None, seeds: Sequence[bytes], folder: str
    ) -> None:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe(duplex=False)
        self._began, self._number = context.Value("d", time.monotonic()), context.Value("q", first)
        arguments = (target, seed, first, count, seeds, folder, theirs, self._began, self._number)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.reached = first

    def reports(self, end: float) -> Any:
        """Yield the number of each input that is a finding, and the reason."""
        while True:
            if self._ours.poll(0.1):
                try:
                    yield self._ours.recv()
                    continue
                except EOFError:
                    self._process.join()
                    self.reached = self._number.value
                    if self._process.exitcode:
                        yield self.reached, f"the process died with code {self._process.exitcode}"
                        self.reached += 1
                    return
            self.reached = self._number.value
            if time.monotonic() - self._began.value > _GIVEN_UP:
                yield self.reached, f"slow: more than {_GIVEN_UP:.0f} s"
                self.reached += 1
                return
            if time.monotonic() > end:
                return

    def end(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.join()
        self._ours.close()


def _work(
    target: str,
    seed: int,
    first: int,
    count: int | None,
    seeds: Sequence[bytes],
    folder: str,
    out: Connection,
    began: Any,
    at: Any,
) -> None:
    read, number = TARGETS[target].read, first
    place = Path(folder)
    _read(read, seeds[0], place)  # what is loaded on the way counts for no input
    while count is None or number < count:
        content = input_of(target, seed, number, seeds)
        at.value, began.value = number, time.monotonic()
        _limit_memory(MOST_BYTES)
        reason = _read(read, content, place)
        _limit_memory(None)
        if reason is not None:
            out.send((number, reason))
        number += 1
    at.value = number


def _limit_memory(more: int | None) -> None:
    """Let allocations fail that go further beyond what is in use now; None lifts the limit."""
    limit = resource.RLIM_INFINITY
    if more is not None:
        used = re.search(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text("utf-8"))
        limit = (int(used[1]) << 10) + more if used else limit
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))


def _read(read: Any, content: bytes, folder: Path) -> str | None:
    """Return why an input is a finding, or None."""
    from nntrain.errors import NntrainError

    began, used = time.monotonic(), time.process_time()
    try:
        read(content, folder)
    except NntrainError as error:
        said = error.render()
        if _CONTROL.search(said):
            return f"control characters in a message\n{said[:500]!r}"
        if len(said) > _LONGEST_MESSAGE or error.exit_code == 1:
            return f"a message of {len(said)} characters, exit code {error.exit_code}\n{said[:500]}"
    except MemoryError as error:
        return f"memory: {_place(error)}"
    except BaseException as error:
        return f"{type(error).__name__} at {_place(error)}: {str(error)[:200]!r}\n{traceback.format_exc()[-3000:]}"
    # Others may have the processor, and threads use more than one of them.
    seconds = min(time.monotonic() - began, time.process_time() - used)
    return f"slow: {seconds:.1f} s" if seconds > MOST_SECONDS else None


def _place(error: BaseException) -> str:
    """Return the last line of our own code that an error came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "nntrain" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz each target for its share of the time; return 1 where something was found."""
    line = argparse.ArgumentParser(prog="reliability/fuzz.py", description="Random bytes at every reader of nntrain.")
    line.add_argument("targets", nargs="*", metavar="TARGET", help=f"all where none is named: {', '.join(TARGETS)}")
    line.add_argument("--minutes", type=float, default=10.0, help="for all targets together (10)")
    line.add_argument("--seed", type=int, default=0, help="another seed is other inputs (0)")
    line.add_argument("--out", type=Path, default=Path("fuzz-findings"), help="folder for findings (fuzz-findings)")
    options = line.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        line.error(f"unknown target {unknown[0]!r} (known: {', '.join(TARGETS)})")
    chosen, any_found = options.targets or list(TARGETS), False
    for name in chosen:
        found, read = fuzz(name, seconds=60 * options.minutes / len(chosen), seed=options.seed)
        print(f"{name}: {read} inputs, {len(found)} findings ({describe()[name]})", flush=True)
        for finding in found:
            any_found = True
            print(f"  {finding.write(options.out)}: {finding.reason.splitlines()[0]}", flush=True)
    return int(any_found)


if __name__ == "__main__":
    sys.exit(main())
