"""Runs that were trained with plug-ins: what goes on with them, and what is told of one that has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from nntrain.runs.run import Run
from tests.plugged import CONFIG, HEAD, LAYER, OTHERS, PLUGIN, told
from tests.trainings import digest


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
