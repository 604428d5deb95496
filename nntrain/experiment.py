"""The one assembly point: a config becomes data, a network, a training step and a trainer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nntrain import footprint
from nntrain.agreement import check_codes, check_loss, check_metrics, check_outputs
from nntrain.config.pending import refuse_pending
from nntrain.config.schema import Config
from nntrain.config.specs import complete_spec
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.gathering import Gathering
from nntrain.idle import idle_notices
from nntrain.losses.base import LOSSES, Loss, default_loss
from nntrain.metrics.base import Metric
from nntrain.metrics.defaults import default_metrics
from nntrain.models.build import FeatureLayout, build_network
from nntrain.optim.base import OPTIMIZERS
from nntrain.optim.clipping import Clipping
from nntrain.optim.regularization import Regularization
from nntrain.planning import (
    Plan,
    build_callbacks,
    build_metrics,
    check_output_activation,
    data_options,
    errors_placed,
    memory_placed,
    name_specs,
    plan,
)
from nntrain.registry import placed_specs
from nntrain.train.callbacks.base import Callback
from nntrain.train.callbacks.early_stopping import Patience
from nntrain.train.evaluation import Decode, Evaluator
from nntrain.train.monitor import Mode
from nntrain.train.replicas import Replicas
from nntrain.train.supervised import Supervised
from nntrain.train.trainer import CheckpointStore, Observer, Recorder, Trainer

if TYPE_CHECKING:
    from nntrain.data.preparation import Prepared


@dataclass
class Experiment:
    """A config's data, network and everything that trains it.

    Attributes:
        loss_spec: the loss as a complete spec, the default of the task where the config names none.
        metrics: by name, the task's defaults where the config names none.
        metric_specs: the same as specs, by name.
        decode: maps predicted values to the target's own units.
        idle: warnings of keys of the config that have no effect.
    """

    config: Config
    prepared: Prepared
    network: Network
    loss: Loss
    loss_spec: str | dict[str, Any]
    metrics: dict[str, Metric]
    metric_specs: dict[str, str | dict[str, Any]]
    decode: Decode
    idle: list[str]

    def first_batch_alone(self) -> Experiment:
        """Return the same with the first batch of epoch 1 as all there is to train on, and nothing to judge by.

        Whatever stops or slows a training is left out: a network that can learn fits these few rows.
        """
        loader = self.prepared.loader(self.config.batch_size, self.config.seed)
        loader.begin(1)
        rows = loader.order[slice(*loader.bounds(0))]
        train = self.prepared.train.subset(rows).replace(augmentation=None)
        prepared = dataclasses.replace(self.prepared, train=train, validation=None, test=None)
        checkpoint = self.config.checkpoint.model_copy(update={"monitor": None})
        changes: dict[str, Any] = {"early_stopping": None, "callbacks": [], "accumulate": 1, "checkpoint": checkpoint}
        return dataclasses.replace(self, prepared=prepared, config=self.config.model_copy(update=changes))

    @property
    def task(self) -> Task:
        return self.prepared.task

    @property
    def plugins(self) -> list[dict[str, Any]]:
        """What a run remembers of the plug-ins that the config names."""
        if not self.config.plugins:
            return []
        from nntrain.plugins import records

        return records(self.config.plugins)

    @property
    def default_monitor(self) -> str:
        """The column that decides which epoch is the best where the config names none."""
        return "train_loss" if self.prepared.validation is None else "val_loss"

    @property
    def monitor(self) -> str:
        """The column that decides which epoch is the best."""
        return self.config.checkpoint.monitor or self.default_monitor

    def evaluator(self) -> Evaluator:
        """Return what judges the network."""
        return Evaluator(self.network, self.loss, self.metrics, self.decode)

    def trainer(
        self, recorder: Recorder, store: CheckpointStore, observer: Observer, interrupted: Callable[[], str | None]
    ) -> Trainer:
        """Return the trainer, at the start of epoch 1."""
        config = self.config
        return Trainer(
            self.step(),
            self.evaluator(),
            epochs=config.epochs,
            recorder=recorder,
            store=store,
            observer=observer,
            callbacks=self.callbacks(),
            monitor=self.monitor,
            mode=direction_of(self.monitor, self.metrics),
            accumulate=config.accumulate,
            every_seconds=config.checkpoint.every_seconds,
            every_epochs=config.checkpoint.every_epochs,
            interrupted=interrupted,
        )

    def step(self) -> Supervised:
        """Return the training step: batches, replicas, optimizer, clipping and penalties."""
        config = self.config
        clipping = None if config.gradient_clipping is None else Clipping(**config.gradient_clipping.model_dump())
        penalties = {} if config.regularization is None else config.regularization.model_dump()
        regularization = Regularization(self.network.store, **penalties) if any(penalties.values()) else None
        return Supervised(
            Replicas(
                self.network,
                self.loss,
                self.prepared.loader(config.batch_size, config.seed, self.shards),
                self.prepared.validation,
                OPTIMIZERS.build(config.optimizer),
                clipping,
                regularization,
                config.threads,
                keeps_outputs=bool(self.metrics),
            )
        )

    @property
    def notices(self) -> list[str]:
        """What is worth knowing before training: of the data, and of the config now that the data are known."""
        size, rows = self.config.batch_size, len(self.prepared.train)
        told = [*self.prepared.notices, *self.idle]
        # Below the default size a small table needs no telling: nobody chose it.
        if not isinstance(size, str) and size > rows and "batch_size" not in self.config.defaulted:
            few = f"batch_size {size:,} is more than the {rows:,} training {self.prepared.summary.unit}"
            told.append(f"warning: {few}, so an epoch is one batch; batch_size: full says so")
        return told

    @property
    def largest_batch(self) -> int:
        """Examples in the largest batch of an epoch."""
        return footprint.largest_batch(self.config, len(self.prepared.train))

    @property
    def shards(self) -> int:
        """How many parts a batch is cut into."""
        return footprint.shards_of(self.config, self.network, self.largest_batch)

    def memory_bytes(self) -> int:
        """Return about how much memory training takes: weights and their like, a batch's activations, the data.

        Raises:
            ConfigError: a pass of a few rows, which tells, takes more memory than the machine has.
            ResourceError: it takes more than there is for this process.
        """
        with errors_placed(self.config, "architecture"), memory_placed(self.config):
            return footprint.estimated_bytes(self.config, self.prepared, self.network)

    def callbacks(self) -> list[Callback]:
        """Return the callbacks, with their directions known."""
        built = build_callbacks(self.config)
        for callback in built:
            if isinstance(callback, Patience):
                callback.monitor = callback.monitor or self.default_monitor
                callback.mode = (
                    direction_of(callback.monitor, self.metrics) if callback.mode == "auto" else callback.mode
                )
        return built


def direction_of(monitor: str, metrics: dict[str, Metric]) -> Mode:
    """Return whether a monitored column is best at its smallest or at its largest.

    >>> from nntrain.metrics.base import METRICS
    >>> direction_of("val_loss", {}), direction_of("val_accuracy", {"accuracy": METRICS.build("accuracy")})
    ('min', 'max')
    """
    metric = metrics.get(monitor.removeprefix("train_").removeprefix("val_"))
    return "max" if metric is not None and metric.higher_is_better else "min"


def assemble(config: Config, fold: int | None = None) -> Experiment:
    """Return the experiment of a config: reads and prepares the data, builds the network.

    Args:
        config: complete and valid in itself.
        fold: which of ``data.folds`` is held out, from 0.

    Raises:
        ConfigError: parts of the config do not fit each other or the data.
        DataError: a file or column is missing or unusable.
    """
    from nntrain.data.preparation import checked

    checks = Gathering()
    with checks.next():
        refuse_pending(config)
    with checks.next():
        planned = plan(config)
    with checks.next(), errors_placed(config, "data"):
        checked(data_options(config), config.resolve_path)
    checks.end()
    if config.plugins and planned.loss is not None and config.data.task == "auto":
        from nntrain.trial import try_task

        try_task(planned.loss)
    with checks.next(), errors_placed(config, "data"):
        prepared = _data_of(planned, fold)
    checks.end()
    # Complete specs, so that a config which spells its defaults out gives the same checkpoint.
    loss_spec = _complete("loss", planned.loss_spec or default_loss(prepared.task))
    loss = planned.loss or LOSSES.build(loss_spec)
    with checks.next():
        check_loss(config, loss, loss_spec, prepared)
        loss.build(prepared.task)
        check_outputs(config, loss.outputs(prepared.task))
        check_output_activation(config, loss)
    metric_specs = default_metrics(prepared.task) if config.metrics is None else config.metrics
    specs = name_specs([_complete("metric", spec) for spec in metric_specs])
    metrics = planned.metrics if planned.metrics is not None else build_metrics(specs)
    with checks.next():
        check_metrics(config, metrics, prepared)
    checks.end()
    layout = FeatureLayout.of(prepared.preprocessing.form)
    if config.plugins:
        from nntrain.trial import try_outputs

        try_outputs(loss, prepared.task)
    with errors_placed(config, "architecture"), memory_placed(config):
        network = build_network(
            planned.architecture,
            layout,
            loss,
            prepared.task,
            placed_specs(config.output_activation, ("output_activation",)),
            config.seed,
            lambda network: footprint.refuse_too_large_training(config, prepared, network),
        )
    check_codes(config, network, prepared)
    if config.plugins:
        _try(config, network, loss, prepared)
    kinds = prepared.preprocessing.form.kinds
    idle = idle_notices(config, prepared.task, kinds, layout, len(prepared.train))
    return Experiment(config, prepared, network, loss, loss_spec, metrics, specs, prepared.preprocessing.decode, idle)


def _data_of(planned: Plan, fold: int | None) -> Prepared:
    """Return the data of a planned config, as its loss and architecture take them."""
    from nntrain.data.preparation import prepare

    config, loss = planned.config, planned.loss
    return prepare(
        data_options(config),
        config.resolve_path,
        config.seed,
        task_hint=None if loss is None else loss.implied_task,
        scales_target=loss is None or loss.allows_target_scaling,
        fold=fold,
        class_weight=config.class_weight,
        reconstructs=planned.architecture.reconstructs,
        stream=config.stream,
    )


def _try(config: Config, network: Network, loss: Loss, prepared: Prepared) -> None:
    """Let what plug-ins have put into an experiment work on next to nothing."""
    from nntrain.trial import try_callbacks, try_layers, try_loss, try_optimizer

    try_layers(network)
    try_loss(loss, prepared.train.labels().target)
    try_optimizer(OPTIMIZERS.build(config.optimizer), config.epochs)
    try_callbacks(build_callbacks(config))


def _complete(kind: str, spec: str | dict[str, Any]) -> Any:
    return complete_spec(kind, {"name": spec} if isinstance(spec, str) else spec)
