"""``nntrain check-plugin``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nntrain.cli.entry import run as command
from tests.plugged import HEAD, LAYER, PLUGIN, project


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line_of(text: str, start: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if line.strip().startswith(start))


def checked(capsys: pytest.CaptureFixture[str], *files: str, code: int) -> tuple[str, str]:
    capsys.readouterr()
    assert command(["check-plugin", *files]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_sound_plug_in_passes_every_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = checked(capsys, "my_layers.py", code=0)
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["passed", "first", "finding"]
    assert [line[:2] for line in lines[1:5]] == [
        ["layer", "scale"], ["loss", "half_square"], ["optimizer", "heavy_ball"], ["metric", "within"],
    ]  # fmt: skip
    for line in lines[1:5]:
        assert line[2] == line[4] and int(line[2]) >= 10
    assert out.endswith("my_layers.py: ok\n")
    assert err == ""


def test_the_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["check-plugin", "my_layers.py", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["status"], found["exit_code"], found["errors"]) == ("ok", 0, [])
    assert found["plugins"][0]["name"] == "my_layers.py"
    layer = found["things"][0]
    assert (layer["kind"], layer["name"], layer["path"]) == ("layer", "scale", "my_layers.py")
    assert layer["line"] == line_of(PLUGIN, "class Scale")
    assert layer["passed"] == layer["total"] == len(layer["checks"]) > 80
    assert {"name", "passed", "detail"} == set(layer["checks"][0])


WRONG: dict[str, tuple[str, str, str, str, str]] = {
    "gradient of the input": (
        "np.multiply(dy, self.factor.value, out", "np.multiply(dy, 2 * self.factor.value, out",
        "layer scale", "the input's gradient is that of finite differences", "class Scale",
    ),
    "gradient of a parameter": (
        "        self.factor.commit()", "        self.factor.grad *= 2\n        self.factor.commit()",
        "layer scale", "the parameters' gradients are those of finite differences", "class Scale",
    ),
    "shape": (
        "return np.multiply(x, self.factor.value, out=self.scratch(\"y\", x.shape))", "return np.zeros((len(x), 77))",
        "layer scale", "output has the shape that build returned, for 1 and 7 rows", "class Scale",
    ),
    "raises": (
        "        self.x = x\n", "        self.x = x.no_such\n",
        "layer scale", "a batch of 0 rows is taken", "self.x = x.no_such",
    ),
    "loss": (
        "self.number(0.5)", "self.number(0.6)",
        "loss half_square", "the gradient is that of finite differences", "class HalfSquare",
    ),
    "optimizer": (
        "        return velocity", "        np.negative(velocity, out)",
        "optimizer heavy_ball", "the first update goes against the gradient", "class HeavyBall",
    ),
    "metric": (
        "misses <= self.distance", "misses > self.distance",
        "metric within", "the truth itself scores no worse than random predictions", "class Within",
    ),
    "documentation": (
        "        distance: that counts as hit.\n", "",
        "metric within", "the docstring says what each argument is", "class Within",
    ),
    "memory": (
        "np.multiply(dy, self.factor.value, out=self.scratch(\"dx\", dy.shape))", "dy * self.factor.value",
        "layer scale", "nothing is allocated after the second step", "class Scale",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_at_its_line(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, thing, check, place = WRONG[name]
    assert old in PLUGIN
    text = PLUGIN.replace(old, new, 1)
    (folder / "my_layers.py").write_text(text)
    out, err = checked(capsys, "my_layers.py", code=2)
    assert f"error: my_layers.py:{line_of(text, place)}: {thing}: {check}: " in err
    row = next(line for line in out.splitlines() if line.startswith(thing))
    passed, total = (int(word) for word in row.split()[2:5:2])
    assert passed < total
    assert row.split("  ")[-1].strip()
    assert "ok" not in out.split()
    others = [line for line in out.splitlines()[1:] if line and not line.startswith(thing)]
    assert all(line.split()[2] == line.split()[4] for line in others)


def test_a_finding_of_several_examples_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my_layers.py").write_text(PLUGIN.replace("np.multiply(dy, self.factor.value", "np.multiply(dy, 2"))
    _, err = checked(capsys, "my_layers.py", code=2)
    assert err.count("the input's gradient is that of finite differences") == 1
    assert "note: 3 more of its examples show this" in err


def test_the_document_of_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my_layers.py").write_text(PLUGIN.replace("self.number(0.5)", "self.number(0.6)"))
    assert command(["check-plugin", "my_layers.py", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["exit_code"]) == ("error", 2)
    loss = found["things"][1]
    assert loss["passed"] < loss["total"]
    assert {error["path"] for error in found["errors"]} == {"my_layers.py"}
    assert {error["line"] for error in found["errors"]} == {loss["line"]}


def test_a_layer_that_needs_arguments_says_on_what_it_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (HEAD + LAYER).replace("initial: float = 1.5", "initial: float")
    (folder / "my_layers.py").write_text(text)
    _, err = checked(capsys, "my_layers.py", code=2)
    assert "layer scale: it can be made from its examples: it needs initial: give the class examples, checked_on" in err
    attribute = "    checked_on = [({'initial': 0.5}, (3,))]\n\n    def __init__"
    (folder / "my_layers.py").write_text(text.replace("    def __init__", attribute))
    out, _ = checked(capsys, "my_layers.py", code=0)
    assert "30 of 30" in out


def test_a_layer_that_declares_to_allocate_passes_and_is_noted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (HEAD + LAYER).replace('np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))', "dy * 1.5")
    text = text.replace("self.factor.value", "np.float32(1.5)")
    (folder / "my_layers.py").write_text(text.replace("    def __init__", "    allocates = True\n\n    def __init__"))
    out, err = checked(capsys, "my_layers.py", code=2)
    assert "nothing is allocated" not in err
    assert "note: layer scale: nothing is allocated after the second step: not asked for" in out


def test_several_plug_ins_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.py").write_text(HEAD + LAYER.replace('"scale"', '"other"'))
    out, _ = checked(capsys, "my_layers.py", "other.py", code=0)
    assert "layer other" in out
    assert out.endswith("my_layers.py: ok\nother.py: ok\n")


@pytest.mark.parametrize("where", ["forward", "import", "constructor"])
def test_a_plug_in_that_exits_is_no_success(folder: Path, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    places = {
        "forward": PLUGIN.replace("        self.x = x\n", "        raise SystemExit(0)\n"),
        "import": PLUGIN + "\nraise SystemExit(0)\n",
        "constructor": PLUGIN.replace("        self.initial = initial\n", "        raise SystemExit(0)\n"),
    }
    (folder / "my_layers.py").write_text(places[where])
    _, err = checked(capsys, "my_layers.py", code=2)
    assert f"my_layers.py:{line_of(places[where], 'raise SystemExit')}: it ends the program: SystemExit: 0" in err


def test_no_file_is_a_mistake_of_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = checked(capsys, code=2)
    assert "is missing" in err
    _, err = checked(capsys, "my_layer.py", code=2)
    assert "did you mean 'my_layers.py'?" in err


def test_docstrings_that_python_left_out_are_not_missed(folder: Path) -> None:
    arguments = [sys.executable, "-OO", "-m", "nntrain", "check-plugin", "my_layers.py"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_as_a_process_with_a_plug_in_that_prints(folder: Path) -> None:
    noisy = PLUGIN.replace("        self.x = x\n", "        print('noise')\n        self.x = x\n", 1)
    (folder / "my_layers.py").write_text("print('noise')\n" + noisy)
    arguments = [sys.executable, "-m", "nntrain", "check-plugin", "my_layers.py", "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert json.loads(done.stdout)["things"]
    assert "noise" in done.stderr


@pytest.mark.parametrize("arguments", [["check-plugin", "endless.py"], ["fit", "c.yaml", "--run-dir", "r"]], ids=str)
def test_who_ends_an_endless_plug_in_is_told_where_it_was(folder: Path, arguments: list[str]) -> None:
    text = (HEAD + LAYER).replace("        self.x = x\n", "        ready()\n        while True: pass\n")
    said = "import sys\n\n\ndef ready():\n    print('it runs', file=sys.stderr, flush=True)\n\n\n"
    (folder / "endless.py").write_text(said + text)
    layers = "{layers: [{name: dense, units: 4}, {name: scale}]}"
    config = f"plugins: endless.py\ndata: {{train: rows.csv, target: y}}\narchitecture: {layers}\n"
    (folder / "c.yaml").write_text(config)
    arguments = [sys.executable, "-m", "nntrain", *arguments]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while (line := process.stderr.readline()) != "it runs\n":
        assert line
    time.sleep(0.3)
    for _ in range(2):  # while a batch is trained the first one waits for its end
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert f"error: endless.py:{line_of(said + text, 'while')}: interrupted\n" in told


INITIALIZER = """\
from nntrain.core.initializers import INITIALIZERS, Initializer
import numpy as np


@INITIALIZERS.register("mine")
class Mine(Initializer):
    \"\"\"Mine.\"\"\"

    def sample(self, parameter, generator):
        return SAMPLE
"""
USE = "architecture: {layers: [{name: dense, units: 4, kernel_initializer: mine}]}\n"
LAYER_USE = "architecture: {layers: [{name: dense, units: 4}, {name: scale}]}\n"
WITHOUT = {name: LAYER.replace(f"def {name}(", f"def other_{name}(") for name in ("build", "forward", "backward")}
UNUSABLE: dict[str, tuple[str, str, str]] = {
    **{
        name: (HEAD + text, LAYER_USE, f"Scale cannot be used as it is: TypeError: Scale does not implement {name}")
        for name, text in WITHOUT.items()
    },
    "text": (INITIALIZER.replace("SAMPLE", "'a'"), USE, "Mine cannot be used as it is: ValueError: could not convert"),
    "shape": (INITIALIZER.replace("SAMPLE", "np.ones(3)"), USE, "samples values of shape (3,)"),
    "not finite": (
        INITIALIZER.replace("SAMPLE", "np.full(parameter.shape, 1e39)"),
        USE,
        "it samples values that are not finite in float32",
    ),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_what_cannot_be_used_is_told_at_its_class(what: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, use, words = UNUSABLE[what]
    (folder / "bad.py").write_text(text)
    (folder / "c.yaml").write_text(f"plugins: bad.py\ndata: {{train: rows.csv, target: y}}\nepochs: 1\n{use}")
    assert command(["fit", "c.yaml", "--run-dir", "r"]) == 2
    told = capsys.readouterr().err
    line = line_of(text, "class ")
    assert f"error: bad.py:{line}: " in told and words in told
    assert "help: see what nntrain check-plugin bad.py finds\n" in told
    checked(capsys, "bad.py", code=2)


def test_an_error_that_cannot_be_written_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\n\n\n"
    (folder / "bad.py").write_text(odd + (HEAD + LAYER).replace("        self.x = x\n", "        raise Odd\n"))
    (folder / "c.yaml").write_text(f"plugins: bad.py\ndata: {{train: rows.csv, target: y}}\n{LAYER_USE}")
    assert command(["fit", "c.yaml", "--json", "--run-dir", "r"]) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["path"], error["message"]) == ("bad.py", "Odd")


def test_who_seeds_the_global_generator_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = INITIALIZER.replace("return SAMPLE", "np.random.seed(0)\n        return np.zeros(parameter.shape)")
    (folder / "bad.py").write_text(text)
    for _ in range(2):
        assert "no global random generator is used" in checked(capsys, "bad.py", code=2)[0]
