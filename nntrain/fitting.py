"""One training in one run directory: from the first epoch or on from a checkpoint, to the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nntrain.config.dump import dump_yaml
from nntrain.config.schema import Config
from nntrain.core.array import Array
from nntrain.errors import NumericError, RunError
from nntrain.experiment import Experiment
from nntrain.explaining import explained
from nntrain.inference import describe_model, model_arrays
from nntrain.metrics.defaults import with_standard_metrics
from nntrain.runs.record import origin_of, refuse_foreign
from nntrain.runs.run import Run
from nntrain.train.snapshot import Snapshot, prefixed, under
from nntrain.train.state import TrainState
from nntrain.train.trainer import Observer, Trainer


@dataclass
class Checkpoints:
    """Writes a trainer's snapshots into a run: the best weights first, then the last state, then the rows.

    ``last`` holds the best weights too, so that a run that goes on from it has them even where ``best`` on the disk
    belongs to a later epoch that was lost.
    """

    run: Run
    experiment: Experiment
    _best_written: int | None = None
    _model: dict[str, Any] = field(init=False)
    _arrays: dict[str, Array] = field(init=False)
    _origin: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._model, self._arrays = describe_model(self.experiment), model_arrays(self.experiment)
        self._origin = origin_of(self.run.info)

    def save_best(self, snapshot: Snapshot) -> None:
        best = snapshot.state["train"]["best"]
        if best["epoch"] is not None and best["epoch"] != self._best_written:
            self.run.checkpoints.save_best(*self._best(snapshot, best))
            self._best_written = best["epoch"]
        self.run.recorder.commit()

    def save(self, snapshot: Snapshot) -> None:
        self.save_best(snapshot)
        train = snapshot.state["train"]
        state = {"epoch": train["epoch"], "model": self._model, "origin": self._origin, **snapshot.state}
        self.run.checkpoints.save_last({**self._arrays, **snapshot.arrays}, state)
        self.run.checkpoints.keep_last(train["step"], self.experiment.config.checkpoint.keep)

    def _best(self, snapshot: Snapshot, best: dict[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
        weights = prefixed("weights", under("best", snapshot.arrays))
        told = {"epoch": best["epoch"], "value": best["value"], "model": self._model, "origin": self._origin}
        return {**self._arrays, **weights}, told


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        best: row of ``metrics.jsonl`` of the best epoch, empty where there is none.
        test: loss and metrics of the test part with the best weights, or None where there is no such part.
        error: why training failed numerically, or None.
    """

    run: Run
    state: TrainState
    best: dict[str, Any]
    test: dict[str, Any] | None
    error: NumericError | None = None


def train(
    experiment: Experiment,
    run: Run,
    observer: Callable[[Trainer], Observer],
    interrupted: Callable[[], str | None],
) -> Outcome:
    """Train an experiment in a run directory, from its checkpoint where it has one.

    Args:
        observer: makes what watches the run, once the trainer stands where it begins.
        interrupted: returns why the run shall end now, or None.
    """
    store = Checkpoints(run, experiment)
    watched = _Late()
    trainer = experiment.trainer(run.recorder, store, watched, interrupted)
    resume(trainer, run)
    watched.observer = observer(trainer)
    if not run.is_new:
        note_config(run, experiment, trainer.state.epoch)
    run.is_new = False
    state = trainer.state
    run.log(f"goes on after epoch {state.epoch}, step {state.step}" if state.step else "training begins")
    for notice in experiment.notices:
        run.log(notice)
    error = None
    try:
        state = trainer.fit()
    except NumericError as raised:
        state, error = trainer.state, raised
    finally:
        trainer.close()
    test = None
    if error is None and state.status != "interrupted" and experiment.prepared.test is not None:
        test = judge_test(experiment, trainer)
    return _conclude(run, state, test, error)


def note_config(run: Run, experiment: Experiment, epoch: int | None = None) -> None:
    """Write the config a run goes on with after an epoch, where it is another: with more epochs, for instance."""
    text, changes = config_text(experiment.config, experiment), {}
    if text != run.config_text:
        run.write_config(text)
        if epoch is not None:
            changes["config_changed_after"] = [*run.info.get("config_changed_after", []), epoch]
    plugins, epochs = experiment.plugins, experiment.config.epochs
    run.update(status="running", stop_reason=None, epochs=epochs, plugins=plugins, **changes)


class _Late:
    """Stands for an observer that is made after the trainer it watches."""

    observer: Observer

    def updated(self) -> None:
        self.observer.updated()

    def epoch_ended(self, row: Any) -> None:
        self.observer.epoch_ended(row)


def resume(trainer: Trainer, run: Run) -> None:
    """Put a trainer where the run's last good checkpoint is; leave it at the start where there is none."""
    loaded = run.checkpoints.load_last()
    if loaded is None:
        run.recorder.truncate_to(0)
        return
    put_at(trainer, loaded, run)
    run.recorder.truncate_to(trainer.state.epoch)


def put_at(trainer: Trainer, checkpoint: tuple[dict[str, Array], dict[str, Any]], run: Run) -> None:
    """Put a trainer where a checkpoint of a run is.

    Raises:
        RunError: it is not one of this config.
    """
    arrays, state = checkpoint
    refuse_foreign(run.info, state, run.checkpoints.folder)
    try:
        trainer.load(Snapshot(dict(arrays), dict(state)))
    except (LookupError, TypeError, AttributeError) as error:
        lacking = RunError(f"the checkpoint lacks what training goes on from ({error})", path=str(run.path))
        raise explained(error) or lacking from None
    except ValueError as error:
        other = RunError(
            f"the checkpoint does not fit this config: {error}",
            path=str(run.path),
            help="go on with the config the run has (nntrain fit --resume alone), or train a new run",
        )
        raise explained(error) or other from None


def judge_test(experiment: Experiment, trainer: Trainer) -> dict[str, Any]:
    """Return loss and all standard metrics of the test part with the best weights, and why any is undefined."""
    part = experiment.prepared.test
    assert part is not None
    network = experiment.network
    kept = {name: value.copy() for name, value in network.state().items()}
    if trainer.best:
        network.load_state(trainer.best)
    evaluator = experiment.evaluator()
    evaluator.metrics = with_standard_metrics(experiment.task, experiment.metrics)
    judged = evaluator.judged(part)
    network.load_state(kept)
    undefined = {"undefined": judged.reasons} if judged.reasons else {}
    return {"rows": len(part), "loss": judged.loss, **judged.metrics, **undefined}


def _conclude(run: Run, state: TrainState, test: dict[str, Any] | None, error: NumericError | None) -> Outcome:
    """Write the run's end into run.json."""
    best = run.recorder.row(state.best.epoch)
    run.update(
        status=state.status,
        stop_reason=state.stop_reason,
        failed_step=None if error is None else error.step,
        epoch=state.epoch,
        best_epoch=state.best.epoch,
        metrics={"best": best, "last": run.recorder.row(state.epoch)},
        test=test,
    )
    run.log(f"{state.status}: {state.stop_reason}")
    return Outcome(run, state, best, test, error)


def outcome_of(run: Run) -> Outcome:
    """Return how a training ended that is complete already."""
    info = run.info
    state = TrainState(epoch=info["epoch"], status=info["status"], stop_reason=info["stop_reason"])
    state.best.epoch = info["best_epoch"]
    return Outcome(run, state, info["metrics"]["best"], info["test"])


def config_text(config: Config, experiment: Experiment) -> str:
    """Return ``config.yaml``: resolved, with the loss and metrics that followed the task, and with whole paths."""
    return dump_yaml(complete_config(config, experiment))


def complete_config(config: Config, experiment: Experiment) -> dict[str, Any]:
    """Return all keys of a config with the values that an experiment gave to those that follow the data."""
    metrics = list(experiment.metric_specs.values())
    return {**config.resolved(absolute_paths=True), "loss": experiment.loss_spec, "metrics": metrics}
