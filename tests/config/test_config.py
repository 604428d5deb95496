"""The checked config: defaults, names, overrides, paths, places for later checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.config.load import parse_text
from nntrain.config.pending import refuse_pending
from nntrain.config.schema import config_from, load_config
from nntrain.config.sections import unsafe_name
from nntrain.errors import ConfigError
from nntrain.runs.naming import check_name
from tests.config.checked import BASE, config, problem


def test_defaults() -> None:
    found = config(BASE)
    assert (found.name, found.seed, found.batch_size, found.epochs) == ("c", 0, 32, 100)
    assert (found.data.train, found.data.target, found.data.validation) == (["a.csv"], ["y"], 0.2)
    assert (found.loss, found.metrics, found.early_stopping) == (None, None, None)
    assert found.optimizer["name"] == "adam"
    assert found.optimizer["learning_rate"] == 0.001
    assert found.checkpoint.every_seconds == 30
    assert found.architecture["name"] == "mlp"
    assert found.architecture["activation"] == {"name": "relu"}


def test_the_example_of_every_kind_of_value() -> None:
    found = config("""
name: iris-mlp
seed: 3
data:
  train: [a.csv, b.csv]
  validation: none
  test: t.csv
  target: [u, v]
  columns: {size: {type: numeric, scale: none}}
  header: [u, v, w]
  positive_class: 1
architecture:
  layers:
    - {name: dense, units: 64}
    - relu
    - residual: [{name: dense, units: 64}, relu]
    - branch: [[{name: dense, units: 8}], [{name: dense, units: 8}, tanh]]
    - {branch: [[relu], [tanh]], merge: add}
    - {repeat: 3, layers: [{name: dense, units: 64}, relu]}
output_activation: sigmoid
loss: mse
metrics: mae
optimizer: {name: sgd, learning_rate: {name: cosine, initial: 0.1, warmup_epochs: 5}}
batch_size: full
class_weight: {a: 1, b: 2.5}
gradient_clipping: {norm: 1}
regularization: {l2: 1e-4}
early_stopping: {patience: 3}
checkpoint: {every_epochs: 5, keep: 2}
shards: 2
stream: false
""")
    layers = found.architecture["layers"]
    assert [layer["name"] for layer in layers] == ["dense", "relu", "residual", "branch", "branch", "repeat"]
    assert layers[2]["layers"][0]["units"] == 64
    assert layers[3]["branches"][1][1] == {"name": "tanh"}
    assert layers[4]["merge"] == "add"
    assert layers[5]["times"] == 3
    assert found.optimizer["learning_rate"]["initial"] == 0.1
    assert found.metrics == [{"name": "mae"}]
    assert found.class_weight == {"a": 1.0, "b": 2.5}
    assert found.gradient_clipping is not None
    assert found.gradient_clipping.norm == 1.0
    assert found.batch_size == "full"
    assert found.data.positive_class == 1


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a/b", "'/'"),
        ("../a", "'/'"),
        ("a\\b", "'\\'"),
        (".a", "'.'"),
        ("..", "'.'"),
        ("-a", "'-'"),
        ("", "blank"),
        (" a", "blank"),
        ("a\nb", "newline"),
        ("a\n", "newline"),
        ("a\x00b", "control"),
        ("a\x1b[2J", "control"),
        ("a\u202eb", "invisible"),
        ("a\u200bb", "invisible"),
        ("x" * 101, "100 bytes"),
        ("é" * 51, "100 bytes"),
        ("\U0001f600" * 26, "100 bytes"),
        ("a*b", "'*'"),
        ("a:b", "':'"),
    ],
)
def test_names_that_are_no_safe_directory(name: str, word: str) -> None:
    found = problem(BASE, f'name="{name.encode("unicode_escape").decode()}"')
    assert found.message.startswith("name: expected ")
    assert word in found.message
    assert found.render().isprintable() or "\n  help" in found.render()


@pytest.mark.parametrize("name", ["iris mlp", "été", "run.2", "a-b_c", "\U0001f600", "x" * 100])
def test_safe_names(name: str) -> None:
    assert config(BASE, f"name='{name}'").name == name


@pytest.mark.parametrize(("path", "name"), [("a/iris.yaml", "iris"), (".hidden.yaml", "config"), ("-x.yaml", "config")])
def test_the_name_is_the_stem_of_the_file(path: str, name: str) -> None:
    assert config_from(parse_text(BASE, path)).name == name


def test_errors_of_overrides_are_located_there() -> None:
    found = problem(BASE, "epochs=-1")
    assert found.render() == "error: --set epochs=-1: epochs: expected an integer of at least 0, got -1"
    found = problem(BASE, "optimizer.learning_rat=1e-2")
    assert found.place == "--set optimizer.learning_rat=1e-2"
    assert found.message.startswith("optimizer.learning_rat: unknown key; did you mean 'learning_rate'?")


def test_overrides_are_part_of_the_config() -> None:
    found = config(BASE, "optimizer.learning_rate=1e-2", "architecture.hidden=[8]", "data.train=b.csv")
    assert found.optimizer["name"] == "adam"
    assert found.optimizer["learning_rate"] == 0.01
    assert found.architecture["hidden"] == [8]
    assert found.data.train == ["b.csv"]
    assert found.place(("optimizer", "learning_rate"))[0] == "--set optimizer.learning_rate=1e-2"


def test_a_config_can_be_all_overrides() -> None:
    assert config("", "data.train=a", "data.target=y", "architecture=mlp").data.train == ["a"]


def test_places_for_later_checks() -> None:
    found = config(BASE + "loss: cross_entropy\n")
    error = found.error(("loss",), "cross_entropy does not fit a numeric target", help="write mse", notes=["y is 0.5"])
    assert str(error).startswith("error: c.yaml:3:7: loss: cross_entropy does not fit a numeric target\n  help: write")
    assert found.place(("optimizer", "learning_rate")) == ("c.yaml", None, None)
    assert found.place(("data", "scale")) == ("c.yaml", 1, 1)


def test_places_of_the_resolved_keys_of_blocks() -> None:
    found = config(
        "data: {train: a, target: y}\narchitecture:\n  layers:\n    - residual:\n        - relu\n        - tanh\n"
    )
    assert found.place(("architecture", "layers", 0, "layers", 1)) == ("c.yaml", 6, 11)


def test_defaulted_keys() -> None:
    found = config(BASE + "optimizer: {name: sgd, learning_rate: 0.1}\nepochs: 3\n")
    assert {"seed", "batch_size", "data.validation", "optimizer.momentum", "architecture.hidden"} <= set(
        found.defaulted
    )
    assert not {"epochs", "data.train", "optimizer.learning_rate", "loss"} & set(found.defaulted)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "c.yaml").write_text(BASE + "plugins: p.py\n")
    (folder / "p.py").write_text("from nntrain.losses.base import LOSSES, Loss\nLOSSES.register('own_loss')(Loss)\n")
    found = load_config(str(folder / "c.yaml"))
    assert found.directory == folder
    assert found.data.train == ["a.csv"]
    assert found.resolve_path("../d.csv") == folder / "../d.csv"
    assert found.resolve_path("/d.csv") == Path("/d.csv")
    moved = found.resolved(absolute_paths=True)
    assert moved["data"]["train"] == [str(folder / "a.csv")]
    assert moved["plugins"] == [str(folder / "p.py")]
    assert moved["data"]["split"] == "auto"
    assert moved["data"]["validation"] == 0.2


def test_plugins_are_loaded_before_names_are_looked_up(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("from nntrain.losses.base import LOSSES, Loss\nLOSSES.register('own_loss')(Loss)\n")
    text = BASE + "plugins: [p.py]\nloss: own_loss\n"
    assert config_from(parse_text(text, str(tmp_path / "c.yaml"))).loss == {"name": "own_loss"}
    with pytest.raises(ConfigError, match=r"plugins: .*file not found"):
        config_from(parse_text(text, "d/c.yaml"))
    with pytest.raises(ConfigError, match="unknown loss 'own_loss'"):
        config(BASE + "loss: own_loss\n")


def test_folds_stand_for_validation() -> None:
    found = config("data: {train: a, target: y, folds: 5}\narchitecture: mlp\n")
    assert found.data.validation == "none"
    assert config(_yaml(found.resolved())) == found


def test_pending_keys_are_refused_together_at_their_lines() -> None:
    refuse_pending(config(BASE))
    text = "data:\n  train: a\n  target: y\narchitecture: mlp\ntensorboard: true\n"
    with pytest.raises(ConfigError) as caught:
        refuse_pending(config(text))
    assert [(found.line, found.message) for found in caught.value.problems] == [
        (5, "tensorboard: not supported yet"),
    ]


def _yaml(values: Any) -> str:
    from nntrain.config.dump import dump_yaml

    return dump_yaml(values)


def test_importing_the_package_loads_neither_yaml_nor_pydantic() -> None:
    code = "import sys, nntrain.config; print([m for m in ('yaml', 'pydantic', 'numpy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.text(min_size=1, max_size=110) | st.text('ab.-/\\:*?<>|" \té\U0001f600', min_size=1, max_size=40))
def test_a_name_that_the_config_takes_is_taken_by_the_run_directory(name: str) -> None:
    if unsafe_name(name) is None:
        check_name(name)
