"""A user's own layers, loss, optimizer and callbacks on next to nothing, before anything is trained: do they fit?

nntrain's own keep their contracts by their tests; what a plug-in breaks would show somewhere else, in a layer behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.network import Network
from nntrain.errors import ConfigError, quote
from nntrain.explaining import explained
from nntrain.losses.base import LOSSES, Loss
from nntrain.optim.base import OPTIMIZERS, Optimizer
from nntrain.optim.schedules import Schedule
from nntrain.plugins import place_of_error, place_of_method, plugin_of
from nntrain.runs import plain_json
from nntrain.train.callbacks.base import Callback, remembered

ROWS = 2
PARAMETERS = 5


def try_layers(network: Network) -> None:
    """Pass zeros forward and backward through a twin of a network and look at what plug-ins' layers return.

    Raises:
        ConfigError: a shape or type is not what the layer itself said, at the line of its method.
    """
    root = network.unbuilt()
    own = [layer for layer in root.walk() if plugin_of(type(layer)) is not None]
    if not own:
        return
    guard = _Guard()
    for layer in own:
        _watch(layer, guard)
    options: dict[str, Any] = {"seed": network.seed, "dtype": network.dtype, "input_gradient": network.input_gradient}
    twin = Network(root, network.in_shape, shared=network.store, **options)
    statistics = network.store.buffer.copy()
    x, dy = (np.zeros((ROWS, *shape), twin.dtype) for shape in (twin.in_shape, twin.out_shape))
    try:
        with np.errstate(all="ignore"):
            for guard.writable in (True, False):
                twin.forward(x)
                twin.store.begin_step()
                twin.forward(x, Context(training=True))
                twin.backward(dy)
    finally:
        network.store.buffer[...] = statistics  # the twin shares them


@dataclass
class _Guard:
    """Watches over the arrays that plug-ins' layers are given and may neither write nor lock.

    Attributes:
        writable: whether they are given as they are, so that it shows who locks one, or so that a write fails where
            it is made.
    """

    writable: bool = True

    def call(self, layer: Layer, method: str, given: Array, call: Callable[[Array], Any]) -> Any:
        """Call a method of a layer with an array of another layer's."""
        if self.writable:
            was_writable = given.flags.writeable
            found = call(given)
            if was_writable and not given.flags.writeable:
                name = "x" if method == "forward" else "dy"
                raise _fault(layer, method, f"{method} makes {name} read-only, which belongs to another layer")
            return found
        shown = given.view()
        shown.flags.writeable = False
        try:
            return call(shown)
        except ValueError as error:
            place = place_of_error(error)
            if place is None or "read-only" not in str(error):
                raise
            raise _fault(layer, method, f"{method} writes where it may not: {error}", *place) from None


def _watch(layer: Layer, guard: _Guard) -> None:
    build, forward, backward = layer.build, layer.forward, layer.backward
    shapes: dict[str, Shape] = {}

    def watched_build(in_shape: Shape) -> Shape:
        shapes["out"] = build(in_shape)
        return shapes["out"]

    def watched_forward(x: Array, ctx: Context) -> Array:
        y = guard.call(layer, "forward", x, lambda given: forward(given, ctx))
        _require(layer, "forward", y, (len(x), *shapes["out"]), "build said")
        shapes["x"] = x.shape
        return y  # type: ignore[no-any-return]

    def watched_backward(dy: Array) -> Array | None:
        dx = guard.call(layer, "backward", dy, backward)
        if dx is not None or layer.needs_input_gradient:
            _require(layer, "backward", dx, shapes["x"], "x has")
        return dx  # type: ignore[no-any-return]

    layer.build, layer.forward = watched_build, watched_forward  # type: ignore[method-assign]
    layer.backward = watched_backward  # type: ignore[method-assign]


def _require(layer: Layer, method: str, found: Any, shape: Shape, source: str) -> None:
    if not isinstance(found, np.ndarray):
        raise _fault(layer, method, f"{method} returned {type(found).__name__}, expected an array")
    if found.shape != shape:
        raise _fault(layer, method, f"{method} returned shape {found.shape}, {source} {shape}")
    if found.dtype != layer.dtype:
        raise _fault(layer, method, f"{method} returned {found.dtype}, and the network computes in {layer.dtype}")


def _fault(layer: Layer, method: str, message: str, path: str | None = None, line: int | None = None) -> ConfigError:
    place = place_of_method(type(layer), method) if path is None else {"path": path, "line": line}
    help = "x and dy belong to other layers: write into self.scratch(...), or into a new array" if path else None
    return ConfigError(f"layer {quote(LAYERS.name_of(layer))} ({layer.name}): {message}", help=help, **place)


def try_loss(loss: Loss, target: Array) -> None:
    """Take a plug-in's loss of predictions of 0 for the first targets.

    Raises:
        ConfigError: it fails, or its gradient has another shape than the prediction.
    """
    if plugin_of(type(loss)) is None:
        return
    first = target[:ROWS]
    prediction = np.zeros((len(first), loss.outputs(loss.task)), np.float32)
    name, method = quote(LOSSES.name_of(loss)), "rows_and_gradient"
    try:
        _, gradient = loss.value_and_grad(prediction, first)
    except Exception as error:
        reason = ConfigError(f"loss {name}: it fails on a first batch: {error}", **place_of_method(type(loss), method))
        raise (explained(error) or reason) from None
    if gradient.shape != prediction.shape:
        message = f"loss {name}: the gradient has shape {gradient.shape}, the prediction {prediction.shape}"
        raise ConfigError(message, **place_of_method(type(loss), method))


def try_optimizer(optimizer: Optimizer, epochs: int) -> None:
    """Let a plug-in's optimizer, or its schedule, make two updates of a few parameters.

    Raises:
        ConfigError: it fails, or gives what is no rate or no direction.
    """
    rate = _first_rate(optimizer.schedule, epochs)
    if plugin_of(type(optimizer)) is None:
        return
    _require_slots(optimizer)
    direction = optimizer.direction

    def watched(grad: Array, state: Mapping[str, Array], t: int, out: Array) -> Any:
        out.fill(np.nan)
        answer = direction(grad, state, t, out)
        reason = _fault_of_direction(answer, out)
        if reason is not None:
            place = place_of_method(type(optimizer), "direction")
            raise ConfigError(f"optimizer {quote(OPTIMIZERS.name_of(optimizer))}: direction {reason}", **place)
        return answer

    optimizer.direction = watched  # type: ignore[method-assign]
    optimizer.bind(PARAMETERS)
    value = np.zeros(PARAMETERS, np.float32)
    with np.errstate(all="ignore"):
        for t in (1, 2):
            optimizer.update(value, np.ones(PARAMETERS, np.float32), t, rate)


def _first_rate(schedule: Schedule, epochs: int) -> float:
    if plugin_of(type(schedule)) is not None:
        schedule.bind(PARAMETERS, epochs)
    return schedule.rate_at(0)


def _require_slots(optimizer: Optimizer) -> None:
    slots, plugin = optimizer.slots, plugin_of(type(optimizer))
    if not isinstance(slots, (tuple, list)) or not all(isinstance(slot, str) for slot in slots):
        name, place = quote(OPTIMIZERS.name_of(optimizer)), {} if plugin is None else plugin.place_of(type(optimizer))
        help = "a tuple of one name has a comma: slots = ('velocity',)"
        raise ConfigError(f"optimizer {name}: slots: expected names in a tuple, got {quote(slots)}", help=help, **place)


def _fault_of_direction(answer: Any, out: Array) -> str | None:
    """Return what is wrong with an answer of a rule, beside which ``out`` was full of NaN, or None."""
    if isinstance(answer, np.ndarray):
        fits = (answer.shape, answer.dtype) == (out.shape, out.dtype)
        return None if fits else f"returned shape {answer.shape} of {answer.dtype}, expected {out.shape} of {out.dtype}"
    if answer is not None and not isinstance(answer, (int, float, np.number)):
        return f"returned {type(answer).__name__}, expected None, a number or an array"
    return "has written no finite number into all of out" if not np.isfinite(out).all() else None


def try_callbacks(callbacks: Sequence[Callback]) -> None:
    """Let plug-ins' callbacks say what they remember, and take it back as they would where a run goes on.

    Raises:
        ConfigError: no checkpoint can hold it, or it is not taken back.
    """
    for callback in callbacks:
        kind = type(callback)
        if plugin_of(kind) is None:
            continue
        plain = plain_json.parse(plain_json.canonical(remembered(callback)))
        if kind.state is not Callback.state and kind.load is Callback.load:
            message = f"callback {quote(plain['name'])}: it has no load(plain) that takes back what state() gives"
            raise ConfigError(message, **place_of_method(kind, "state"))
        callback.load({key: value for key, value in plain.items() if key != "name"})
