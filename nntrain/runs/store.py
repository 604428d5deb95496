"""The checkpoints of a run: the last, the one before it, and the best."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nntrain.errors import NntrainError, RunError, enumerate_names
from nntrain.runs import checkpoint
from nntrain.runs.checkpoint import Array
from nntrain.runs.files import is_there, link_error, read_file, replace_file, sync_folder, temporary_beside, told
from nntrain.runs.kept import kept_name, kept_step
from nntrain.runs.recorder import Recorder

HISTORY = "history.metrics"
"""Name of the array that holds the bytes of ``metrics.jsonl`` up to the checkpoint."""

ENDING = ".safetensors"
LARGEST_CHECKPOINT = 1 << 40
"""Bytes of the largest checkpoint that is read as a whole."""
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV}


class CheckpointStore:
    """Writes and reads ``best``, ``last``, ``previous`` and ``step-N`` in a run's ``checkpoints`` folder.

    Args:
        folder: the ``checkpoints`` folder; it must exist.
        recorder: its rows are committed before each ``last``, which then holds them too.

    Attributes:
        notices: what was wrong with checkpoints that were passed over.
    """

    def __init__(self, folder: Path, recorder: Recorder | None = None) -> None:
        self.folder = folder
        self.recorder = recorder
        self.notices: list[str] = []
        self._last_is_sound = False
        self._found: tuple[dict[str, Array], dict[str, Any]] | None = None

    def path(self, name: str) -> Path:
        """Return the file of ``best``, ``last``, ``previous`` or ``step-N``."""
        return self.folder / f"{name}{ENDING}"

    def save_best(self, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> None:
        """Replace the best checkpoint; the old one stays until the new one is whole.

        Raises:
            ResourceError: the system refused.
        """
        self._refuse_link()
        checkpoint.save(self.path("best"), arrays, state)

    def save_last(self, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> None:
        """Commit the recorder's rows, keep the last checkpoint as ``previous``, and replace it.

        Raises:
            ResourceError: the system refused; a whole checkpoint is still there.
        """
        self._refuse_link()
        self._found = None
        if self.recorder is not None:
            # Rows first: rows without their checkpoint are cut back, a checkpoint without its rows is a loss.
            self.recorder.commit()
            arrays = {**arrays, HISTORY: np.frombuffer(self.recorder.history, np.uint8)}
        parts = checkpoint.encode(arrays, state)
        self._keep_previous()
        checkpoint.write(self.path("last"), parts)
        self._last_is_sound = True

    def keep_last(self, step: int, keep: int) -> None:
        """Keep the last checkpoint as ``step-<step>`` too, and of those before it the newest ``keep``.

        Raises:
            ResourceError: the system refused.
        """
        if not keep:
            return
        target = self.path(kept_name(step))
        with told(target, "link"):
            try:
                if not (target.exists() and target.samefile(self.path("last"))):
                    _link_as(self.path("last"), target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                replace_file(target, read_file(self.path("last"), LARGEST_CHECKPOINT))
            for old in self.kept()[: -keep - 1]:
                self.path(kept_name(old)).unlink(missing_ok=True)
            sync_folder(self.folder)

    def kept(self) -> list[int]:
        """Return the updates after which checkpoints were kept, the oldest first."""
        steps = (kept_step(path.stem) for path in self.folder.iterdir() if path.suffix == ENDING)
        return sorted(step for step in steps if step is not None)

    def load_last(self) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """Return the newest sound checkpoint, or None where the run has none yet.

        A damaged ``last`` is passed over for ``previous``; :attr:`notices` says so.

        Raises:
            RunError: there are checkpoints, and none is sound.
        """
        self.look()
        found, self._found = self._found, None
        return None if found is None else _without_history(found)

    def look(self) -> dict[str, Any] | None:
        """Return the state that :meth:`load_last` is going to return, which then need not read the file again."""
        self._found = self._found or self._find_last()
        if self._found is None:
            return None
        if self.recorder is not None and HISTORY in self._found[0]:
            self.recorder.expect(self._found[0][HISTORY].tobytes())
        return self._found[1]

    def last_is_sound(self) -> bool:
        """Return whether ``last`` is there and undamaged; :meth:`load_last` then need not read the file again."""
        try:
            return self.look() is not None and self._last_is_sound
        except RunError:  # there is no other to go on from either, which is told to who wants to
            return False

    def load(self, name: str) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the checkpoint ``best``, ``last``, ``previous`` or ``step-N``.

        Raises:
            RunError: missing or damaged.
        """
        self._refuse_link()
        if not is_there(self.path(name)):
            help = "go on with the run until it has saved one (nntrain fit --resume)"
            if kept_step(name) is not None:
                kept = enumerate_names([kept_name(step) for step in self.kept()]) if is_there(self.folder) else ""
                help = f"kept are {kept}" if kept else "checkpoint.keep tells how many older ones a run keeps"
            raise RunError(f"the run has no {name} checkpoint", path=str(self.path(name)), help=help)
        return _without_history(checkpoint.load(self.path(name)))

    def load_best(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the best checkpoint."""
        return self.load("best")

    def _refuse_link(self) -> None:
        if self.folder.is_symlink():
            raise link_error(self.folder)

    def _find_last(self) -> tuple[dict[str, Array], dict[str, Any]] | None:
        self._refuse_link()
        there = [name for name in ("last", "previous") if is_there(self.path(name))]
        problems: list[NntrainError] = []
        for name in there:
            try:
                found = checkpoint.load(self.path(name))
            except RunError as error:
                problems.append(error)
                continue
            self._last_is_sound = name == "last"
            if name == "previous":
                self.notices.append(self._passed_over(problems, found[1]))
            return found
        if problems:
            raise RunError([problem for error in problems for problem in error.problems])
        return None

    def _passed_over(self, problems: list[NntrainError], state: Mapping[str, Any]) -> str:
        why = problems[0].problems[0].message if problems else "it is missing"
        epoch = f" (epoch {state['epoch']})" if isinstance(state.get("epoch"), int) else ""
        return f"checkpoints/last.safetensors is passed over: {why}; going on from previous.safetensors{epoch}"

    def _keep_previous(self) -> None:
        """Make ``previous`` a second name of ``last``, unless ``last`` is known to be damaged or not known at all."""
        last, previous = self.path("last"), self.path("previous")
        if not last.exists() or (not self._last_is_sound and previous.exists() and not self.is_sound("last")):
            return
        with told(previous, "link"):
            # Renaming one of two names of a file to the other does nothing, and would leave the temporary name.
            if previous.exists() and previous.samefile(last):
                return
            _keep_as(last, previous)
            sync_folder(self.folder)

    def is_sound(self, name: str) -> bool:
        """Return whether a checkpoint is there and undamaged."""
        try:
            checkpoint.load(self.path(name))
        except RunError:
            return False
        return True


def _keep_as(last: Path, previous: Path) -> None:
    """Make ``previous`` name the file that ``last`` names, with no instant at which neither is there."""
    try:
        _link_as(last, previous)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        last.replace(previous)  # no hard links on this file system: until the new last is there, previous stands for it


def _link_as(last: Path, name: Path) -> None:
    """Make a name, which may be there, a second one of the last checkpoint."""
    temporary = temporary_beside(name)
    os.link(last, temporary, follow_symlinks=False)
    try:
        temporary.replace(name)
    except BaseException:
        with suppress(OSError):  # the first failure is the one to tell
            temporary.unlink(missing_ok=True)
        raise


def _without_history(found: tuple[dict[str, Array], dict[str, Any]]) -> tuple[dict[str, Array], dict[str, Any]]:
    arrays, state = found
    return {name: array for name, array in arrays.items() if name != HISTORY}, state
