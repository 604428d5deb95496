"""Errors of a plug-in's while a network is made and trained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nntrain.explaining import explained
from nntrain.plugins import add_plugin
from nntrain.runs.run import Run
from tests.plugged import PLUGIN, project_of, told

FAILING: dict[str, tuple[str, str, str]] = {
    "forward": ("        self.x = x\n", "        self.x = x\n        x.no_such()\n", "AttributeError"),
    "exit": ("        self.x = x\n", "        self.x = x\n        raise SystemExit(0)\n", "it ends the program"),
    "backward": ("        product =", "        {}['k']\n        product =", "KeyError: 'k'"),
    "constructor": ("        self.initial = initial\n", "        raise ValueError('odd')\n", "ValueError: odd"),
    "build": ("        return in_shape\n", "        return in_shape / 2\n", "TypeError: unsupported operand"),
    "optimizer": ("        velocity = state", "        velocity = status", "NameError: name 'status'"),
    "metric": ("        misses =", "        misses = 1 / 0  #", "ZeroDivisionError"),
    "loss": ("        difference =", "        difference = 1 / 0  #", "ZeroDivisionError"),
    "state": ("        return weighted_mean", "        vars(self).clear(); self.distance  #", "AttributeError"),
    "file": ("        misses =", "        open('nowhere/x')  #", "FileNotFoundError"),
}


@pytest.mark.parametrize("name", FAILING)
def test_an_error_of_a_plug_in_in_use_is_its_own(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, expected = FAILING[name]
    assert PLUGIN.count(old) >= 1
    text = PLUGIN.replace(old, new, 1)
    (folder / "my_layers.py").write_text(text)
    line = next(
        i for i, (a, b) in enumerate(zip(text.splitlines(), [*PLUGIN.splitlines(), ""], strict=False), 1) if a != b
    )
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: {expected}" in err
    assert "a bug in nntrain" not in err
    for run_file in folder.glob("runs/*/run.json"):
        info = json.loads(run_file.read_text())
        assert info["status"] == "failed"
        assert info["stop_reason"].startswith(f"my_layers.py:{line}: {expected}")
        assert run_file.with_name("log.txt").read_text().endswith(f" failed: {info['stop_reason']}\n")


WRONG: dict[str, tuple[str, str, str]] = {
    "output shape": (
        'return np.multiply(x, self.factor.value, out=self.scratch("y", x.shape))',
        "return np.concatenate((x, x), axis=1)",
        "layer 'scale' (scale_1): forward returned shape (2, 12), build said (2, 6)",
    ),
    "shape that build says": (
        "return in_shape",
        "return in_shape[0]",
        "layer 'scale' (scale_1): build returned 6, expected a tuple",
    ),
    "gradient shape": (
        'return np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))',
        "return dy[:, :2]",
        "backward returned shape (2, 2), x has (2, 6)",
    ),
    "type": (
        'return np.multiply(x, self.factor.value, out=self.scratch("y", x.shape))',
        "return x * np.float64(2)",
        "forward returned float64, and the network computes in float32",
    ),
    "nothing": ("return np.multiply(x", "np.multiply(x", "forward returned NoneType, expected an array"),
    "loss": ("number(0.5), losses), difference", "number(0.5), losses), difference[:, :0]", "loss 'half_square': "),
    "metric": ("return weighted_mean", "weighted_mean", "metric within gave None, expected a number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_told_before_or_in_training(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, expected = WRONG[name]
    assert old in PLUGIN
    (folder / "my_layers.py").write_text(PLUGIN.replace(old, new, 1))
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert expected in err
    assert "error: my_layers.py:" in err


def test_an_error_in_another_process_is_told_as_the_plug_in_s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PLUGIN.replace("        self.x = x\n", "        self.x = x\n        if ctx.shard == 1: x.no_such()\n", 1)
    (folder / "my_layers.py").write_text(text)
    line = text.splitlines().index("        if ctx.shard == 1: x.no_such()") + 1
    err = told(capsys, "fit", "config.yaml", "-q", "--set", "shards=2", "--threads", "2", code=2)
    assert f"error: my_layers.py:{line}: AttributeError" in err


def test_an_error_of_nobody_s_names_the_plug_ins_as_suspects(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: Any) -> None:
        raise TypeError("on purpose")

    monkeypatch.setattr("nntrain.cli.fit_modes.assemble", fail)
    err = told(capsys, "fit", "config.yaml", code=1)
    assert "a bug in nntrain: on purpose, or in a plug-in" in err
    assert "nntrain check-plugin my_layers.py" in err


def test_a_run_says_that_it_ended_by_what_is_suspected(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: Any) -> None:
        raise TypeError("on purpose")

    monkeypatch.setattr("nntrain.train.trainer.Trainer._end_epoch", fail)
    told(capsys, "fit", "config.yaml", "--run-dir", "run", code=1)
    reason = "a bug in nntrain: on purpose, or in a plug-in"
    assert Run.open(folder / "run").info["stop_reason"] == reason
    assert (folder / "run/log.txt").read_text().endswith(f" failed: {reason}\n")


MINE = """
@{kind}S.register("mine")
class Mine({base}):
    def __init__(self, distance: float = 0.1) -> None:  # here
        self.distance = distance

    def rate(self, epoch, total):
        return 0.1

    def direction(self, grad, state, t, out):
        out[...] = grad
"""

FORGETFUL = {
    "optimizer": (MINE.format(kind="OPTIMIZER", base="Optimizer"), "optimizer: mine", "Optimizer"),
    "schedule": (
        MINE.format(kind="SCHEDULE", base="Schedule"),
        "optimizer: {name: sgd, learning_rate: mine}",
        "Schedule",
    ),
    "layer": (
        "from nntrain.layers.dense import Dense" + MINE.format(kind="LAYER", base="Dense"),
        "architecture: {layers: [mine]}",
        "Dense",
    ),
    "loss": (
        "from nntrain.losses.regression import Huber" + MINE.format(kind="LOSSE", base="Huber"),
        "loss: mine",
        "Huber",
    ),
    "metric": (
        "from nntrain.metrics.regression import Pinball" + MINE.format(kind="METRIC", base="Pinball"),
        "metrics: [mine]",
        "Pinball",
    ),
    "callback": (
        "from nntrain.train.callbacks.early_stopping import EarlyStopping"
        + MINE.format(kind="CALLBACK", base="EarlyStopping"),
        "callbacks: [mine]",
        "Patience",
    ),
}


@pytest.mark.parametrize("name", FORGETFUL)
def test_a_constructor_that_forgets_its_base_class_is_told(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, config, base = FORGETFUL[name]
    line = project_of(folder, text, config)
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    expected = f"error: my_layers.py:{line}: Mine: its constructor has not called that of {base}, which sets '"
    assert expected in err
    assert "help: begin __init__ with super().__init__(...)" in err
    for run_file in folder.glob("runs/*/run.json"):
        assert json.loads(run_file.read_text())["stop_reason"] in err


@pytest.mark.parametrize(("error", "code"), [("MemoryError('so much')", 6), ("KeyboardInterrupt", 2)])
@pytest.mark.parametrize("place", ["at import", "before training", "in training"])
def test_what_a_plug_in_raises_is_taken_for_no_signal_and_told_at_its_line(
    folder: Path, error: str, code: int, place: str
) -> None:
    text = f"raise {error}\n" + PLUGIN
    if place != "at import":
        condition = "True" if place == "before training" else "ctx.step > 2"
        text = PLUGIN.replace("        self.x = x\n", f"        self.x = x\n        if {condition}: raise {error}\n", 1)
    (folder / "my_layers.py").write_text(text)
    line = next(i for i, words in enumerate(text.splitlines(), 1) if f"raise {error}" in words)
    done = subprocess.run(
        [sys.executable, "-m", "nntrain", "fit", "config.yaml", "-q", "--json", "--run-dir", "run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    message = {6: "out of memory: so much", 2: "it ends the program: KeyboardInterrupt"}[code]
    assert f"error: my_layers.py:{line}: {message}" in done.stderr
    (problem,) = json.loads(done.stdout)["errors"]
    assert (problem["path"], problem["line"], problem["message"]) == ("my_layers.py", line, message)
    if place == "in training":
        info = Run.open(folder / "run").info
        assert (info["status"], info["stop_reason"]) == ("failed", f"my_layers.py:{line}: {message}")


@pytest.mark.parametrize("error", ["EOFError", "click.exceptions.Exit(0)", "click.Abort", "StopIteration"])
def test_no_error_of_a_plug_in_s_is_taken_for_one_of_the_command_line_s(
    folder: Path, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLUGIN.replace("        self.x = x\n", f"        import click; raise {error}\n", 1)
    (folder / "my_layers.py").write_text(text)
    line = next(i for i, words in enumerate(text.splitlines(), 1) if f"raise {error}" in words)
    assert f"error: my_layers.py:{line}: " in told(capsys, "fit", "config.yaml", "-q", code=2)


def test_a_signal_during_the_import_is_no_fault_of_the_plug_in_s(folder: Path) -> None:
    text = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    (folder / "my_layers.py").write_text(text)
    done = subprocess.run([sys.executable, "-m", "nntrain", "fit", "config.yaml"], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.strip() == "error: interrupted"


def test_only_errors_that_pass_through_a_plug_in_are_explained(folder: Path) -> None:
    add_plugin("my_layers.py", folder)
    assert explained(ValueError("x")) is None
    assert explained(MemoryError()) is None
