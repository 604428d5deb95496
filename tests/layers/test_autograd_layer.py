"""Layers that write only their forward pass: the gradients autograd gives, in the frame every layer keeps."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import autograd.numpy as anp
import numpy as np
import pytest

from nntrain.cli.entry import run as command
from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant, Normal
from nntrain.core.layer import Context, Layer
from nntrain.core.network import Network
from nntrain.errors import ConfigError
from nntrain.layers.autograd_layer import AutogradLayer
from nntrain.layers.dense import Dense
from nntrain.layers.sequential import Sequential
from nntrain.testing import assert_passes, check_layer
from nntrain.testing.layer_case import run_step
from tests.plugged import CONFIG, project
from tests.trainings import digest

TRAINING = Context(training=True, step=1)


class Affine(AutogradLayer):
    """y = x w + b, as ``dense`` has it.

    Args:
        units: outputs.
    """

    def __init__(self, units: int = 3) -> None:
        self.units = units

    def build(self, in_shape: Shape) -> Shape:
        self.kernel = self.add_parameter("kernel", (in_shape[-1], self.units), Normal(0.0, 0.3))
        self.bias = self.add_parameter("bias", (self.units,), Constant(0.1), penalized=False)
        return (*in_shape[:-1], self.units)

    def forward(self, x: Array, ctx: Context) -> Any:
        return anp.dot(x, self.kernel.value) + self.bias.value


class Wave(AutogradLayer):
    """y = x + a sin(b x), with two numbers."""

    def build(self, in_shape: Shape) -> Shape:
        self.a = self.add_parameter("a", (), Constant(0.5))
        self.b = self.add_parameter("b", in_shape[-1:], Constant(1.5))
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Any:
        return x + self.a.value * anp.sin(self.b.value * x)


class Identity(AutogradLayer):
    """y = x itself."""

    def build(self, in_shape: Shape) -> Shape:
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Any:
        return x


class Unused(Wave):
    """A parameter that the output does not depend on, and one that is not learned."""

    def build(self, in_shape: Shape) -> Shape:
        self.fixed = self.add_parameter("fixed", in_shape[-1:], Constant(2.0), trainable=False)
        return super().build(in_shape)

    def forward(self, x: Array, ctx: Context) -> Any:
        return anp.tanh(x) * self.a.value * self.fixed.value


class Doubled(Wave):
    """Twice the layer it derives from."""

    def forward(self, x: Array, ctx: Context) -> Any:
        return 2 * super().forward(x, ctx)


class Wide(AutogradLayer):
    """A formula that forgets the dtype of its input."""

    def build(self, in_shape: Shape) -> Shape:
        self.offsets = np.linspace(-1.0, 1.0, in_shape[-1])
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Any:
        return anp.tanh(x + self.offsets)


@pytest.mark.parametrize("layer", [Affine, Wave, Identity, Unused, Doubled, Wide])
@pytest.mark.parametrize("in_shape", [(4,), (3, 4)])
def test_the_contract_is_kept(layer: Any, in_shape: Shape) -> None:
    assert_passes(check_layer(layer, in_shape))


def test_the_check_of_memory_is_declared_not_to_be_kept() -> None:
    (remark,) = [check.detail for check in check_layer(Wave, (4,)) if check.name.startswith("nothing is allocated")]
    assert remark == "not asked for: the class says that it allocates"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_numbers_are_those_of_the_layer_written_out(dtype: Any) -> None:
    own, written = (Network(layer, (4,), dtype=dtype, input_gradient=True) for layer in (Affine(3), Dense(3)))
    written.load_state({name: own.state()[name] for name in written.state()})
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(dtype)
    dy = np.cos(np.arange(15)).reshape(5, 3).astype(dtype)
    for found, expected in zip(run_step(own, x, dy), run_step(written, x, dy), strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_values_are_plain_again_after_a_step_and_after_an_error() -> None:
    network = Network(Wave(), (4,))
    layer: Any = network.root
    before = [parameter.value for parameter in layer.parameters]
    network.forward(np.ones((2, 4), np.float32), TRAINING)
    assert all(a.value is b for a, b in zip(layer.parameters, before, strict=True))
    with pytest.raises(ValueError, match="broadcast"):
        network.forward(np.ones((2, 5), np.float32), TRAINING)
    assert all(a.value is b for a, b in zip(layer.parameters, before, strict=True))
    assert network.forward(np.ones((2, 4), np.float32)).shape == (2, 4)


def test_a_network_made_anew_forgets_the_last_step() -> None:
    layer = Wave()
    network = Network(layer, (4,))
    network.forward(np.ones((2, 4), np.float32), TRAINING)
    assert "_pull_back" in vars(layer)
    Network(layer, (3,))
    assert "_pull_back" not in vars(layer)


def test_no_gradient_of_an_input_that_nobody_needs() -> None:
    network = Network(Sequential([Wave(), Affine(2)]), (4,))
    x = np.ones((3, 4), np.float32)
    assert passes_without_input(network, x) is None
    alone = Network(Sequential([Identity()]), (4,))
    assert passes_without_input(alone, x) is None


def passes_without_input(network: Network, x: Array) -> Array | None:
    y = network.forward(x, TRAINING)
    network.store.begin_step()
    dx = network.backward(np.ones_like(y))
    network.store.finish_step()
    assert network.store.grad.any() or not network.store.size
    return dx


def test_the_output_is_the_layer_s_own() -> None:
    x = np.ones((3, 4), np.float32)
    for ctx in (TRAINING, Context()):
        y = Network(Identity(), (4,)).forward(x, ctx)
        assert not np.shares_memory(x, y)


def test_without_the_package_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "autograd"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "autograd", None)
    with pytest.raises(ConfigError) as caught:
        Network(Wave(), (4,))
    assert caught.value.problems[0].help == 'pip install "nntrain[autograd]"'
    assert caught.value.exit_code == 2


PLUGIN = '''\
import autograd.numpy as np

from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS
from nntrain.layers.autograd_layer import AutogradLayer


@LAYERS.register("scale")
class Scale(AutogradLayer):
    """A learned scale and a wave: y = a x + sin(x).

    Args:
        initial: first value of a.
    """

    def __init__(self, initial: float = 1.5):
        self.initial = initial

    def build(self, in_shape):
        self.factor = self.add_parameter("factor", (), Constant(self.initial))
        return in_shape

    def forward(self, x, ctx):
        return self.factor.value * x + np.sin(x)
'''


@pytest.fixture
def _project(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIG.replace("loss: half_square\n", "").replace("heavy_ball", "sgd")
    project(tmp_path, PLUGIN, config.replace("metrics: [{name: within, distance: 1.0}, rmse]\n", ""))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_project")
def test_a_plug_in_of_one_method_passes_the_suites_and_trains(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["check-plugin", "my_layers.py"]) == 0
    out = capsys.readouterr().out
    assert "note: layer scale: nothing is allocated after the second step: not asked for" in out
    assert command(["fit", "config.yaml", "-q", "--run-dir", "run", "--set", "shards=2", "--threads", "2"]) == 0
    assert command(["fit", "config.yaml", "-q", "--run-dir", "again", "--set", "shards=2", "--threads", "1"]) == 0
    assert digest(tmp_path / "run") == digest(tmp_path / "again")
    assert command(["eval", "run", "rows.csv", "--plugin", "my_layers.py"]) == 0
    assert command(["verify-resume", "config.yaml", "-q", "--pieces", "3"]) == 0


@pytest.mark.usefixtures("_project")
def test_an_error_of_the_formula_is_told_at_its_line(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my_layers.py").write_text(PLUGIN.replace("np.sin(x)", "np.sine(x)"))
    assert command(["fit", "config.yaml", "-q"]) == 2
    assert "error: my_layers.py:24: AttributeError: module 'autograd.numpy' has no attribute" in capsys.readouterr().err
    (tmp_path / "my_layers.py").write_text(
        PLUGIN.replace("return self.factor.value * x + np.sin(x)", "return np.concatenate((x, x), axis=1)")
    )
    assert command(["fit", "config.yaml", "-q"]) == 2
    assert "error: my_layers.py:23: layer 'scale' (scale_1): forward returned shape" in capsys.readouterr().err


def test_a_layer_without_a_forward_says_so() -> None:
    class Empty(AutogradLayer):
        """..."""

        couples_rows: ClassVar[bool] = False

        def build(self, in_shape: Shape) -> Shape:
            return in_shape

    with pytest.raises(TypeError, match="Empty does not implement forward"):
        Network(Empty(), (4,)).forward(np.ones((2, 4), np.float32))
    assert issubclass(Empty, Layer)
