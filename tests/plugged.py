"""A user's project with a plug-in that registers one thing of each kind: what tests of plug-ins share."""

from __future__ import annotations

from pathlib import Path

import pytest

from nntrain.cli.entry import run as command

HEAD = """\
import numpy as np

from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Layer
from nntrain.losses.base import LOSSES, FusedLoss, Loss
from nntrain.metrics.base import METRICS, Metric, weighted_mean
from nntrain.optim.base import OPTIMIZERS, Optimizer
from nntrain.optim.schedules import SCHEDULES, Schedule
from nntrain.train.callbacks.base import CALLBACKS, Callback


"""

LAYER = '''\
@LAYERS.register("scale")
class Scale(Layer):
    """A learned scale: y = a x.

    Args:
        initial: first value of a.
    """

    def __init__(self, initial: float = 1.5) -> None:
        self.initial = initial

    def build(self, in_shape):
        self.factor = self.add_parameter("factor", (), Constant(self.initial))
        return in_shape

    def forward(self, x, ctx):
        self.x = x
        return np.multiply(x, self.factor.value, out=self.scratch("y", x.shape))

    def backward(self, dy):
        product = np.multiply(self.x, dy, out=self.scratch("product", dy.shape))
        np.add.reduce(product, axis=None, out=self.factor.gradient_slot())
        self.factor.commit()
        return np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))


'''

OTHERS = '''\
@LOSSES.register("half_square")
class HalfSquare(FusedLoss):
    """Half the squared error, summed over the outputs: l_b = 1/2 sum_d (y_bd - t_bd)^2."""

    tasks = frozenset({"regression"})

    def compute(self, prediction, target):
        difference = np.subtract(prediction, target, out=self.scratch("difference", prediction.shape))
        squares = np.multiply(difference, difference, out=self.scratch("squares", prediction.shape))
        losses = np.add.reduce(squares, axis=1, out=self.scratch("losses", (len(prediction),)))
        return np.multiply(losses, self.number(0.5), losses), difference


@OPTIMIZERS.register("heavy_ball")
class HeavyBall(Optimizer):
    """Polyak's heavy ball: v <- m v + g, w <- w - learning_rate v.

    Args:
        learning_rate: step size.
        momentum: share of v that is kept.
    """

    slots = ("velocity",)

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.8) -> None:
        super().__init__(learning_rate)
        self.momentum = momentum

    def numbers(self, t):
        return {"momentum": self.momentum}

    def direction(self, grad, state, t, out):
        velocity = state["velocity"]
        np.multiply(velocity, state["momentum"], velocity)
        np.add(velocity, grad, velocity)
        return velocity


@METRICS.register("within")
class Within(Metric):
    """Share of the rows predicted to within a distance.

    Args:
        distance: that counts as hit.
    """

    tasks = frozenset({"regression"})

    def __init__(self, distance: float = 0.5) -> None:
        self.distance = distance

    def __call__(self, predictions):
        misses = np.abs(predictions.output - predictions.target).max(axis=1)
        return weighted_mean(misses <= self.distance, predictions.weight)
'''

PLUGIN = HEAD + LAYER + OTHERS

CONFIG = """\
data: {train: rows.csv, target: y, validation: 0.25}
plugins: my_layers.py
architecture: {layers: [{name: dense, units: 6, activation: tanh}, {name: scale, initial: 1.25}]}
loss: half_square
optimizer: {name: heavy_ball, learning_rate: 0.02}
metrics: [{name: within, distance: 1.0}, rmse]
epochs: 4
batch_size: 4
"""


def project(folder: Path, plugin: str = PLUGIN, config: str = CONFIG) -> Path:
    """Write rows, a plug-in and a config that names it; return the config's path."""
    rows = "\n".join(f"{i % 7},{i * i % 11},{(i % 7) * 0.5 - i * i % 11 * 0.25 + 0.125}" for i in range(40))
    (folder / "rows.csv").write_text(f"a,b,y\n{rows}\n", encoding="utf-8")
    (folder / "my_layers.py").write_text(plugin, encoding="utf-8")
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    return folder / "config.yaml"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    """Return what a command writes to stderr."""
    capsys.readouterr()
    found = command([*arguments])
    err = capsys.readouterr().err
    assert found == code, err
    return err


def project_of(folder: Path, text: str, config: str) -> int:
    """Write a project whose plug-in is some text; return the line of it that is marked ``# here``, 0 where none is."""
    plugin = HEAD + text
    architecture = "" if "architecture:" in config else "architecture: {layers: [{name: dense, units: 4}]}\n"
    lines = f"data: {{train: rows.csv, target: y}}\nplugins: my_layers.py\nepochs: 2\n{architecture}{config}\n"
    project(folder, plugin, lines)
    return next((i for i, line in enumerate(plugin.splitlines(), 1) if line.endswith("# here")), 0)
