"""Keys that are given and change nothing are told, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nntrain.config import load_config
from nntrain.config.dump import dump_yaml
from nntrain.experiment import assemble
from nntrain.fitting import complete_config

MLP = {"name": "mlp", "hidden": [4]}
RESNET = {"name": "resnet", "blocks": 1, "width": 4}
TWO_STEPS = {"steps": 2}


@pytest.fixture
def idle(tmp_path: Path) -> Any:
    """Return a function that returns the keys of a config that are told to have no effect, and why."""
    generator = np.random.default_rng(0)
    lines = [f"{x:.3f},{x * x:.3f},{'pq'[i % 2]},{'uvw'[i % 3]}" for i, x in enumerate(generator.normal(size=60))]
    (tmp_path / "data.csv").write_text("\n".join(["a,y,kind,colour", *lines, ""]))
    path = tmp_path / "c.yaml"

    def told(architecture: Any = MLP, target: str = "kind", **changes: Any) -> dict[str, str]:
        top = {key: changes.pop(key) for key in list(changes) if key in ("optimizer", "accumulate", "batch_size")}
        data = {"train": "data.csv", "target": target, **changes}
        path.write_text(yaml.safe_dump({"data": data, "architecture": architecture, **top}))
        experiment = assemble(load_config(str(path)))
        again = tmp_path / "again.yaml"  # as a run keeps it, every key spelled out
        again.write_text(dump_yaml(complete_config(experiment.config, experiment)))
        lines = path.read_text().splitlines()
        found = {}
        for notice in experiment.idle:
            assert notice in experiment.notices
            key, _, rest = notice.removeprefix("warning: ").partition(" has no effect: ")
            reason, _, place = rest.rpartition(" (")
            assert place.startswith(f"{path}:")
            line = lines[int(place.rstrip(")").rpartition(":")[2]) - 1]
            assert key.split(".")[-1] in line
            found[key] = reason
        repeated = [notice.partition(" (")[0] for notice in assemble(load_config(str(again))).idle]
        assert repeated == [notice.partition(" (")[0] for notice in experiment.idle]
        return found

    return told


def test_nothing_is_told_of_keys_that_act(idle: Any) -> None:
    assert idle() == {}
    acting = {"positive_class": "p", "scale": "minmax", "categorical": "embedding", "split": "random"}
    assert idle({**RESNET, "embedding": 2}, categorical="embedding") == {}
    assert idle({**MLP, "activation": "tanh", "dropout": 0.1, "bias_initializer": "ones"}, **acting) == {}
    treated = {"columns": {"colour": {"categorical": "ordinal", "scale": "none"}, "a": {"missing": "constant"}}}
    assert idle(**treated, fill=2.0, target_scale="none", target="y") == {}
    assert idle({**RESNET, "hidden_factor": 3.0, "hidden_dropout": 0.1, "residual_dropout": 0.1}) == {}
    assert idle(split="tail", validation="none", test=0.2) == {}
    assert idle(optimizer={"name": "adam", "decoupled": True, "weight_decay": 0.1}) == {}
    assert idle(optimizer={"name": "adamw", "weight_decay": 0}, accumulate=2) == {}
    assert idle(split="stratified", folds=3, validation="none") == {}


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"target": "y", "positive_class": "p"}, "data.positive_class", "the task is regression"),
        ({"target_scale": "minmax"}, "data.target_scale", "the task is classification"),
        ({"fill": 3.0}, "data.fill", "it goes with missing: constant, which no column of numbers has"),
        ({"ignore": ["colour"], "categorical": "ordinal"}, "data.categorical", "no feature is categorical"),
        ({"ignore": ["a", "y"], "scale": "minmax"}, "data.scale", "no feature is a number"),
        ({"validation": "none", "split": "random"}, "data.split", "no rows are held out of the training rows"),
        ({"columns": {"a": {"fill": 1.0}}}, "data.columns.a.fill", "it goes with missing: constant"),
        ({"columns": {"a": {"categorical": "ordinal"}}}, "data.columns.a.categorical", "the column is numeric"),
        (
            {"columns": {"colour": {"scale": "minmax"}}},
            "data.columns.colour.scale",
            "the column is categorical, and not ordinal",
        ),
        (
            {"columns": {"kind": {"type": "categorical"}}},
            "data.columns.kind",
            "'kind' is the target, and data.task and data.target_scale say how it is treated",
        ),
        ({"ignore": ["a"], "columns": {"a": {"scale": "none"}}}, "data.columns.a", "'a' is ignored"),
        (
            {"architecture": {**RESNET, "filters": [3]}},
            "architecture.filters",
            "the layers of resnet for rows are the same without it",
        ),
        ({"architecture": {**RESNET, "embedding": 3}}, "architecture.embedding", "no feature is embedded"),
        (
            {"architecture": {"layers": [{"name": "dense", "units": 3, "bias": False, "bias_initializer": "ones"}]}},
            "architecture.layers.0.bias_initializer",
            "bias is false",
        ),
        ({"optimizer": {"name": "adam", "decoupled": True}}, "optimizer.decoupled", "weight_decay is 0"),
        ({"accumulate": 2, "batch_size": "full"}, "accumulate", "an epoch is one batch"),
    ],
)
def test_a_key_without_effect_is_told_with_the_reason(idle: Any, changes: Any, key: str, reason: str) -> None:
    assert idle(**changes) == {key: reason}


def test_arguments_that_need_each_other_or_say_what_is_chosen_are_not_told(idle: Any) -> None:
    # each of the two alone, beside the other's default, would be refused
    assert idle({"name": "fcn", "filters": [3], "kernels": [2]}, ignore=["colour"], sequence=TWO_STEPS) == {}
    heads = {"name": "transformer", "width": 6, "heads": 3, "blocks": 1}
    assert idle(heads, ignore=["colour"], sequence=TWO_STEPS) == {}
    # auto and null choose just these
    head = {"name": "cnn", "filters": [2], "head": "flatten"}
    assert idle(head, ignore=["colour"], sequence=TWO_STEPS) == {}
    stages = {"name": "resnet", "filters": [64, 128, 128]}
    assert idle(stages, ignore=["colour"], sequence=TWO_STEPS) == {}


def test_what_the_section_says_of_columns_that_each_have_their_own(idle: Any) -> None:
    own = {"scale": "none", "missing": "mean"}
    columns = {"a": own, "y": own, "colour": {"categorical": "ordinal", **own}}
    said = {"scale": "minmax", "missing": "median", "categorical": "embedding"}
    each = "data.columns says it of each column it concerns"
    assert idle(columns=columns, **said) == dict.fromkeys(("data.scale", "data.missing", "data.categorical"), each)
    del columns["y"]
    assert idle(columns=columns, **said) == {"data.categorical": each}


def test_keys_of_a_target_that_an_autoencoder_has_not(idle: Any) -> None:
    reason = "the input itself is the target"
    architecture = {"name": "autoencoder", "hidden": [2]}
    found = idle(architecture, target_scale="none", task="classification")
    assert found == {"data.task": reason, "data.target_scale": reason}
    assert idle(architecture, task="regression") == {}


def test_a_series_without_feature_columns(idle: Any) -> None:
    series = {"series": {"window": 3}, "target": "y", "ignore": ["a", "kind", "colour"]}
    found = idle(**series, scale="minmax", missing="mean")
    assert found == {"data.scale": "no feature is a number", "data.missing": "there is no feature column"}
    assert idle(**series, scale="minmax", target_scale="none") == {}  # the target's past is scaled so
    classes = {"series": {"window": 3, "include_target": False}, "task": "classification"}
    assert idle(**classes, target_scale="none") == {"data.target_scale": "the task is classification"}


def test_first_values_of_positions_that_are_not_learned(idle: Any) -> None:
    def layers(**given: Any) -> dict[str, Any]:
        return {"layers": [{"name": "positional_encoding", **given}, "flatten"]}

    sequence = {"ignore": ["colour"], "sequence": TWO_STEPS}
    found = idle(layers(initializer="ones"), **sequence)
    assert found == {"architecture.layers.0.initializer": "kind is sinusoidal, which is not learned"}
    assert idle(layers(initializer="ones", kind="learned"), **sequence) == {}
    assert idle(layers(initializer="normal"), **sequence) == {}
    assert idle({"layers": ["positional_encoding", "flatten"]}, **sequence) == {}


def test_texts_are_no_numbers(idle: Any) -> None:
    text = {"ignore": ["a", "y"], "columns": {"colour": {"type": "text"}}, "text": {"minimum_count": 1}}
    gru = {"name": "gru", "hidden": [2]}
    found = idle(gru, **text, scale="minmax", fill=2.0, missing="constant")
    assert set(found) == {"data.scale", "data.fill"}


def test_a_share_beside_a_file_that_splits(idle: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", train=np.arange(40), val=np.arange(40, 60))
    found = idle(split=str(tmp_path / "rows.npz"), validation=0.4)
    assert found == {"data.validation": "data.split names the rows of each part"}
    assert idle(split=str(tmp_path / "rows.npz"), validation="none") == found
    assert idle(split=str(tmp_path / "rows.npz")) == {}
