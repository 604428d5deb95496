"""Plug-ins: what is loaded, when, what is told of one that is broken, and what never loads one."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import click
import pytest

from nntrain.cli import entry
from nntrain.cli.entry import run as command
from nntrain.config import load_config
from nntrain.core.layer import LAYERS
from nntrain.errors import ConfigError, RunError, explained
from nntrain.plugins import active_plugins, add_plugin, forget_plugins, records
from nntrain.runs.run import Run
from tests.plugged import CONFIG, HEAD, LAYER, OTHERS, PLUGIN, project
from tests.trainings import digest


@pytest.fixture(autouse=True)
def _no_plugins_left() -> Any:
    yield
    forget_plugins()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory, which holds the project."""
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a run, as the current directory."""
    (tmp_path / "ran").mkdir()
    monkeypatch.chdir(tmp_path / "ran")
    project(tmp_path / "ran")
    assert command(["fit", "config.yaml", "-q", "--run-dir", "run"]) == 0
    return tmp_path / "ran"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    """Return what a command writes to stderr."""
    capsys.readouterr()
    found = command([*arguments])
    err = capsys.readouterr().err
    assert found == code, err
    return err


# --- loading


def test_a_config_s_plug_in_trains_and_is_remembered(ran: Path) -> None:
    info = Run.open(ran / "run").info
    (remembered,) = info["plugins"]
    assert remembered["name"] == "my_layers.py"
    assert remembered["sha256"] == hashlib.sha256((ran / "my_layers.py").read_bytes()).hexdigest()
    assert Path(remembered["path"]).is_absolute()
    assert remembered["registers"] == ["layer scale", "loss half_square", "optimizer heavy_ball", "metric within"]
    assert info["metrics"]["last"]["val_within"] > 0.2


def test_a_run_without_plug_ins_remembers_none_and_its_checkpoint_says_nothing(folder: Path) -> None:
    (folder / "plain.yaml").write_text("data: {train: rows.csv, target: y}\narchitecture: linear\nepochs: 1\n")
    assert command(["fit", "plain.yaml", "-q", "--run-dir", "plain"]) == 0
    assert Run.open(folder / "plain").info["plugins"] == []
    assert b"plugins" not in (folder / "plain/checkpoints/last.safetensors").read_bytes()


def test_a_checkpoint_holds_the_hash_and_no_path(ran: Path) -> None:
    content = (ran / "run/checkpoints/last.safetensors").read_bytes()
    assert hashlib.sha256((ran / "my_layers.py").read_bytes()).hexdigest().encode() in content
    assert str(ran).encode() not in content
    assert str(ran.parent).encode() not in content


def test_equal_runs_have_equal_bytes_wherever_the_plug_in_is(folder: Path, ran: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "my_layers.py").rename(folder / "elsewhere/my_layers.py")
    text = CONFIG.replace("my_layers.py", "elsewhere/my_layers.py")
    (folder / "config.yaml").write_text(text)
    assert command(["fit", str(folder / "config.yaml"), "-q", "--run-dir", str(folder / "run")]) == 0
    assert digest(folder / "run") == digest(ran / "run")


def test_one_command_s_plug_ins_are_unknown_to_the_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["check", "config.yaml"]) == 0
    assert "scale" in LAYERS
    assert "unknown layer 'scale'" in told(capsys, "list", "layer", "scale", code=2)
    assert active_plugins() == ()


def test_loading_a_config_forgets_what_another_named(folder: Path) -> None:
    (folder / "other.py").write_text(PLUGIN)  # the same names: both at once would clash
    (folder / "other.yaml").write_text(CONFIG.replace("my_layers.py", "other.py"))
    first, second = (load_config(name) for name in ("config.yaml", "other.yaml"))
    assert first.plugins == ["my_layers.py"] and second.plugins == ["other.py"]
    assert [plugin.source.path for plugin in active_plugins()] == ["other.py"]
    (folder / "plain.yaml").write_text("data: {train: rows.csv, target: y}\narchitecture: linear\n")
    load_config("plain.yaml")
    assert active_plugins() == () and "scale" not in LAYERS


def test_the_same_file_is_executed_once_and_a_changed_one_again(folder: Path) -> None:
    (folder / "counting.py").write_text(
        PLUGIN + "\nimport nntrain\nnntrain.counted = getattr(nntrain, 'counted', 0) + 1\n"
    )
    import nntrain

    first = add_plugin("counting.py", folder)
    assert add_plugin("counting.py", folder) is first
    forget_plugins()
    assert add_plugin("counting.py", folder) is first
    assert nntrain.counted == 1  # type: ignore[attr-defined]
    forget_plugins()
    (folder / "counting.py").write_text((folder / "counting.py").read_text().replace("1.5", "2.5"))
    assert add_plugin("counting.py", folder) is not first
    assert LAYERS.build("scale").initial == 2.5  # type: ignore[attr-defined]
    assert nntrain.counted == 2  # type: ignore[attr-defined]
    del nntrain.counted  # type: ignore[attr-defined]


def test_defaults_of_a_changed_plug_in_are_its_own(folder: Path) -> None:
    text = CONFIG.replace("{name: scale, initial: 1.25}", "scale")
    (folder / "config.yaml").write_text(text)
    assert load_config("config.yaml").architecture["layers"][1] == {"name": "scale", "initial": 1.5}
    (folder / "my_layers.py").write_text(PLUGIN.replace("initial: float = 1.5", "initial: float = 0.5"))
    assert load_config("config.yaml").architecture["layers"][1] == {"name": "scale", "initial": 0.5}


def test_a_preset_of_a_class_of_nntrain_s_is_a_plug_in_s_name_too(folder: Path) -> None:
    text = "from nntrain.core.layer import LAYERS\nfrom nntrain.layers.dense import Dense\n"
    (folder / "wide.py").write_text(f"{text}LAYERS.register('wide', units=7)(Dense)\n")
    add_plugin("wide.py", folder)
    assert LAYERS.build("wide").units == 7  # type: ignore[attr-defined]
    forget_plugins()
    assert "wide" not in LAYERS and "dense" in LAYERS


def test_arguments_of_a_plug_in_are_checked_as_any(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = told(capsys, "check", "config.yaml", "--set", "optimizer.momentun=0.5", code=2)
    assert "did you mean 'momentum'? (heavy_ball takes: learning_rate, momentum)" in err
    assert "belongs" not in told(capsys, "check", "config.yaml", "--set", "loss.beginning=1", code=2)
    (folder / "my_layers.py").write_text(
        PLUGIN.replace("initial:", "beginning:").replace("initial = initial", "initial = beginning")
    )
    more = ["--set", "architecture=linear", "--set", "loss.beginning=1"]
    err = told(capsys, "check", "config.yaml", *more, code=2)
    assert "'beginning' belongs under 'architecture.layers'" in err


def test_list_and_schema_show_a_plug_in_that_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["list", "layer", "scale", "--plugin", "my_layers.py"]) == 0
    assert "initial (a number, default 1.5): first value of a." in capsys.readouterr().out
    assert command(["schema", "--plugin", "my_layers.py"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "scale" in json.dumps(schema["$defs"]["layer"])
    assert "scale" in schema["$defs"]["layer"]["anyOf"][0]["enum"]


def test_a_plug_in_of_the_command_line_is_the_config_s_own(folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("plugins: my_layers.py\n", ""))
    (folder / "sub").mkdir()
    (folder / "my_layers.py").rename(folder / "sub/my_layers.py")
    assert command(["fit", "config.yaml", "-q", "--plugin", "sub/my_layers.py", "--run-dir", "run"]) == 0
    assert load_config("run/config.yaml", plugins=["sub/my_layers.py"]).plugins == [str(folder / "sub/my_layers.py")]
    assert [plugin["name"] for plugin in Run.open(folder / "run").info["plugins"]] == ["my_layers.py"]


def test_a_file_named_twice_is_one_plug_in(folder: Path) -> None:
    assert load_config("config.yaml", plugins=["my_layers.py"]).plugins == ["my_layers.py"]
    assert len(active_plugins()) == 1


def test_an_entry_point_of_an_installed_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a_package_of_layers").mkdir()
    (folder / "a_package_of_layers/__init__.py").write_text("from a_package_of_layers import inner\n")
    (folder / "a_package_of_layers/inner.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(folder))
    point = EntryPoint("my_plug", "a_package_of_layers", "nntrain.plugins")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] if group == "nntrain.plugins" else [])
    (folder / "config.yaml").write_text(CONFIG.replace("my_layers.py", "my_plug"))
    for _ in range(2):  # imported once, found again
        config = load_config("config.yaml")
        assert config.resolved(absolute_paths=True)["plugins"] == ["my_plug"]
        assert records(["my_plug"])[0]["registers"][0] == "layer scale"
    both = b"".join((folder / "a_package_of_layers" / name).read_bytes() for name in ("__init__.py", "inner.py"))
    assert active_plugins()[0].source.sha256 == hashlib.sha256(both).hexdigest()
    with pytest.raises(ConfigError) as caught:
        load_config("config.yaml", ["plugins=my_plg"])
    assert "no plug-in 'my_plg' is installed; did you mean 'my_plug'?" in str(caught.value)
    for name in ("a_package_of_layers", "a_package_of_layers.inner"):
        monkeypatch.delitem(sys.modules, name)


def test_without_a_plug_in_nothing_of_plug_ins_is_loaded(folder: Path) -> None:
    (folder / "plain.yaml").write_text("data: {train: rows.csv, target: y}\narchitecture: linear\nepochs: 1\n")
    program = "import sys; from nntrain.cli.entry import run; run(['fit', 'plain.yaml', '-q']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"nntrain.plugins", "nntrain.trial", "nntrain.testing", "autograd"} & set(done.stdout.split())


# --- broken plug-ins: exit code 2, at the line of the user's file

BROKEN: dict[str, tuple[str, str]] = {
    "syntax": ("import numpy\n\ndef f(:\n    pass\n", "my_layers.py:3:7: not valid Python: invalid syntax"),
    "indentation": ("def f():\npass\n", "my_layers.py:2:1: not valid Python: expected an indented block"),
    "raises": ("import numpy\n1 / 0\n", "my_layers.py:2: ZeroDivisionError: division by zero"),
    "raises_within": ("def f():\n    return {}['x']\n\nf()\n", "my_layers.py:2: KeyError: 'x'"),
    "exits": ("import sys\nsys.exit(0)\n", "my_layers.py:2: it ends the program: SystemExit: 0"),
    "exits_in_words": ("raise SystemExit\n", "my_layers.py:1: it ends the program: SystemExit"),
    "base_exception": ("class Odd(BaseException): pass\nraise Odd('so')\n", "my_layers.py:2: Odd: so"),
    "import": ("import no_such_module_here\n", "my_layers.py:1: ModuleNotFoundError: No module named"),
    "relative": ("from . import helpers\n", "my_layers.py:1: ImportError: attempted relative import"),
    "built_in": (
        HEAD + LAYER.replace('"scale"', '"dense"'),
        "my_layers.py:10: layer 'dense' is registered already, by nntrain.layers.dense.Dense",
    ),
    "twice": (PLUGIN + LAYER, "layer 'scale' is registered already, by Scale of my_layers.py"),
    "no_layer": (
        HEAD + "@LAYERS.register('scale')\nclass Scale:\n    pass\n",
        "layer 'scale': expected a class derived from nntrain.core.layer.Layer, got Scale of my_layers.py",
    ),
    "no_class": (HEAD + "@LAYERS.register('scale')\ndef scale(): pass\n", "expected a class derived from"),
    "no_name": (
        HEAD + "@LAYERS.register\nclass Scale(Layer): pass\n",
        "my_layers.py:10: expected a name such as 'my_layer' to register, got Scale of my_layers.py",
    ),
    "bad_name": (HEAD + "LAYERS.register('my scale')(Layer)\n", "expected a name such as 'my_layer' to register"),
    "nothing": ("import numpy\n", "my_layers.py:1: it registers nothing"),
    "empty": ("", "my_layers.py:1: it registers nothing"),
    "unknown_annotation": (
        (HEAD + LAYER).replace("initial: float", "initial: 'Flaot'"),
        "my_layers.py:11: layer 'scale': the annotations of its constructor cannot be read: NameError",
    ),
    "strange_annotation": (
        (HEAD + LAYER).replace("initial: float", "initial: type(np)"),
        "my_layers.py:11: layer 'scale': its constructor's annotations are nothing that a config can hold",
    ),
    "argument_name": (
        (HEAD + LAYER).replace("initial: float = 1.5", "name: str"),
        "my_layers.py:11: layer 'scale': a config cannot give the argument 'name' of its constructor",
    ),
    "strange_preset": (
        (HEAD + LAYER).replace('register("scale")', 'register("scale", inital=1)'),
        "layer 'scale': its constructor has no argument inital",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plug_in_is_told_at_its_line(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = BROKEN[name]
    (folder / "my_layers.py").write_text(text)
    before = LAYERS.names()
    for arguments in (["fit", "config.yaml"], ["check-plugin", "my_layers.py"], ["list", "--plugin", "my_layers.py"]):
        err = told(capsys, *arguments, code=2)
        assert expected in err
        assert "Traceback" not in err and "a bug in nntrain" not in err
    assert LAYERS.names() == before, "something stays registered"
    assert not (folder / "runs").exists()


def test_what_a_plug_in_needs_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my_layers.py").write_text("import no_such_module_here\n")
    assert "what it imports must be installed" in told(capsys, "fit", "config.yaml", code=2)
    (folder / "autograd.py").write_text("raise ModuleNotFoundError(\"No module named 'autograd'\", name='autograd')\n")
    (folder / "my_layers.py").write_text((folder / "autograd.py").read_text())
    assert 'pip install "nntrain[autograd]"' in told(capsys, "fit", "config.yaml", code=2)


def test_files_that_are_no_plug_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "latin.py").write_bytes(b"# a\n# \xe4\n")
    (folder / "nul.py").write_bytes(b"a = 1\0\n")
    (folder / "dir.py").mkdir()
    cases = {
        "my_layer.py": "config.yaml: plugins: 'my_layer.py': file not found",
        "nowhere/my_layers.py": "file not found; there is no directory 'nowhere'",
        "dir.py": "'dir.py': is a directory, not a Python file",
        "latin.py": "latin.py:2: not UTF-8: byte 0xe4 at offset 6",
        "nul.py": "nul.py: ",
        "my_layers": "no plug-in 'my_layers' is installed",
    }
    for name, expected in cases.items():
        err = told(capsys, "check", "config.yaml", "--set", f"plugins={name}", code=2)
        assert expected.removeprefix("config.yaml: ") in err, err
    err = told(capsys, "list", "--plugin", "my_layer.py", code=2)
    assert err == "error: my_layer.py: file not found\n  help: did you mean 'my_layers.py'?\n"


def test_a_missing_plug_in_is_told_at_its_place_in_the_config(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("plugins: my_layers.py", "plugins: [my_layers.py, mine.py]"))
    assert "error: config.yaml:2:25: plugins: 'mine.py': file not found" in told(capsys, "fit", "config.yaml", code=2)


def test_two_plug_ins_that_clash(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.py").write_text("\n" + HEAD + LAYER)
    (folder / "config.yaml").write_text(CONFIG.replace("plugins: my_layers.py", "plugins: [my_layers.py, other.py]"))
    for _ in range(2):  # executed, and entered again
        err = told(capsys, "fit", "config.yaml", code=2)
        assert "other.py:" in err
        assert "layer 'scale' is registered already, by Scale of my_layers.py" in err


def test_what_a_plug_in_prints_does_not_reach_the_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = PLUGIN.replace("        self.x = x\n", "        print('in forward')\n        self.x = x\n", 1)
    (folder / "my_layers.py").write_text("print('at import')\nimport sys\nsys.stdout.write('written')\n" + noisy)
    for arguments in (["fit", "config.yaml", "-q"], ["check", "config.yaml"], ["check-plugin", "my_layers.py"]):
        stdout = sys.stdout
        assert command([*arguments, "--json"]) in (0, 2)
        assert sys.stdout is stdout
        captured = capsys.readouterr()
        assert json.loads(captured.out)["status"] in ("ok", "finished", "error")
        assert "in forward" in captured.err
    assert command(["check", "config.yaml"]) == 0
    assert "in forward" not in capsys.readouterr().out


# --- errors while a network is made and trained

FAILING: dict[str, tuple[str, str, str]] = {
    "forward": ("        self.x = x\n", "        self.x = x\n        x.no_such()\n", "AttributeError"),
    "exit": ("        self.x = x\n", "        self.x = x\n        raise SystemExit(0)\n", "it ends the program"),
    "backward": ("        product =", "        {}['k']\n        product =", "KeyError: 'k'"),
    "constructor": ("        self.initial = initial\n", "        raise ValueError('odd')\n", "ValueError: odd"),
    "build": ("        return in_shape\n", "        return in_shape / 2\n", "TypeError: unsupported operand"),
    "optimizer": ("        velocity = state", "        velocity = status", "NameError: name 'status'"),
    "metric": ("        misses =", "        misses = 1 / 0  #", "ZeroDivisionError"),
    "loss": ("        difference =", "        difference = 1 / 0  #", "ZeroDivisionError"),
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
        assert "a bug in nntrain" not in info["stop_reason"]


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


# --- runs


def test_eval_and_predict_take_the_plug_in_from_the_command_line(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["eval", "run", "rows.csv"], ["predict", "run", "rows.csv"], ["show", "run", "--graph"]):
        err = told(capsys, *arguments, code=4)
        assert "it needs the plug-in 'my_layers.py', which is loaded only where you name it" in err
        assert "help: pass --plugin my_layers.py, if you trust it" in err
        assert "note: it registers layer scale, loss half_square" in err
        assert command([*arguments, "--plugin", "my_layers.py"]) == 0
    assert command(["eval", "run", "rows.csv", "--plugin", "my_layers.py", "--json"]) == 0


def test_show_tells_what_it_can_without_the_plug_in(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["show", "run"]) == 0
    out = capsys.readouterr().out
    assert "val_within" in out
    assert "no layers to show: it needs the plug-in 'my_layers.py'" in out
    assert command(["show", "run", "--plugin", "my_layers.py"]) == 0
    assert "scale_1" in capsys.readouterr().out


def test_a_renamed_plug_in_is_known_by_its_content(ran: Path) -> None:
    (ran / "my_layers.py").rename(ran / "renamed.py")
    assert command(["eval", "run", "rows.csv", "--plugin", "renamed.py"]) == 0


def test_resume_goes_on_with_the_plug_in_of_the_config_or_of_the_command_line(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    err = told(capsys, "fit", "--resume", "run", "--set", "epochs=6", code=4)
    assert "it needs the plug-in 'my_layers.py'" in err and "run/config.yaml" in err
    shutil.copytree(ran / "run", ran / "second")
    assert command(["fit", "--resume", "run", "--set", "epochs=6", "-q", "--plugin", "my_layers.py"]) == 0
    assert command(["fit", "--resume", "second", "config.yaml", "--set", "epochs=6", "-q"]) == 0
    assert digest(ran / "run") == digest(ran / "second")
    assert command(["fit", "config.yaml", "--set", "epochs=6", "-q", "--run-dir", "whole"]) == 0
    assert digest(ran / "run") == digest(ran / "whole")


def test_a_further_plug_in_of_the_command_line_changes_no_bit_of_a_resumed_run(ran: Path) -> None:
    (ran / "more.py").write_text(HEAD + LAYER.replace('"scale"', '"more"'))
    more = ["--plugin", "more.py", "--plugin", "my_layers.py"]
    assert command(["fit", "--resume", "run", "--set", "epochs=6", "-q", *more]) == 0
    assert command(["fit", "config.yaml", "--set", "epochs=6", "-q", "--run-dir", "whole"]) == 0
    assert digest(ran / "run") == digest(ran / "whole")


def test_the_order_of_plug_ins_on_the_command_line_changes_no_bit_either(folder: Path) -> None:
    (folder / "others.py").write_text(HEAD + OTHERS)
    (folder / "my_layers.py").write_text(HEAD + LAYER)
    (folder / "config.yaml").write_text(CONFIG.replace("plugins: my_layers.py", "plugins: [others.py, my_layers.py]"))
    assert command(["fit", "config.yaml", "-q", "--run-dir", "run"]) == 0
    given = ["--plugin", "my_layers.py", "--plugin", "others.py"]
    assert command(["fit", "--resume", "run", "--set", "epochs=6", "-q", *given]) == 0
    assert command(["fit", "config.yaml", "--set", "epochs=6", "-q", "--run-dir", "whole"]) == 0
    assert digest(folder / "run") == digest(folder / "whole")


def test_a_plug_in_that_has_moved_is_the_same(ran: Path) -> None:
    (ran / "sub").mkdir()
    (ran / "my_layers.py").rename(ran / "sub/my_layers.py")
    (ran / "config.yaml").write_text(CONFIG.replace("plugins: my_layers.py", "plugins: sub/my_layers.py"))
    assert command(["fit", "--resume", "run", "config.yaml", "--set", "epochs=5", "-q"]) == 0
    assert Run.open(ran / "run").info["plugins"][0]["path"] == str(ran / "sub/my_layers.py")


def test_a_changed_plug_in_is_refused_on_resume_and_told_in_eval(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ran / "my_layers.py").write_text(PLUGIN + "# changed\n")
    resume = ["fit", "--resume", "run", "--set", "epochs=5", "-q", "--plugin", "my_layers.py"]
    for arguments in (resume, ["fit", "--resume", "run", "config.yaml", "--set", "epochs=5", "-q"]):
        err = told(capsys, *arguments, code=4)
        assert err.startswith("error: my_layers.py: the plug-in has changed since the run was trained (SHA-256 ")
        assert "--force-config" in err
    for arguments in (["eval", "run", "rows.csv"], ["predict", "run", "rows.csv"]):
        err = told(capsys, *arguments, "--plugin", "my_layers.py", code=0)
        assert "warning: my_layers.py: the plug-in has changed since the run was trained" in err
    assert command([*resume, "--force-config"]) == 0
    now = hashlib.sha256((ran / "my_layers.py").read_bytes()).hexdigest()
    assert Run.open(ran / "run").info["plugins"][0]["sha256"] == now
    assert "changed" not in told(capsys, *resume, code=0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('register("scale")', 'register("other")', "unknown layer 'scale'"),
        ("Parameter", "Parameter", ""),
        ('"factor", ()', '"factor", (2,)', "other parameters than the network's: scale_1.factor"),
    ],
)
def test_a_changed_plug_in_is_told_as_the_likely_cause(
    ran: Path, old: str, new: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (ran / "my_layers.py").write_text(PLUGIN.replace(old, new))
    err = told(capsys, "eval", "run", "rows.csv", "--plugin", "my_layers.py", code=4 if expected else 0)
    assert expected in err
    assert ("note: my_layers.py: the plug-in has changed since" in err) is bool(expected)


def test_verify_resume_with_a_plug_in(folder: Path) -> None:
    assert command(["verify-resume", "config.yaml", "--pieces", "4", "-q"]) == 0


def test_seeds_and_folds_with_a_plug_in(folder: Path) -> None:
    assert command(["fit", "config.yaml", "-q", "--seeds", "2", "--run-dir", "seeds"]) == 0
    members = list((folder / "seeds/seeds").iterdir())
    assert [Run.open(member).info["plugins"][0]["name"] for member in members] == ["my_layers.py"] * 2
    more = ["--set", "data.folds=3", "--set", "data.validation=none"]
    assert command(["fit", "config.yaml", "-q", *more, "--run-dir", "folds"]) == 0
    assert command(["fit", "--resume", "folds", "-q", "--set", "epochs=5", "--plugin", "my_layers.py"]) == 0


def test_the_whole_journey_as_processes(folder: Path) -> None:
    def nntrain(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "nntrain", *arguments], capture_output=True, text=True)

    fitted = nntrain("fit", "config.yaml", "--run-dir", "run", "--json", "--threads", "2", "--set", "shards=2")
    assert fitted.returncode == 0, fitted.stderr
    assert json.loads(fitted.stdout)["metrics"]["val_within"] >= 0
    judged = nntrain("eval", "run", "rows.csv", "--plugin", "my_layers.py", "--json")
    assert judged.returncode == 0, judged.stderr
    assert set(json.loads(judged.stdout)["metrics"]) >= {"within", "rmse"}
    assert nntrain("fit", "--resume", "run", "config.yaml", "--set", "epochs=5", "--set", "shards=2").returncode == 0
    assert nntrain("eval", "run", "rows.csv").returncode == 4


# --- no run makes anything execute


@pytest.fixture
def malicious(ran: Path) -> Path:
    """Return the project, its run made to ask for a plug-in that leaves a mark, by every means it has."""
    evil = "from pathlib import Path\nPath(__file__).with_name('MARK').write_text('executed')\n" + PLUGIN
    for name in ("my_layers.py", "evil.py"):
        (ran / "run" / name).write_text(evil)
    (ran / "my_layers.py").unlink()
    run_config = ran / "run/config.yaml"
    text = run_config.read_text()
    listed = next(line for line in text.splitlines() if line.startswith("plugins:"))
    run_config.write_text(text.replace(listed, f"plugins: [evil.py, {ran}/run/my_layers.py]"))
    info = json.loads((ran / "run/run.json").read_text())
    info["plugins"] = [{**info["plugins"][0], "path": str(ran / "run/my_layers.py")}]
    (ran / "run/run.json").write_text(json.dumps(info))
    return ran


@pytest.mark.parametrize(
    "line",
    [
        "eval run rows.csv", "predict run rows.csv", "show run", "show run --graph", "compare run run", "runs",
        "fit --resume run", "fit --resume run --force-config", "fit --resume run --set epochs=9",
        "fit --resume run --set seed=3 --force-config", "fit run/config.yaml", "check run/config.yaml",
        "verify-resume run/config.yaml", "fit run/source.yaml", "fit --resume run config.yaml",
        "fit --resume run run/config.yaml", "fit run/config.yaml --set plugins=evil.py",
    ],
)  # fmt: skip
def test_no_command_executes_what_a_run_names(malicious: Path, line: str) -> None:
    import_before = set(sys.modules)
    code = command(line.split())
    assert code in ((0,) if line.split()[0] in ("compare", "runs") or line == "show run" else (2, 4))
    assert not list(malicious.rglob("MARK"))
    assert not [name for name in set(sys.modules) - import_before if name.startswith("nntrain_plugin_")]


def test_the_mark_is_left_where_the_user_asks_for_it(malicious: Path) -> None:
    assert command(["eval", "run", "rows.csv", "--plugin", "run/my_layers.py"]) == 0
    assert (malicious / "run/MARK").read_text() == "executed"


def test_a_checkpoint_alone_needs_its_plug_in_named_too(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = json.loads((ran / "run/run.json").read_text())
    (ran / "run/run.json").write_text(json.dumps({**info, "plugins": []}))
    err = told(capsys, "eval", "run", "rows.csv", code=4)
    assert "best.safetensors: it needs the plug-in 'my_layers.py'" in err


@pytest.mark.parametrize("remembered", [3, [3], [{}], {"name": "x"}, [{"name": 1, "sha256": "", "registers": []}]])
def test_a_run_that_remembers_nonsense(ran: Path, remembered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    info = json.loads((ran / "run/run.json").read_text())
    (ran / "run/run.json").write_text(json.dumps({**info, "plugins": remembered}))
    err = told(capsys, "fit", "--resume", "run", "--plugin", "my_layers.py", code=4)
    assert "what it says of its plug-ins cannot be read" in err


def test_a_run_s_own_config_does_not_load_what_it_names(ran: Path) -> None:
    with pytest.raises(RunError):
        load_config("run/config.yaml")
    with pytest.raises(RunError):
        load_config("run/config.yaml", plugins=None)
    load_config("config.yaml")
    assert load_config("run/config.yaml", plugins=None).loss == {"name": "half_square"}


def test_a_run_s_config_repeats_the_run_with_the_plug_in_named(ran: Path) -> None:
    assert command(["fit", "run/config.yaml", "-q", "--run-dir", "again", "--plugin", "my_layers.py"]) == 0
    assert digest(ran / "again") == digest(ran / "run")


def test_others_alone_are_a_plug_in_too(folder: Path) -> None:
    (folder / "others.py").write_text(HEAD + OTHERS)
    assert add_plugin("others.py", folder).registers == ["loss half_square", "optimizer heavy_ball", "metric within"]


# --- the form of plug-ins


def test_a_plug_in_in_the_style_of_the_house(folder: Path) -> None:
    text = (HEAD + LAYER).replace(
        "initial: float = 1.5", 'initial: Annotated[float, Gt(0)] = 1.5, kind: Literal["a"] = "a"'
    )
    head = "from __future__ import annotations\n\nfrom dataclasses import dataclass\n"
    head += "from typing import Annotated, Literal\n"
    more = "from annotated_types import Gt\n\n\n@dataclass\nclass Note:\n    text: str = ''\n\n\n"
    (folder / "my_layers.py").write_text(head + more + text)
    (folder / "config.yaml").write_text(
        "data: {train: rows.csv, target: y}\nplugins: my_layers.py\n"
        "architecture: {layers: [{name: scale, initial: -1}]}\n"
    )
    with pytest.raises(ConfigError, match=r"architecture\.layers\.0\.initial: expected a number above 0, got -1"):
        load_config("config.yaml")


def test_arguments_without_annotations_take_any_value(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my_layers.py").write_text(PLUGIN.replace("initial: float = 1.5", "initial=1.5"))
    assert command(["fit", "config.yaml", "-q", "--set", "epochs=1"]) == 0
    assert command(["list", "layer", "scale", "--plugin", "my_layers.py"]) == 0
    assert "initial (any value, default 1.5): first value of a." in capsys.readouterr().out
    assert command(["schema", "--plugin", "my_layers.py"]) == 0


# --- no command forgets


def test_commands_load_configs_and_plug_ins_in_one_place() -> None:
    modules = (Path(entry.__file__).parent).glob("*.py")
    loading = {
        path.name
        for path in modules
        if re.search(r"\b(load_config|config_from|load_plugins|add_plugin)\b", path.read_text())
    }
    assert loading == {"configs.py"}


def test_every_command_that_makes_a_network_takes_plug_ins() -> None:
    context = click.Context(entry.group)
    needing = set()
    for name in entry.group.list_commands(context):
        found = entry.group.get_command(context, name)
        assert found is not None
        names = {parameter.name for parameter in found.params}
        if names & {"config", "run"}:
            needing.add(name)
            assert "plugins" in names, name
    assert needing == {"fit", "eval", "predict", "verify-resume", "reproduce", "replay", "check", "show"}
