"""What plug-ins do otherwise than they may, told at their lines before anything is trained where it shows by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from tests.plugged import project_of, told

# --- layers

DOUBLE = '''
@LAYERS.register("double")
class Double(Layer):
    """y = 2 x."""

    def build(self, in_shape):
        return in_shape

    def forward(self, x, ctx):
        return np.multiply(x, 2, out=self.scratch("y", x.shape))

    def backward(self, dy):
        return np.multiply(dy, 2, out=self.scratch("dx", dy.shape))
'''

IN = 'return np.multiply(x, 2, out=self.scratch("y", x.shape))'
BACK = 'return np.multiply(dy, 2, out=self.scratch("dx", dy.shape))'
FORWARD, BACKWARD = "def forward(self, x, ctx):", "def backward(self, dy):"

TAKING: dict[str, tuple[str, str, str]] = {
    "writes x": (IN, "x += 1  # here\n        return x", "forward writes where it may not: output array is read-only"),
    "assigns x": (
        IN,
        "x[0] = 0  # here\n        return x",
        "forward writes where it may not: assignment",
    ),
    "writes dy": (BACK, "np.negative(dy, out=dy)  # here\n        return dy", "backward writes where it may not"),
    "sorts x": (IN, "x.sort()  # here\n        return x", "forward writes where it may not: sort array is read-only"),
    "locks x": (FORWARD, f"{FORWARD}  # here\n        x.flags.writeable = False", "forward makes x read-only"),
    "locks dy": (BACKWARD, f"{BACKWARD}  # here\n        dy.setflags(write=False)", "backward makes dy read-only"),
    "locks x in training": (
        FORWARD,
        f"{FORWARD}  # here\n        x.flags.writeable = not ctx.training",
        "forward makes x read-only, which belongs to another layer",
    ),
}


@pytest.mark.parametrize("name", TAKING)
def test_a_layer_that_takes_what_belongs_to_others(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, expected = TAKING[name]
    layers = "architecture: {layers: [{name: dense, units: 4}, double, {name: dense, units: 4}]}"
    line = project_of(folder, DOUBLE.replace(old, new), layers)
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: layer 'double' (double_1): {expected}" in err
    assert not (folder / "runs").exists()
    assert f"my_layers.py:{line if 'locks' not in name else ''}" in told(capsys, "check-plugin", "my_layers.py", code=2)


def test_a_layer_that_returns_what_it_was_given_is_a_good_one(folder: Path) -> None:
    layers = "architecture: {layers: [{name: dense, units: 4}, double, relu, double]}"
    project_of(folder, DOUBLE.replace(IN, "return x").replace(BACK, "return dy"), layers)
    assert command(["fit", "config.yaml", "-q"]) == 0
