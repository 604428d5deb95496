"""``--graph`` and ``-o`` of check and show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nntrain.cli.entry import run

ROOT = Path(__file__).parent.parent.parent
CONFIG = "data: {train: iris.csv, target: species}\narchitecture: {name: mlp, hidden: [8]}\nepochs: 1\nbatch_size: 16\n"
BEGINNINGS = {"text": "           input\n", "mermaid": "flowchart TD\n", "svg": "<svg xmlns="}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table, a config and a run."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(ROOT / "datasets" / "iris.csv", folder / "iris.csv")
    (folder / "iris.yaml").write_text(CONFIG, encoding="utf-8")
    assert run(["fit", str(folder / "iris.yaml"), "--quiet", "--run-dir", str(folder / "runs" / "first")]) == 0
    return folder


@pytest.fixture(autouse=True)
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the folder, which is the working directory too."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize("command", [["check", "iris.yaml"], ["show", "first"]])
@pytest.mark.parametrize("form", BEGINNINGS)
@pytest.mark.parametrize("apart", [False, True], ids=["=", " "])
def test_stdout_is_the_picture_alone(
    command: list[str], form: str, apart: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run([*command, *(["--graph", form] if apart else [f"--graph={form}"])]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(BEGINNINGS[form])
    assert "dense_2" in shown
    assert "iris.yaml: ok" not in shown


@pytest.mark.parametrize("arguments", [["check", "--graph", "iris.yaml"], ["check", "iris.yaml", "--graph"]])
def test_without_a_form_it_is_text(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(arguments) == 0
    shown = capsys.readouterr()
    assert "│ dense_1  40 parameters │" in shown.out
    assert shown.out.endswith("67 trainable parameters\n")
    assert "repeats another one" in shown.err  # what is worth knowing of the data stays out of the picture


@pytest.mark.parametrize(
    ("options", "form"),
    [
        (["-o", "net.svg"], "svg"),
        (["--graph", "-o", "net.MMD"], "mermaid"),
        (["-o", "net.txt"], "text"),
        (["-o", "net.svg", "--graph=mermaid"], "mermaid"),
        (["--output", "net.svg", "--graph", "text"], "text"),
    ],
)
def test_a_file_gets_the_picture_and_stdout_the_rest(
    options: list[str], form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["check", "iris.yaml", *options]) == 0
    shown = capsys.readouterr()
    [file] = folder.glob("net.*")
    written = file.read_text(encoding="utf-8")
    assert written.startswith(BEGINNINGS[form])
    assert shown.out.endswith("iris.yaml: ok\n")
    assert f"network drawn in {file.name}" in shown.err
    if form == "svg":
        assert ElementTree.fromstring(written).tag.endswith("svg")


@pytest.mark.parametrize("command", [["check", "iris.yaml"], ["show", "first"]])
def test_json_holds_the_mermaid_text(command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--graph=text"], ["-o", "net.svg"]):
        capsys.readouterr()
        assert run(["--json", *command, *options]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["exit_code"] == 0
        assert ("graph" in found) == bool(options)
        if options:
            assert found["graph"].startswith("flowchart TD\n")
            assert "layers" in found or "run" in found
    assert found["written"] == "net.svg"
    assert (folder / "net.svg").exists()


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["check", "iris.yaml", "--graph=dot"]) == 2
    assert "'dot' is not one of 'text', 'mermaid', 'svg'" in capsys.readouterr().err
    assert run(["check", "iris.yaml", "-o", "net.PNG"]) == 2
    assert "expected a .svg, .mmd or text file for the drawing, got 'net.PNG'" in capsys.readouterr().err
    assert not Path("net.PNG").exists()
    assert run(["check", "iris.yaml", "-o", "nosuch/net.svg"]) != 0
    assert "nosuch" in capsys.readouterr().err


def test_a_run_without_weights_has_no_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "runs" / "first" / "checkpoints")
    capsys.readouterr()
    assert run(["show", "first", "--graph"]) == 4
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: " in shown.err
