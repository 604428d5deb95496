"""A run: one directory that holds everything about one training, of a documented form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nntrain.errors import NntrainError, RunError, escape, quote
from nntrain.explaining import explained, told_of
from nntrain.runs import plain_json
from nntrain.runs.environment import describe_environment
from nntrain.runs.evaluation import Evaluation, chosen_folder, place_of, read_evaluations, write_evaluation
from nntrain.runs.files import (
    append_file,
    csv_text,
    is_there,
    link_error,
    make_files,
    read_file,
    real_folder,
    remove_temporaries,
    replace_file,
)
from nntrain.runs.lock import RunLock, is_live
from nntrain.runs.naming import make_directory
from nntrain.runs.recorder import GRADIENTS, METRICS, TIMING, Recorder
from nntrain.runs.rows import LARGEST_ROWS, read_rows
from nntrain.user_files import typed

if TYPE_CHECKING:
    from nntrain.runs.store import CheckpointStore

RUN_FILE = "run.json"
CONFIG_FILE, SOURCE_FILE = "config.yaml", "source.yaml"
CHECKPOINTS = "checkpoints"
STATUSES = ("running", "finished", "early_stopped", "interrupted", "diverged", "failed")
LARGEST_RUN_FILE = 16 << 20


class Run:
    """A run directory.

    Made by :meth:`create`, which holds its lock until :meth:`close`, or by :meth:`open`, which reads only; to write
    into an existing run, hold its lock with :meth:`locked`.

    Attributes:
        path: the directory.
        info: what ``run.json`` holds, as of the last read or update.
        recorder: keeps the rows of each epoch.
        is_new: whether it was made by :meth:`create` and nothing has trained in it, so that its files are up to date.
    """

    def __init__(self, path: Path, info: dict[str, Any], lock: RunLock | None = None) -> None:
        self.path = path
        self.info = info
        self.is_new = False
        self._lock = lock or RunLock(path)
        self.recorder = Recorder(path)

    @classmethod
    def create(
        cls,
        name: str,
        runs_dir: str,
        run_dir: str | None,
        config_text: str,
        source_text: str | bytes,
        info: Mapping[str, Any],
    ) -> Self:
        """Make a run directory that holds ``config.yaml``, ``source.yaml`` and ``run.json``, and hold its lock.

        Args:
            name: of the run; the directory is ``<name>-<YYYYMMDD-HHMMSS>-<4 hex>``.
            runs_dir: the folder of runs, made where it is missing.
            run_dir: this exact directory instead, which must not exist; or None.
            config_text: the resolved config.
            source_text: the user's file as it was.
            info: further entries of ``run.json``: data, rows, threads, ...

        Raises:
            ConfigError: the name is no file name, or ``run_dir`` exists.
            ResourceError: the system refused, or ``run_dir`` is in use.
        """
        made: list[tuple[dict[str, Any], RunLock]] = []

        def fill(folder: Path, identity: str) -> Any:
            lock = RunLock(folder)
            lock.acquire()
            described = _describe(name, typed(identity), info)
            made.append((described, lock))
            source = source_text.encode("utf-8", "surrogateescape") if isinstance(source_text, str) else source_text
            real_folder(folder / CHECKPOINTS)
            described_text = plain_json.document(described)
            make_files(folder, {CONFIG_FILE: config_text.encode(), SOURCE_FILE: source, RUN_FILE: described_text})
            return lock.moved

        try:
            path = make_directory(name, runs_dir, run_dir, fill)
        except BaseException:
            for _, lock in made:
                with suppress(NntrainError):  # the directory is gone already
                    lock.release()
            raise
        described, lock = made[0]
        run = cls(path, described, lock)
        run.is_new = True
        if described["id"] != typed(path.name):  # the first name was taken
            run.update(id=typed(path.name))
        return run

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return a run to read.

        Raises:
            RunError: there is no run at ``path``, or its ``run.json`` is damaged.
        """
        place = Path(path)
        return cls(place, read_info(place))

    def check(self) -> None:
        """Refuse a ``run.json`` that a command cannot go on from.

        Raises:
            RunError: a key is missing, or holds something else than it must.
        """
        from nntrain.runs.record import check_record

        check_record(self.info, self.path / RUN_FILE)

    def is_whole(self) -> bool:
        """Return whether all that training leaves is there and sound: rows, checkpoints, or the runs of a parent."""
        repeats = self.info.get("repeats")
        if repeats is not None:
            folders = [self.path / repeats["kind"] / name for name in self.info.get("members", [])]
            return all(is_run(folder) and type(self).open(folder).is_whole() for folder in folders)
        store = self.checkpoints
        if not store.last_is_sound() or (self.info.get("best_epoch") is not None and not store.is_sound("best")):
            return False
        path = self.path / METRICS
        return (read_file(path, LARGEST_ROWS) if is_there(path) else b"") == self.recorder.history

    @cached_property
    def checkpoints(self) -> CheckpointStore:
        """Keeps checkpoints; only who wants one loads what arrays need."""
        from nntrain.runs.store import CheckpointStore

        return CheckpointStore(self.path / CHECKPOINTS, self.recorder)

    @property
    def name(self) -> str:
        """Name of the directory."""
        return self.path.resolve().name if self.path.name in ("", "..") else self.path.name

    @property
    def status(self) -> str:
        """The status; a run that says ``running`` with no process behind it was ``interrupted``."""
        status = str(self.info["status"])
        if status == "running" and not self._lock.held and not is_live(self.path):
            return "interrupted"
        return status

    @property
    def config_text(self) -> str:
        """Text of ``config.yaml``."""
        return read_file(self.path / CONFIG_FILE).decode("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and self.info["status"] == "running":
                self._say_how_it_ended(error)
        finally:
            self.close()

    @contextmanager
    def locked(self) -> Iterator[Self]:
        """Hold the lock, with ``info`` as it is now and the leftovers of dead writers removed.

        Raises:
            ResourceError: another process holds it.
        """
        self._lock.acquire()
        with self:
            known = self.info
            if self.refresh() != known:  # another process has trained since: what was read of checkpoints is of before
                self.__dict__.pop("checkpoints", None)
            for folder in (self.path, self.path / CHECKPOINTS):
                if folder.is_symlink() and folder != self.path:
                    raise link_error(folder)
                if folder.is_dir():
                    remove_temporaries(folder)
            yield self

    def close(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def refresh(self) -> dict[str, Any]:
        """Read ``run.json`` again and return it."""
        self.info = read_info(self.path)
        return self.info

    def update(self, **changes: Any) -> None:
        """Change entries of ``run.json``, which readers see all at once.

        Raises:
            ResourceError: the system refused, or the directory is gone.
        """
        info = {**self.info, **plain_json.plain(changes)}
        ended = info["status"] != "running"
        if "status" in changes:
            info["ended"] = _now() if ended else None
        replace_file(self.path / RUN_FILE, plain_json.document(info))
        self.info = info

    def write_config(self, text: str) -> None:
        """Replace ``config.yaml``: the run goes on with another config."""
        replace_file(self.path / CONFIG_FILE, text.encode())

    def notices(self) -> list[str]:
        """Mend what a crash left, where the lock is held, and return what was done in words."""
        state = self.checkpoints.look()
        found = list(self.checkpoints.notices)
        self.checkpoints.notices.clear()
        if state is None:
            return [*found, "no checkpoint yet, starting at epoch 1 with the stored seed"]
        epoch = state.get("epoch")
        return found + (self.recorder.truncate_to(epoch) if isinstance(epoch, int) else [])

    def log(self, message: str) -> None:
        """Append a line to ``log.txt``, with the time; whatever the message holds stays on this one line."""
        append_file(self.path / "log.txt", f"{_now()} {escape(message)}\n".encode(), durable=False)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the rows of ``metrics.jsonl``."""
        return read_rows(self.path / METRICS)

    def read_timing(self) -> list[dict[str, Any]]:
        """Return the rows of ``timing.jsonl``."""
        return read_rows(self.path / TIMING)

    def read_gradients(self) -> list[dict[str, Any]]:
        """Return the rows of ``gradients.jsonl``."""
        return read_rows(self.path / GRADIENTS)

    def read_evaluations(self) -> list[Evaluation]:
        """Return the evaluations of the run."""
        return read_evaluations(self.path)

    def write_evaluation(
        self,
        csv: str,
        checkpoint: str,
        document: Mapping[str, Any],
        predictions: Mapping[str, Sequence[Any]],
        folder: str | None = None,
    ) -> Path:
        """Write an evaluation into the run, or into ``folder``, and return where it lies.

        Args:
            csv: path of the CSV as the user typed it.
            checkpoint: ``best`` or ``last``.
            document: what ``metrics.json`` shall hold, with ``sha256`` of the CSV.
            predictions: columns by name.
            folder: where the user wants it, or None.
        """
        place = place_of(self.path, csv, checkpoint, document["sha256"]) if folder is None else chosen_folder(folder)
        return write_evaluation(place, document, predictions)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file into the run directory."""
        replace_file(self.path / name, plain_json.document(value))

    def write_csv(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write columns as a CSV file into the run directory."""
        replace_file(self.path / name, csv_text(columns).encode("utf-8", "surrogateescape"))

    def _say_how_it_ended(self, error: BaseException) -> None:
        if isinstance(error, Exception) or explained(error) is not None:
            status, reason = "failed", told_of(error).problems[0].line_of_text
        else:  # Ctrl-C and its kin
            status, reason = "interrupted", "stopped at once"
        with suppress(NntrainError):  # a full disk is often why it ended; the error under way says more
            self.update(status=status, stop_reason=reason)
            self.log(f"{status}: {reason}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _describe(name: str, identity: str, info: Mapping[str, Any]) -> dict[str, Any]:
    first = {"id": identity, "name": name, "status": "running", "stop_reason": None, "created": _now(), "ended": None}
    described: dict[str, Any] = plain_json.plain({**first, **describe_environment(), **info})
    return described


def is_run(folder: Path) -> bool:
    """Return whether a directory claims to be a run: it holds a ``run.json``.

    Raises:
        ResourceError: it may not be looked into.
    """
    return is_there(folder / RUN_FILE)


def read_info(folder: Path) -> dict[str, Any]:
    """Return what a run's ``run.json`` holds.

    Raises:
        RunError: there is none, or it is damaged.
        ResourceError: the system refused.
    """
    path = folder / RUN_FILE
    if not is_run(folder):
        raise RunError("not a run directory: it holds no run.json", path=str(folder))
    try:
        info = plain_json.parse(read_file(path, LARGEST_RUN_FILE))
    except ValueError as error:
        raise RunError(f"not sound JSON: {quote(str(error))}", path=str(path)) from None
    if not isinstance(info, dict) or info.get("status") not in STATUSES or not isinstance(info.get("created"), str):
        raise RunError("expected a mapping with status and created", path=str(path))
    return info
