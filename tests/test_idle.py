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


@pytest.fixture
def idle(tmp_path: Path) -> Any:
    """Return a function that returns the keys of a config that are told to have no effect, and why."""
    generator = np.random.default_rng(0)
    lines = [f"{x:.3f},{x * x:.3f},{'pq'[i % 2]},{'uvw'[i % 3]}" for i, x in enumerate(generator.normal(size=60))]
    (tmp_path / "data.csv").write_text("\n".join(["a,y,kind,colour", *lines, ""]))
    path = tmp_path / "c.yaml"

    def told(architecture: Any = MLP, target: str = "kind", **changes: Any) -> dict[str, str]:
        top = {key: changes.pop(key) for key in list(changes) if key in ("class_weight", "epochs")}
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
            "resnet does not use it for rows",
        ),
        ({"architecture": {**RESNET, "embedding": 3}}, "architecture.embedding", "no feature is embedded"),
        (
            {"architecture": {"layers": [{"name": "dense", "units": 3, "bias": False, "bias_initializer": "ones"}]}},
            "architecture.layers.0.bias_initializer",
            "bias is false",
        ),
    ],
)
def test_a_key_without_effect_is_told_with_the_reason(idle: Any, changes: Any, key: str, reason: str) -> None:
    assert idle(**changes) == {key: reason}


def test_a_share_beside_a_file_that_splits(idle: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", train=np.arange(40), val=np.arange(40, 60))
    found = idle(split=str(tmp_path / "rows.npz"), validation=0.4)
    assert found == {"data.validation": "data.split names the rows of each part"}
    assert idle(split=str(tmp_path / "rows.npz")) == {}
