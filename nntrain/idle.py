"""Keys of a config that change nothing beside the rest of it, as warnings: a mistake that no result would show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nntrain.config.schema import Config
from nntrain.config.sections import reconstructs
from nntrain.config.specs import complete_spec
from nntrain.core.task import Task
from nntrain.data.column_types import ColumnKind
from nntrain.data.idle import Idle, idle_keys
from nntrain.errors import ConfigError
from nntrain.models.base import ARCHITECTURES, Architecture
from nntrain.models.build import FeatureLayout
from nntrain.optim.base import OPTIMIZERS
from nntrain.planning import data_options
from nntrain.registry import arguments_of


def idle_notices(
    config: Config, task: Task, kinds: Mapping[str, ColumnKind], layout: FeatureLayout, rows: int
) -> list[str]:
    """Return a warning for each key with another value than its default that has no effect.

    Args:
        config: complete and valid.
        task: what is predicted.
        kinds: what each feature column is, by name.
        layout: of the examples as the network gets them.
        rows: examples to train on.
    """
    found = [
        *idle_keys(data_options(config), task, kinds, reconstructs(config.architecture)),
        *_idle_arguments(config.architecture, layout),
        *_idle_initializers(config.architecture, ("architecture",)),
        *_idle_in_training(config, rows),
    ]
    return [_warning(config, *idle) for idle in found]


def _warning(config: Config, key: tuple[str | int, ...], reason: str) -> str:
    path, line, _ = config.place(key, at_key=True)
    place = f" ({path}:{line})" if line is not None else ""
    return f"warning: {'.'.join(map(str, key))} has no effect: {reason}{place}"


def _idle_arguments(spec: Mapping[str, Any], layout: FeatureLayout) -> Iterator[Idle]:
    """Yield arguments of the architecture without which its layers are the same."""
    name = spec["name"]
    if not ARCHITECTURES.is_of_nntrain(name):  # what a user's own reads an argument for cannot be seen from its layers
        return
    arguments = ARCHITECTURES.get(name).arguments
    needed = {argument.name: spec[argument.name] for argument in arguments if argument.required}
    default: Any = complete_spec("architecture", {"name": name, **needed})
    whole = _parts(ARCHITECTURES.build(spec), layout)
    for argument in [argument for argument, value in spec.items() if value != default[argument]]:
        if argument == "embedding":
            if not layout.embedded:
                yield ("architecture", argument), "no feature is embedded"
        elif whole == _parts_without(spec, argument, default[argument], layout):
            form = {1: "rows", 2: "sequences", 3: "images"}[layout.examples.axes]
            form += " with a label for each step" if layout.per_step else ""
            yield ("architecture", argument), f"the layers of {name} for {form} are the same without it"


def _parts_without(spec: Mapping[str, Any], argument: str, default: Any, layout: FeatureLayout) -> list[Any] | None:
    """Return the layers of an architecture without an argument, or None where they cannot tell what it does.

    A default that stands for a choice may choose just the given value, and then only who never reads it goes without.
    """
    chooses = default in (None, "auto")
    architecture = ARCHITECTURES.build(spec if chooses else {**spec, argument: default})
    if chooses:
        delattr(architecture, argument)
    try:
        return _parts(architecture, layout)
    except AttributeError:
        if not chooses:
            raise
        return None
    except ConfigError:  # the others need it, as the filters of a network their kernels
        return None


def _parts(architecture: Architecture, layout: FeatureLayout) -> list[Any]:
    layers = [*architecture.hidden_layers(layout.examples), architecture.output_layer(1)]
    return [_described(layer) for layer in layers]


def _described(thing: Any) -> Any:
    """Return a layer, or another thing that is made of arguments, as its class and its arguments, all the way down."""
    if isinstance(thing, (list, tuple)):
        return [_described(item) for item in thing]
    if type(thing).__module__.startswith("nntrain."):
        made_of: Callable[..., Any] = type(thing)
        return made_of, {a.name: _described(getattr(thing, a.name, object())) for a in arguments_of(made_of)}
    return thing


def _idle_initializers(spec: Any, key: tuple[str | int, ...]) -> Iterator[Idle]:
    """Yield initializers of what a layer does not have, in a spec and all within it."""
    if isinstance(spec, list):
        for i, item in enumerate(spec):
            yield from _idle_initializers(item, (*key, i))
    elif isinstance(spec, dict):
        given = spec.get("bias_initializer", {"name": "zeros"})
        if spec.get("bias") is False and given not in ("zeros", {"name": "zeros"}):
            yield (*key, "bias_initializer"), "bias is false"
        if spec.get("name") == "positional_encoding" and spec.get("kind") == "sinusoidal":
            default: Any = complete_spec("layer", {"name": "positional_encoding"})
            if spec["initializer"] != default["initializer"]:
                yield (*key, "initializer"), "kind is sinusoidal, which is not learned"
        for name, value in spec.items():
            yield from _idle_initializers(value, (*key, name))


def _idle_in_training(config: Config, rows: int) -> Iterator[Idle]:
    optimizer, size = config.optimizer, config.batch_size
    if OPTIMIZERS.is_of_nntrain(optimizer["name"]) and optimizer.get("weight_decay") == 0:
        default: Any = complete_spec("optimizer", {"name": optimizer["name"]})
        if optimizer.get("decoupled") != default.get("decoupled"):
            yield ("optimizer", "decoupled"), "weight_decay is 0"
    if config.accumulate > 1 and (isinstance(size, str) or size >= rows):
        yield ("accumulate",), "an epoch is one batch"
