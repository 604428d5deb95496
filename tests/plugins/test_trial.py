"""What plug-ins do otherwise than they may, told at their lines before anything is trained where it shows by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from nntrain.runs.run import Run
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


# --- callbacks

KEEPER = '''
@CALLBACKS.register("keeper")
class Keeper(Callback):
    """Keeps something."""

    kept = None

    def epoch_end(self, row, state):
        self.kept = {later}

    def state(self):  # here
        return {given}

    def load(self, plain):
        self.kept = plain["kept"]
'''

ODD = {
    "object()": "'kept' is of type object",
    "lambda: 0": "'kept' is of type function",
    "{1, 2}": "'kept' is of type set",
    "np.float64(0.5)": "'kept' is of type float64",
    "float('inf')": "'kept' is inf",
    "[0, {'a': np.zeros(2)}]": "'kept.1.a' is of type ndarray",
    "{1: 2}": "'kept' the key 1 is no text",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("when", ["before training", "later"])
def test_a_state_that_no_checkpoint_can_hold(
    folder: Path, odd: str, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given, later = (f'{{"kept": {odd}}}', "0") if when == "before training" else ('{"kept": self.kept}', odd)
    line = project_of(folder, KEEPER.replace("{given}", given).replace("{later}", later), "callbacks: [keeper]")
    err = told(capsys, "fit", "config.yaml", "-q", "--run-dir", "run", code=2)
    message = f"callback 'keeper': no checkpoint can hold what Keeper.state() gives: {ODD[odd]}"
    assert f"error: my_layers.py:{line}: {message}\n  help: it may hold text, finite numbers, " in err
    assert (folder / "run").exists() is (when == "later")
    if when == "later":
        assert Run.open(folder / "run").info["stop_reason"] == f"my_layers.py:{line}: {message}"
    assert ODD[odd] in told(capsys, "check-plugin", "my_layers.py", code=2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[1]", "expected a mapping, got [1] of type list"),
        ("None", "expected a mapping, got null of type NoneType"),
        ("{'name': 'x'}", "the key 'name' is taken by the callback's own"),
        ("(a := {}).update(kept=a) or a", "is nested too deeply"),
    ],
)
def test_a_state_that_is_no_mapping(
    folder: Path, given: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = project_of(folder, KEEPER.replace("{given}", given).replace("{later}", "0"), "callbacks: [keeper]")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"my_layers.py:{line}: callback 'keeper': no checkpoint can hold what Keeper.state() gives: " in err
    assert expected in err


def test_a_state_that_nothing_takes_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = KEEPER.replace("{given}", "{}").replace("{later}", "0").replace("def load", "def lode")
    line = project_of(folder, text, "callbacks: [keeper]")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"my_layers.py:{line}: callback 'keeper': it has no load(plain) that takes back what state() gives" in err


def test_a_load_that_fails_is_no_fault_of_the_checkpoint_s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = KEEPER.replace("{given}", '{"kept": self.kept}').replace("{later}", "1")
    project_of(folder, text, "callbacks: [keeper]")
    assert command(["fit", "config.yaml", "-q", "--run-dir", "run"]) == 0
    text = text.replace("  # here", "").replace('plain["kept"]', '{None: 0}[plain["kept"]]  # here')
    line = project_of(folder, text, "callbacks: [keeper]")
    more = ["--set", "epochs=3", "--force-config"]
    err = told(capsys, "fit", "--resume", "run", "config.yaml", "-q", *more, code=2)
    assert f"error: my_layers.py:{line}: KeyError: 1" in err
