"""One update of a run, made again from the nearest checkpoint, with a look at every number in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nntrain.core.arithmetic import in_training
from nntrain.errors import ConfigError, NumericError, RunError
from nntrain.experiment import Experiment
from nntrain.fitting import put_at
from nntrain.runs.run import Run
from nntrain.train.ranges import LayerRanges, ParameterRanges, examine
from nntrain.train.snapshot import Snapshot
from nntrain.train.trainer import Observer, Trainer


@dataclass(frozen=True, slots=True)
class Replay:
    """An update that was made again.

    Attributes:
        step: its number in the run, from 1.
        epoch: it belongs to, from 1.
        batches: numbers of its first and last batch in the epoch, from 1.
        resumed_at: update of the checkpoint it was reached from; 0 where that was the start.
        rows: the lines of its rows, in words.
        loss: mean over its labels, None where it is not finite.
        gradient_norm: before clipping, None where it is not finite.
        layers: in the order of the network.
        parameters: in the order of the network.
        watched: rows of ``gradients.jsonl`` for this update; empty where it failed.
        failure: why the update fails, or None.
    """

    step: int
    epoch: int
    batches: tuple[int, int]
    resumed_at: int
    learning_rate: float
    rows: str
    loss: float | None
    gradient_norm: float | None
    layers: Sequence[LayerRanges]
    parameters: Sequence[ParameterRanges]
    watched: Sequence[Mapping[str, Any]]
    failure: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the update as plain values."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["layers"] = [_plain(each) for each in self.layers]
        plain["parameters"] = [_plain(each) for each in self.parameters]
        return plain


class _Nowhere:
    """Takes rows, checkpoints and what is seen, and keeps nothing: the run's own files stay as they are."""

    def updated(self) -> None:
        pass

    def epoch_ended(self, row: Any) -> None:
        pass

    def epoch(self, metrics: Any, timing: Any) -> None:
        pass

    def gradients(self, rows: Any) -> None:
        pass

    def save(self, snapshot: Snapshot) -> None:
        pass

    def save_best(self, snapshot: Snapshot) -> None:
        pass


def replay(
    experiment: Experiment,
    run: Run,
    step: int,
    observer: Callable[[Trainer], Observer],
    until: Callable[[int], Callable[[], str | None]],
) -> Replay | None:
    """Return one update of a run, made again; None where training up to it was interrupted.

    Args:
        experiment: of the run.
        run: it is only read.
        step: number of the update, from 1.
        observer: makes what watches the updates up to it.
        until: makes what asks to stop after so many updates, or when a signal has come.

    Raises:
        ConfigError: the run makes no such update.
        NumericError: an update before it fails.
    """
    nowhere = _Nowhere()
    trainer = experiment.trainer(nowhere, nowhere, nowhere, lambda: None)
    checkpoint = _nearest(run, step)
    if checkpoint is not None:
        put_at(trainer, checkpoint, run)
    resumed_at = trainer.state.step
    trainer.observer, trainer.interrupted = observer(trainer), until(step - 1 - resumed_at)
    try:
        state = trainer.fit()
        if state.step < step - 1 and state.status == "interrupted":
            return None
        if state.step < step - 1 or state.status != "interrupted":
            raise ConfigError(f"--step {step}: the run ends after update {state.step} ({state.stop_reason})")
        with in_training():
            return _made(trainer, resumed_at)
    finally:
        trainer.close()


def _nearest(run: Run, step: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the newest sound checkpoint from before an update, or None."""
    for name in ("last", "previous"):
        try:
            found = run.checkpoints.load(name)
        except RunError:  # missing or damaged: an older one, or the start, leads there too
            continue
        if found[1]["train"]["step"] < step:
            return found
    return None


def _made(trainer: Trainer, resumed_at: int) -> Replay:
    """Return the next update of a trainer, made."""
    state, replicas, loader = trainer.state, trainer.step.replicas, trainer.loader
    step, rate = state.step + 1, trainer.next_rate()
    first, last = trainer.next_batches()
    replicas.begin_epoch(state.epoch + 1)
    start, end = loader.bounds(first)[0], loader.bounds(last - 1)[1]
    rows = loader.describe_rows(start, end)
    layers, parameters = examine(replicas, step, first, last)
    loss = norm = failure = None
    watched: list[dict[str, Any]] = []
    try:
        update = trainer.step.update(step, first, last, loader.labels_between(start, end), rate, trainer.watch)
        loss, norm = update.loss / loader.weight_between(start, end), update.gradient_norm
        watched = trainer.watch.after()
        failure = trainer.step.spoilt()
    except NumericError as error:
        failure = error.problems[0].message
    epoch, batches = state.epoch + 1, (first + 1, last)
    return Replay(
        step, epoch, batches, resumed_at, rate, rows, loss, norm, layers, parameters, watched, failure
    )  # fmt: skip


def _plain(ranges: LayerRanges | ParameterRanges) -> dict[str, Any]:
    own = {name: value for name, value in asdict(ranges).items() if not isinstance(value, dict)}
    return own | {name: getattr(ranges, name).as_json() for name in asdict(ranges) if name not in own}
