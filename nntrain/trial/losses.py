"""A trial of a plug-in's loss."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.task import Task, TaskKind
from nntrain.errors import ConfigError, NntrainError, quote
from nntrain.explaining import explained
from nntrain.losses.base import LOSSES, Loss
from nntrain.plugins import plugin_of
from nntrain.trial.lending import Lender, Owner

ROWS = 2


def try_task(loss: Loss) -> None:
    """Look at the task that naming a plug-in's loss sets, before the target is read for it.

    Raises:
        ConfigError: the loss does not fit it.
    """
    plugin, kind = plugin_of(type(loss)), loss.implied_task
    if plugin is None or (kind in loss.tasks and kind in get_args(TaskKind)):
        return
    message = f"implied_task is {quote(kind)}, which is none of its tasks: {', '.join(sorted(map(str, loss.tasks)))}"
    help = "set implied_task in the class, or data.task in the config"
    raise ConfigError(f"{_owner(loss).title}: {message}", help=help, **plugin.place_of(type(loss)))


def try_outputs(loss: Loss, task: Task) -> None:
    """Ask a plug-in's loss how many outputs the network must have.

    Raises:
        ConfigError: what it says is no number of outputs.
    """
    if plugin_of(type(loss)) is None:
        return
    found: Any = loss.outputs(task)
    if not isinstance(found, (int, np.integer)) or found < 1:
        raise _owner(loss).fault("outputs", f"returned {quote(found)}, expected a whole number of at least 1")


def try_loss(loss: Loss, target: Array) -> None:
    """Take a plug-in's loss of predictions of 0 for the first targets.

    Raises:
        ConfigError: it fails, gives other shapes or types than it must, or writes or locks what belongs to others.
    """
    if plugin_of(type(loss)) is None:
        return
    first = target[:ROWS].copy()
    prediction = np.zeros((len(first), loss.outputs(loss.task)), np.float32)
    owner, lender = _owner(loss), Lender()
    try:
        for lender.writable in (True, False):
            method = _method_of(loss)
            answer = lender.call(owner, method, loss.rows_and_gradient, prediction=prediction, target=first)
            _require_both(owner, method, answer, prediction)
            loss.value_and_grad(prediction, first)
            linked = lender.call(owner, "link", loss.link, prediction=prediction)
            _require(owner, "link", linked, (len(first), _columns(loss.task, prediction)))
    except NntrainError:
        raise
    except Exception as error:
        reason = owner.fault(_method_of(loss), f"fails on a first batch: {error}")
        raise (explained(error) or reason) from None


def _owner(loss: Loss) -> Owner:
    return Owner(f"loss {quote(LOSSES.name_of(loss))}", type(loss))


def _method_of(loss: Loss) -> str:
    """Return the method that a user's class has written of those that give losses and gradient."""
    written = (name for kind in type(loss).__mro__ if plugin_of(kind) is not None for name in kind.__dict__)
    return next((name for name in written if name in ("compute", "elements", "gradient", "rows")), "rows_and_gradient")


def _columns(task: Task, prediction: Array) -> int:
    return len(task.classes) if task.is_classification else prediction.shape[1]


def _require_both(owner: Owner, method: str, answer: Any, prediction: Array) -> None:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise owner.fault(method, f"returned {type(answer).__name__}, expected losses and gradient")
    losses, gradient = answer
    _require(owner, "rows" if method == "gradient" else method, losses, (len(prediction),), "losses of ")
    place = "gradient" if method == "rows" else method
    _require(owner, place, gradient, prediction.shape, "a gradient of ")
    if gradient.dtype != prediction.dtype:
        raise owner.fault(place, f"returned a gradient of {gradient.dtype}, expected one of {prediction.dtype}")
    if not gradient.flags.writeable:
        raise owner.fault(place, "returned a gradient that is read-only, expected one of its own")


def _require(owner: Owner, method: str, found: Any, shape: Shape, what: str = "") -> None:
    if type(found) is not np.ndarray:
        raise owner.fault(method, f"returned {type(found).__name__}, expected an array")
    if found.shape != shape:
        raise owner.fault(method, f"returned {what}shape {found.shape}, expected {shape}")
