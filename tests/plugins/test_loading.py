"""What plug-ins are loaded, when, and what form they may have."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from nntrain.config import load_config
from nntrain.core.layer import LAYERS
from nntrain.errors import ConfigError
from nntrain.plugins import active_plugins, add_plugin, forget_plugins, records
from nntrain.runs.run import Run
from tests.plugged import CONFIG, HEAD, LAYER, OTHERS, PLUGIN, told
from tests.trainings import digest


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


def test_others_alone_are_a_plug_in_too(folder: Path) -> None:
    (folder / "others.py").write_text(HEAD + OTHERS)
    assert add_plugin("others.py", folder).registers == ["loss half_square", "optimizer heavy_ball", "metric within"]
