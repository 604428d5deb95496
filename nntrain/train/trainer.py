"""The training loop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nntrain.core.arithmetic import in_training
from nntrain.core.array import Array
from nntrain.data.batches import Dataset
from nntrain.errors import NumericError
from nntrain.train.callbacks.base import Callback, EpochRow, tell
from nntrain.train.evaluation import Evaluator
from nntrain.train.gradient_watch import GradientWatch
from nntrain.train.monitor import Mode, is_better
from nntrain.train.snapshot import Snapshot, restore, take
from nntrain.train.state import EpochSums, TrainState
from nntrain.train.supervised import Supervised


class Recorder(Protocol):
    """What keeps the rows of each epoch."""

    def epoch(self, metrics: Mapping[str, Any], timing: EpochRow) -> None:
        """Take the rows of a completed epoch."""

    def gradients(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take the gradient rows of a completed epoch, one a layer."""


class CheckpointStore(Protocol):
    """What keeps checkpoints."""

    def save(self, snapshot: Snapshot) -> None:
        """Write a snapshot, and with it all rows recorded so far."""

    def save_best(self, snapshot: Snapshot) -> None:
        """Write only the best weights of a snapshot, and all rows recorded so far."""


class Observer(Protocol):
    """What watches the run go by: a progress bar."""

    def updated(self) -> None:
        """See an update."""

    def epoch_ended(self, row: EpochRow) -> None:
        """See the row of a completed epoch."""


class Trainer:
    """Trains until the epochs are over, a callback ends the run, or an interruption is asked for.

    Args:
        step: makes one update, of batches it has.
        evaluator: judges training outputs and the validation part.
        epochs: when to end.
        callbacks: told of each epoch, in order.
        monitor: column of ``metrics.jsonl`` by which an epoch is the best.
        mode: whether the smallest or the largest is best.
        accumulate: batches of an update.
        every_seconds: longest time between two checkpoints.
        every_epochs: epochs between two checkpoints, or None.
        interrupted: returns why the run shall end now, or None.
    """

    def __init__(
        self,
        step: Supervised,
        evaluator: Evaluator,
        *,
        epochs: int,
        recorder: Recorder,
        store: CheckpointStore,
        observer: Observer,
        callbacks: Sequence[Callback] = (),
        monitor: str = "train_loss",
        mode: Mode = "min",
        accumulate: int = 1,
        every_seconds: float = 30.0,
        every_epochs: int | None = None,
        interrupted: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.step, self.evaluator = step, evaluator
        self.loader, self.validation = step.replicas.loader, step.replicas.validation
        self.epochs, self.callbacks, self.monitor, self.mode = epochs, callbacks, monitor, mode
        self.recorder, self.store, self.observer, self.interrupted = recorder, store, observer, interrupted
        self.accumulate, self.every_seconds, self.every_epochs = accumulate, every_seconds, every_epochs
        self.state = TrainState()
        self.updates_per_epoch = -(-self.loader.batch_count // accumulate)
        self.outputs = step.replicas.outputs
        self.best: dict[str, Array] = {}
        self.watch = GradientWatch(step.network)
        self._gradients: list[dict[str, Any]] = []

    def fit(self) -> TrainState:
        """Train to the end, save, and return the state.

        Raises:
            NumericError: a loss or gradient is not finite; the best weights so far have been saved.
        """
        state = self.state
        self.step.optimizer.schedule.bind(self.updates_per_epoch, self.epochs)
        self._saved_at, self._train_seconds = time.perf_counter(), 0.0
        # Overflow shows as a loss or gradient that is not finite, which the step looks for at every update.
        with in_training():
            try:
                self._run()
            except NumericError:
                self._save()
                raise
        self._save()
        return state

    def _run(self) -> None:
        state = self.state
        while state.status == "running":
            if state.epoch >= self.epochs:
                state.stop("finished", f"all {self.epochs} epochs are done")
            elif self._train_epoch():
                self._end_epoch()

    def load(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        restore(self, snapshot)

    def close(self) -> None:
        """End the worker threads."""
        self.step.replicas.close()

    def _train_epoch(self) -> bool:
        """Make the epoch's updates that are still to make; return whether the epoch is complete."""
        state = self.state
        started = time.perf_counter()
        self.step.replicas.begin_epoch(state.epoch + 1)
        if state.update == 0:
            state.sums = EpochSums()
        while state.update < self.updates_per_epoch:
            reason = self.interrupted()
            if reason is not None:
                state.stop("interrupted", reason)
                return False
            self._update()
            self.observer.updated()
            if state.update < self.updates_per_epoch and self._is_save_due():
                self._train_seconds += time.perf_counter() - started
                self._save()
                started = time.perf_counter()
        self._train_seconds += time.perf_counter() - started
        return True

    def next_batches(self) -> tuple[int, int]:
        """Return the numbers in the epoch of the next update's first batch, and of the one after its last."""
        first = self.state.update * self.accumulate
        return first, min(first + self.accumulate, self.loader.batch_count)

    def next_rate(self) -> float:
        """Return the learning rate of the next update."""
        return self.step.optimizer.schedule.rate_at(self.state.step) * self.state.rate_factor

    def _update(self) -> None:
        state = self.state
        first, last = self.next_batches()
        start, end = self.loader.bounds(first)[0], self.loader.bounds(last - 1)[1]
        learning_rate = self.next_rate()
        watch = self.watch if state.update + 1 == self.updates_per_epoch else None
        try:
            labels = self.loader.labels_between(start, end)
            update = self.step.update(state.step + 1, first, last, labels, learning_rate, watch)
        except NumericError as error:
            raise self._located(error, first, last, learning_rate) from None
        if watch is not None:
            self._gradients = watch.after()
        state.sums.loss += update.loss
        state.sums.weight += self.loader.weight_between(start, end)
        state.sums.gradient_norm += update.gradient_norm
        state.sums.updates += 1
        state.learning_rate = learning_rate
        state.update += 1
        state.step += 1

    def _end_epoch(self) -> None:
        state = self.state
        started = time.perf_counter()
        self._refuse_spoilt_weights()
        row, undefined = self._row(state.epoch + 1)
        state.epoch += 1
        if is_better(row.get(self.monitor), state.best.value, self.mode):
            state.best.epoch, state.best.value = state.epoch, row[self.monitor]
            self._keep_best()
        for callback in self.callbacks:
            tell(callback, row, state)
        told = {**row, "undefined": undefined} if undefined else row
        self.recorder.epoch(told, self._timing(time.perf_counter() - started))
        self.recorder.gradients([{"epoch": state.epoch, **layer} for layer in self._gradients])
        self.observer.epoch_ended(row)
        self._train_seconds = 0.0
        state.update, state.sums = 0, EpochSums()
        if self._is_save_due() or (self.every_epochs and state.epoch % self.every_epochs == 0):
            self._save()

    def _keep_best(self) -> None:
        """Remember the weights as the best so far."""
        if not self.best:
            self.best = {name: value.copy() for name, value in self.step.network.state().items()}
            return
        for name, value in self.step.network.state().items():
            np.copyto(self.best[name], value)

    def _row(self, epoch: int) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the epoch's row of ``metrics.jsonl``, and why a value is undefined, by its column."""
        state, sums = self.state, self.state.sums
        row: dict[str, Any] = {"epoch": epoch, "step": state.step, "learning_rate": state.learning_rate}
        row["train_loss"] = sums.loss / sums.weight if sums.weight else None
        reasons: dict[str, str] = {}
        train_metrics: dict[str, float | None] = {}
        if self.outputs is not None:
            data, order = self.loader.dataset, self.loader.order
            judged_outputs, answers = data.judged(self.outputs, order), data.answers(order)
            train_metrics, undefined = self.evaluator.metric_values(judged_outputs, answers)
            reasons |= {f"train_{name}": reason for name, reason in undefined.items()}
        if self.validation is not None:
            outputs = self.step.replicas.validation_outputs(self.evaluator)
            judged = self.evaluator.judge(self.validation.judged(outputs), self.validation.labels())
            if judged.loss is not None and not math.isfinite(judged.loss):
                raise self._spoilt_validation(judged.loss, epoch, self.validation, outputs)
            row["val_loss"] = judged.loss
        row |= {f"train_{name}": value for name, value in train_metrics.items()}
        if self.validation is not None:
            row |= {f"val_{name}": value for name, value in judged.metrics.items()}
            reasons |= {f"val_{name}": reason for name, reason in judged.reasons.items()}
        row["gradient_norm"] = sums.gradient_norm / max(1, sums.updates)
        return {name: value if _is_number(value) else None for name, value in row.items()}, reasons

    def _refuse_spoilt_weights(self) -> None:
        """End the run where the epoch's last update has made a weight overflow, which no loss has shown yet."""
        spoilt = self.step.spoilt()
        if spoilt is not None:
            error = self._diverged(f"{spoilt} after epoch {self.state.epoch + 1}")
            error.step = self.state.step  # by then at the latest
            raise error

    def _spoilt_validation(self, loss: float, epoch: int, data: Dataset, outputs: Array) -> NumericError:
        """Return the error that ends the run before its epoch counts, with the lines of the rows to blame."""
        labels = data.labels()
        rows = labels.rows[~np.isfinite(self.evaluator.loss.rows(data.judged(outputs), labels.target))]
        notes = [f"the rows: {data.describe(rows)}"] if len(rows) else []
        return self._diverged(f"the validation loss became {loss} at epoch {epoch}", notes)

    def _diverged(self, reason: str, notes: Sequence[str] = (), learning_rate: float | None = None) -> NumericError:
        self.state.stop("diverged", reason)
        rate = self.state.learning_rate if learning_rate is None else learning_rate
        return NumericError(reason, help=_REMEDY, notes=[*notes, f"the learning rate was {rate:.3g}"])

    def _timing(self, eval_seconds: float) -> dict[str, Any]:
        return {
            "epoch": self.state.epoch,
            "train_seconds": self._train_seconds,
            "eval_seconds": eval_seconds,
            "rows_per_second": len(self.loader.dataset) / max(self._train_seconds, 1e-9),
            "peak_memory_bytes": peak_memory_bytes(),
        }

    def _is_save_due(self) -> bool:
        return time.perf_counter() - self._saved_at > self.every_seconds

    def _save(self) -> None:
        """Save the state; only the best weights where the last update has spoilt it, so that a good one stays."""
        save = self.store.save if self.step.spoilt() is None else self.store.save_best
        save(take(self))
        self._saved_at = time.perf_counter()

    def _located(self, error: NumericError, first: int, last: int, learning_rate: float) -> NumericError:
        """Return the error of an update with its epoch, batches, learning rate and the lines of its rows."""
        batches = f"batch {last}" if last - first == 1 else f"batches {first + 1} to {last}"
        rows = self.loader.describe_rows(self.loader.bounds(first)[0], self.loader.bounds(last - 1)[1])
        reason = f"{error.problems[0].message} at epoch {self.state.epoch + 1}, {batches}"
        located = self._diverged(reason, [f"the rows: {rows}"], learning_rate)
        located.step = self.state.step + 1
        return located


_REMEDY = "lower optimizer.learning_rate, clip gradients (gradient_clipping: {norm: 1.0}), or scale the data"


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def peak_memory_bytes() -> int | None:
    """Return the largest resident memory of the process so far, or None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    # Linux counts in kilobytes, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
