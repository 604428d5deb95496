"""Plug-ins that cannot be loaded: exit code 2, at the line of the user's file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from nntrain.core.layer import LAYERS
from tests.plugged import CONFIG, HEAD, LAYER, PLUGIN, told

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
        "my_layers.py:12: layer 'dense' is registered already, by nntrain.layers.dense.Dense",
    ),
    "twice": (PLUGIN + LAYER, "layer 'scale' is registered already, by Scale of my_layers.py"),
    "no_layer": (
        HEAD + "@LAYERS.register('scale')\nclass Scale:\n    pass\n",
        "layer 'scale': expected a class derived from nntrain.core.layer.Layer, got Scale of my_layers.py",
    ),
    "no_class": (HEAD + "@LAYERS.register('scale')\ndef scale(): pass\n", "expected a class derived from"),
    "no_name": (
        HEAD + "@LAYERS.register\nclass Scale(Layer): pass\n",
        "my_layers.py:12: expected a name such as 'my_layer' to register, got Scale of my_layers.py",
    ),
    "bad_name": (HEAD + "LAYERS.register('my scale')(Layer)\n", "expected a name such as 'my_layer' to register"),
    "nothing": ("import numpy\n", "my_layers.py:1: it registers nothing"),
    "empty": ("", "my_layers.py:1: it registers nothing"),
    "unknown_annotation": (
        (HEAD + LAYER).replace("initial: float", "initial: 'Flaot'"),
        "my_layers.py:13: layer 'scale': the annotations of its constructor cannot be read: NameError",
    ),
    "strange_annotation": (
        (HEAD + LAYER).replace("initial: float", "initial: type(np)"),
        "my_layers.py:13: layer 'scale': its constructor's annotations are nothing that a config can hold",
    ),
    "argument_name": (
        (HEAD + LAYER).replace("initial: float = 1.5", "name: str"),
        "my_layers.py:13: layer 'scale': a config cannot give the argument 'name' of its constructor",
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
