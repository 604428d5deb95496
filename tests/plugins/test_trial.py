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
        "forward makes x read-only, which belongs to others",
    ),
    "goes elsewhere": (
        FORWARD,
        f"{FORWARD}  # here\n        import os; os.chdir('/')",
        "forward changes the current folder",
    ),
    "raises errors": (FORWARD, f"{FORWARD}  # here\n        np.seterr(all='raise')", "forward changes how NumPy takes"),
    "masked": (
        FORWARD,
        f"{FORWARD}  # here\n        return np.ma.array(x)",
        "forward returned MaskedArray, expected an array",
    ),
    "generator": (FORWARD, f"{FORWARD}  # here\n        yield x", "forward returned generator, expected an array"),
}


@pytest.mark.parametrize("name", TAKING)
def test_a_layer_that_takes_what_belongs_to_others(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, expected = TAKING[name]
    layers = "architecture: {layers: [{name: dense, units: 4}, double, {name: dense, units: 4}]}"
    line = project_of(folder, DOUBLE.replace(old, new), layers)
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: layer 'double' (double_1): {expected}" in err
    assert not (folder / "runs").exists()
    assert Path.cwd() == folder


def test_a_layer_that_returns_what_it_was_given_is_a_good_one(folder: Path) -> None:
    layers = "architecture: {layers: [{name: dense, units: 4}, double, relu, double]}"
    project_of(folder, DOUBLE.replace(IN, "return x").replace(BACK, "return dy"), layers)
    assert command(["fit", "config.yaml", "-q"]) == 0


def test_check_plugin_finds_who_writes_or_locks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project_of(folder, DOUBLE.replace(IN, "x += 1\n        return x"), "")
    assert "layer double: arguments are not written" in told(capsys, "check-plugin", "my_layers.py", code=2)
    project_of(folder, DOUBLE.replace(FORWARD, f"{FORWARD}\n        x.flags.writeable = False"), "")
    assert "an argument is read-only after the step" in told(capsys, "check-plugin", "my_layers.py", code=2)


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


MEDDLING = {
    'state.stop("done", "enough")': "ends the run as 'done', expected early_stopped or finished",
    'state.stop("interrupted", "enough")': "ends the run as 'interrupted', expected",
    'state.stop("finished", {1})': "ends the run for the reason {1}, expected a text",
    "state.status = None": "ends the run as null, expected",
    "state.rate_factor = -1": "sets rate_factor to -1, expected a finite number of at least 0",
    "state.rate_factor = None": "sets rate_factor to null, expected",
    "state.epoch = 0": "changes epoch of the state, expected at most stop(...) and rate_factor",
    "state.epoch = np.int64(state.epoch)": "changes epoch of the state",
    "state.best = None": "changes best of the state",
    "yield": "makes a generator, and does nothing",
    "import os; os.chdir('/')": "changes the current folder, from which all names of files begin",
}


@pytest.mark.parametrize("statement", MEDDLING)
def test_what_a_callback_may_not_change(folder: Path, statement: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = KEEPER.replace("  # here", "").replace("state):\n", "state):  # here\n", 1)
    text = text.replace("self.kept = {later}", statement).replace("{given}", '{"kept": 0}')
    line = project_of(folder, text, "callbacks: [keeper]")
    err = told(capsys, "fit", "config.yaml", "-q", "--run-dir", "run", code=2)
    message = f"my_layers.py:{line}: callback 'keeper': epoch_end {MEDDLING[statement]}"
    assert f"error: {message}" in err
    assert Run.open(folder / "run").info["stop_reason"].startswith(message)
    assert Path.cwd() == folder


@pytest.mark.parametrize(
    "statement", ["row.clear()", 'row["train_loss"] = {1}', "state.rate_factor *= np.float32(0.5)"]
)
def test_what_a_callback_may_do_harms_nobody(folder: Path, statement: str) -> None:
    text = KEEPER.replace("self.kept = {later}", statement).replace("{given}", '{"kept": 0}')
    project_of(folder, text, "callbacks: [keeper, {name: reduce_on_plateau, monitor: train_loss}]")
    assert command(["fit", "config.yaml", "-q", "--run-dir", "run"]) == 0
    assert [row["train_loss"] > 0 for row in Run.open(folder / "run").read_metrics()] == [True, True]


# --- optimizers and schedules

RULE = '''
@OPTIMIZERS.register("mine")
class Mine(Optimizer):
    """w <- w - learning_rate g."""

    slots = ("velocity",)

    def __init__(self, learning_rate: float = 0.1) -> None:
        super().__init__(learning_rate)

    def direction(self, grad, state, t, out):  # here
        out[...] = grad


@SCHEDULES.register("falling")
class Falling(Schedule):
    """It falls."""

    def __init__(self, initial: float = 0.1) -> None:
        super().__init__(initial)

    def rate(self, epoch, total):
        return self.initial
'''

DIRECTIONS = {
    "out = grad": "has written no finite number into all of out",
    "out[1:] = 0": "has written no finite number into all of out",
    "return grad[:2]": "returned shape (2,) of float32, expected (5,) of float32",
    "return np.array(0.5)": "returned shape () of float64, expected (5,) of float32",
    "return grad.astype(float)": "returned shape (5,) of float64, expected (5,) of float32",
    "return [1.0]": "returned list, expected None, a number or an array",
}

NAMES = {
    'state["velocity"] = grad  # here': "TypeError: 'mappingproxy' object does not support item assignment",
    "return\n    def numbers(self, t):  # here\n        return {'rate': 1}": "optimizer 'mine': numbers: the name",
}


@pytest.mark.parametrize("body", NAMES)
def test_slots_that_are_bound_anew_and_names_that_are_taken(
    folder: Path, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = RULE.replace("  # here", "").replace("out[...] = grad", body)
    line = project_of(folder, text, "optimizer: mine")
    assert f"error: my_layers.py:{line}: {NAMES[body]}" in told(capsys, "fit", "config.yaml", "-q", code=2)


def test_a_rate_that_the_rule_s_constructor_makes_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RULE.replace("  # here", "").replace("super().__init__(learning_rate)", "super().__init__(-1.0)")
    line = project_of(folder, text.replace("= 0.1) -> None:", "= 0.1) -> None:  # here", 1), "optimizer: mine")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: schedule 'constant': the rate after 0 updates is -1.0, expected" in err


@pytest.mark.parametrize("body", DIRECTIONS)
def test_a_direction_that_is_none(folder: Path, body: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = project_of(folder, RULE.replace("out[...] = grad", body), "optimizer: mine")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: optimizer 'mine': direction {DIRECTIONS[body]}" in err
    assert not (folder / "runs").exists()


def test_slots_that_are_a_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project_of(folder, RULE.replace('("velocity",)', '("velocity")'), "optimizer: mine")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert "my_layers.py:14: optimizer 'mine': slots: expected names in a tuple, got 'velocity'" in err
    assert "help: a tuple of one name has a comma" in err


RATES = {
    "None": "after 0 updates is null",
    "-0.1": "after 0 updates is -0.1",
    "float('nan')": "after 0 updates is nan",
    "'0.1'": "after 0 updates is '0.1'",
    "[0.1]": "after 0 updates is [0.1]",
    "0.1 if epoch < 1 else None": "after 8 updates is null",
}


@pytest.mark.parametrize("rate", RATES)
def test_a_rate_that_is_none(folder: Path, rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = RULE.replace("  # here", "").replace("rate(self, epoch, total):", "rate(self, epoch, total):  # here")
    config = "optimizer: {name: sgd, learning_rate: falling}\nbatch_size: 4"
    line = project_of(folder, text.replace("return self.initial", f"return {rate}"), config)
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    message = f"schedule 'falling': the rate {RATES[rate]}, expected a finite number of at least 0"
    assert f"error: my_layers.py:{line}: {message}" in err
    assert (folder / "runs").exists() is ("8 updates" in message)


@pytest.mark.parametrize("rate", ["np.float32(0.1)", "np.float64(0.1)", "0", "np.array(0.1)"])
def test_rates_of_numpy_s_are_numbers(folder: Path, rate: str) -> None:
    text = RULE.replace("return self.initial", f"return {rate}")
    project_of(folder, text, "optimizer: {name: mine, learning_rate: falling}".replace("mine", "sgd"))
    assert command(["fit", "config.yaml", "-q"]) == 0
