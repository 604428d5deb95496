"""No run makes anything execute; every command that makes a network takes plug-ins."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from nntrain.cli import entry
from nntrain.cli.entry import run as command
from nntrain.config import load_config
from nntrain.errors import RunError
from tests.plugged import PLUGIN, told
from tests.trainings import digest


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
