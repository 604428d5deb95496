"""A trained network taken from a checkpoint: judging it and predicting with it.

A checkpoint is complete in itself: beside the weights it holds the architecture, the loss and the fitted preprocessing
as plain data. Loading one builds registered things by name and never runs code that came with the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nntrain.core.array import Array
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.data.pipeline import Preprocessing
from nntrain.errors import NntrainError, RunError, quote
from nntrain.explaining import explained
from nntrain.losses.base import LOSSES, Loss
from nntrain.metrics.base import METRICS, Metric
from nntrain.models.base import ARCHITECTURES
from nntrain.models.build import FeatureLayout, build_network
from nntrain.train.evaluation import Evaluator
from nntrain.train.snapshot import prefixed, under

if TYPE_CHECKING:
    from nntrain.experiment import Experiment

FORMAT = 2
"""Version of what :func:`describe_model` writes."""


@dataclass
class TrainedModel:
    """A network with its preprocessing, as a checkpoint holds them.

    Attributes:
        metrics: by name, those of the config.
        epoch: after how many epochs these weights were.
        notices: what is worth knowing about them.
    """

    network: Network
    loss: Loss
    task: Task
    preprocessing: Preprocessing
    metrics: dict[str, Metric]
    epoch: int
    notices: list[str] = field(default_factory=list)

    def evaluator(self, metrics: Mapping[str, Metric]) -> Evaluator:
        """Return what judges the network by some metrics."""
        return Evaluator(self.network, self.loss, metrics, self.preprocessing.decode)


def describe_model(experiment: Experiment) -> dict[str, Any]:
    """Return the plain data from which :func:`load_model` builds the same network again."""
    config = experiment.config
    plain, _ = experiment.prepared.preprocessing.state()
    # Without their paths: equal runs have equal checkpoints, wherever their files are.
    plugins = [{key: record[key] for key in ("name", "sha256", "registers")} for record in experiment.plugins]
    return {
        "format": FORMAT,
        "architecture": config.architecture,
        "loss": experiment.loss_spec,
        "output_activation": config.output_activation,
        "metrics": experiment.metric_specs,
        "seed": config.seed,
        "preprocessing": plain,
        **({"plugins": plugins} if plugins else {}),
    }


def model_arrays(experiment: Experiment) -> dict[str, Array]:
    """Return the arrays that belong to :func:`describe_model`'s plain data."""
    _, arrays = experiment.prepared.preprocessing.state()
    return prefixed("preprocessing", arrays)


def load_model(arrays: Mapping[str, Array], state: Mapping[str, Any], path: str) -> TrainedModel:
    """Return the model a checkpoint holds.

    Args:
        arrays: of the checkpoint.
        state: of the checkpoint.
        path: of the checkpoint, for messages.

    Raises:
        RunError: the checkpoint is of another format, names what this version does not know, or needs a plug-in that is
            not loaded.
    """
    model, epoch = state.get("model"), state.get("epoch")
    if not isinstance(model, dict) or type(epoch) is not int:
        raise RunError("the checkpoint holds no model", path=path)
    if model.get("format") != FORMAT:
        raise RunError(_other_format(model.get("format")), path=path)
    notices = notices_of_plugins(model.get("plugins"), path)
    notes = [notice.removeprefix("warning: ") for notice in notices]
    with refusing_odd_models(path, notes):
        try:
            preprocessing = Preprocessing.load(model["preprocessing"], under("preprocessing", arrays))
            loss = LOSSES.build(model["loss"])
            loss.build(preprocessing.task)
            layout = FeatureLayout.of(preprocessing.form)
            architecture = ARCHITECTURES.build(model["architecture"])
            network = build_network(
                architecture, layout, loss, preprocessing.task, model["output_activation"], model["seed"]
            )
            network.load_state(under("weights", arrays))
            metrics = {name: METRICS.build(spec) for name, spec in model["metrics"].items()}
        except NntrainError as error:
            message = f"the model cannot be built: {error.problems[0].message}"
            raise RunError(message, path=path, notes=notes) from None
    return TrainedModel(network, loss, preprocessing.task, preprocessing, metrics, epoch, notices)


def notices_of_plugins(needed: Any, path: str) -> list[str]:
    """Return what to say of plug-ins that have changed, where there is no harm in going on with them.

    Args:
        needed: plug-ins as a run or a checkpoint holds them.
        path: of the run or the checkpoint.

    Raises:
        RunError: one is missing, or what is held cannot be read.
    """
    if not needed:
        return []
    from nntrain.plugins import changed_plugins, refuse_missing, told_changed

    refuse_missing(needed, path)
    changed = changed_plugins(needed, path)
    return [f"warning: {plugin.source.path}: {told_changed(plugin, before)}" for plugin, before in changed]


@contextmanager
def refusing_odd_models(path: str, notes: Sequence[str] = ()) -> Iterator[None]:
    """Tell whatever fails inside, because the plain data of a model are not what we write, as an error of its file.

    Data of any shape can stand there, and fail in any way: at once, or where a network is used that was built of them.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, ImportError, LookupError, RecursionError, TypeError, ValueError) as error:
        reason = RunError(
            f"the model cannot be built and used: it is not as nntrain writes it ({error})",
            path=path,
            help="restore the file, or train again; if nothing else has written it, report what --debug prints",
            notes=notes,
        )
        raise (explained(error) or reason) from error


def _other_format(found: object) -> str:
    if type(found) is int and found > FORMAT:
        return f"written by a newer nntrain (model format {found}, this version reads {FORMAT}); upgrade nntrain"
    return f"the model's format is {quote(found)}, this version reads {FORMAT}"
