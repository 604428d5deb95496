"""The recorder: keeps the rows of each epoch, and makes them durable together with a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nntrain.errors import RunError
from nntrain.runs import plain_json
from nntrain.runs.files import append_file, cut_file, is_there, read_file, replace_file, sync_folder, told
from nntrain.runs.rows import LARGEST_ROWS, read_rows, scan

METRICS, TIMING, GRADIENTS = "metrics.jsonl", "timing.jsonl", "gradients.jsonl"
MOST_WAITING = 1 << 18
"""Bytes of rows that wait in memory for a checkpoint; more are handed to the system, so that no run grows with them."""


class Recorder:
    """Appends rows to ``metrics.jsonl``, ``timing.jsonl`` and ``gradients.jsonl`` of a run directory.

    Rows wait in memory until :meth:`commit`, which comes before each checkpoint, or until there are many: so the files
    hold at least the epochs of the checkpoint, and what they hold beyond it is cut back on resume. :attr:`history` goes
    into the checkpoint, so that a lost ``metrics.jsonl`` comes back byte for byte.

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._history = bytearray()
        self._waiting: dict[str, bytearray] = {name: bytearray() for name in (GRADIENTS, TIMING, METRICS)}
        self._unsynced: set[str] = set()

    @property
    def history(self) -> bytes:
        """``metrics.jsonl`` as it is after the next commit."""
        return bytes(self._history)

    def epoch(self, metrics: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
        """Take the rows of a completed epoch."""
        line = plain_json.line(metrics)
        self._waiting[METRICS] += line
        self._history += line
        self._waiting[TIMING] += plain_json.line(timing)

    def gradients(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the gradient rows of a completed epoch, one a layer."""
        for row in rows:
            self._waiting[GRADIENTS] += plain_json.line(row)
        if sum(map(len, self._waiting.values())) > MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Let readers such as ``nntrain watch`` see the rows, without waiting for the disk."""
        self._write(durable=False)

    def commit(self) -> None:
        """Make all rows durable.

        Raises:
            ResourceError: the system refused; the rows are kept for the next attempt.
        """
        self._write(durable=True)

    def _write(self, durable: bool) -> None:
        is_new = False
        for name, waiting in self._waiting.items():
            if name == METRICS and not self._is_as_left(waiting):
                replace_file(self.folder / name, self._history)  # somebody has removed or changed it
                waiting.clear()
            elif waiting or (durable and name in self._unsynced):
                is_new |= append_file(self.folder / name, waiting, durable) or name in self._unsynced
                waiting.clear()
                (self._unsynced.discard if durable else self._unsynced.add)(name)
        if durable and is_new:
            with told(self.folder, "write"):
                sync_folder(self.folder)

    def _is_as_left(self, waiting: bytearray) -> bool:
        """Whether ``metrics.jsonl`` has the size of all rows but those that wait."""
        path = self.folder / METRICS
        with told(path, "look at"):
            size = path.lstat().st_size if is_there(path) else 0
        return size == len(self._history) - len(waiting)

    def row(self, epoch: int | None) -> dict[str, Any]:
        """Return the row of ``metrics.jsonl`` of an epoch, empty where there is none."""
        start = -1
        for _ in range(0 if epoch is None else epoch - 1):
            start = self._history.find(b"\n", start + 1)
            if start < 0:
                return {}
        end = self._history.find(b"\n", start + 1)
        if epoch is None or epoch < 1 or end < 0:
            return {}
        found: dict[str, Any] = plain_json.parse(bytes(self._history[start + 1 : end]))
        return found

    def expect(self, history: bytes) -> None:
        """Take a checkpoint's history as what ``metrics.jsonl`` holds; :meth:`truncate_to` then makes it so."""
        for waiting in self._waiting.values():
            waiting.clear()
        self._history = bytearray(history)

    def truncate_to(self, epochs: int) -> list[str]:
        """Cut all files back to the rows of the first ``epochs`` epochs, mend what is damaged, and say what was done.

        Raises:
            RunError: ``metrics.jsonl`` does not hold so many.
        """
        content = bytes(self._history) or self._content(METRICS)
        rows, ends, _ = scan(content)
        kept = sum(1 for row in rows if isinstance(row.get("epoch"), int) and row["epoch"] <= epochs)
        # The number comes from a file: of an enormous one no list is made.
        if kept != epochs or [row.get("epoch") for row in rows[:kept]] != list(range(1, kept + 1)):
            raise RunError(
                f"expected the rows of epochs 1 to {epochs}, as the checkpoint has them, got {kept}",
                path=str(self.folder / METRICS),
            )
        self.expect(content[: ends[kept - 1] if kept else 0])
        return self._mend_metrics(self.history) + self._cut_others(epochs)

    def _content(self, name: str) -> bytes:
        path = self.folder / name
        return read_file(path, LARGEST_ROWS) if path.exists() or path.is_symlink() else b""

    def _mend_metrics(self, history: bytes) -> list[str]:
        path, content = self.folder / METRICS, self._content(METRICS)
        if content == history:
            return []
        if content.startswith(history):
            cut_file(path, len(history))
            lines = content[len(history) :].count(b"\n")
            what = f"{lines} row{'' if lines == 1 else 's'} after the checkpoint" if lines else "a torn last line"
            return [f"{METRICS}: {what} cut off"]
        replace_file(path, history)
        lines = history.count(b"\n")
        return [f"{METRICS} was missing or changed: written anew from the checkpoint ({lines} rows)"]

    def _cut_others(self, epochs: int) -> list[str]:
        notices: list[str] = []
        for name in (TIMING, GRADIENTS):
            content = self._content(name)
            rows, ends, problem = scan(content)
            kept = next((i for i, row in enumerate(rows) if _epoch(row) > epochs), len(rows))
            size = ends[kept - 1] if kept else 0
            if size < len(content):
                cut_file(self.folder / name, size)
            if problem is not None:
                notices.append(f"{name}: damaged from line {problem[0]}, cut off there")
        return notices


def _epoch(row: Mapping[str, Any]) -> float:
    epoch = row.get("epoch")
    return epoch if isinstance(epoch, int) else float("inf")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's ``metrics.jsonl``."""
    return read_rows(folder / METRICS)
