"""Images, sequences, series, reconstruction: the same bytes after any interruption and for any number of threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nntrain.runs.run import Run
from tests.trainings import digest, fit, stop_at_every_update

SEQUENCE = {"group": "id", "order": "t"}
FORMS: dict[str, dict[str, Any]] = {
    "image": {"image": {"height": 4, "width": 4, "augment": {"shift": 1, "flip": "both", "rotate": 20, "crop": 0.2}}},
    "wide": {"sequence": {"steps": 8, "channels": 2}},
    "long": {"sequence": SEQUENCE},
    "tagging": {"sequence": {**SEQUENCE, "target_per": "row"}},
    "series": {"series": {"window": 6, "horizon": 2, "difference": 1}, "order": "t", "target": "y", "ignore": ["id"]},
    "reconstruction": {"target": []},
}
LAYERS: dict[str, Any] = {
    "image": {"name": "cnn", "filters": [3, 4], "dense": [5], "dropout": 0.3},
    "image_norm": {"name": "resnet", "blocks": 1, "filters": [3, 4], "dropout": 0.2},
    "image_list": {
        "layers": [
            {"name": "conv2d", "filters": 4, "kernel": 2, "stride": 2},
            "relu",
            {"name": "spatial_dropout", "rate": 0.3},
            {"name": "conv2d_transpose", "filters": 3, "kernel": 2, "stride": 2},
            {"name": "group_norm", "groups": 3},
            "global_max_pool",
        ]
    },
    "wide": {"name": "lstm", "hidden": [5, 4], "bidirectional": True, "dropout": 0.2},
    "wide_cnn": {"name": "cnn", "filters": [4], "dense": [5], "dropout": 0.2},
    "long": {"name": "gru", "hidden": [5], "pooling": "mean", "dropout": 0.2, "truncate": 3},
    "long_fcn": {"name": "fcn", "filters": [4, 4], "kernels": [3, 3]},
    "long_attention": {"name": "transformer", "width": 8, "heads": 2, "blocks": 1, "dropout": 0.2},
    "tagging": {"name": "rnn", "hidden": [5], "dropout": 0.2},
    "series": {"name": "lstm", "hidden": [5]},
    "reconstruction": {"name": "autoencoder", "hidden": [4, 2], "noise": 0.1},
}


def write(folder: Path, name: str) -> Path:
    """Write a table of the form and a config for it; return the config."""
    generator = np.random.default_rng(0)
    form = name.partition("_")[0]
    if form in ("long", "tagging", "series"):
        lines = ["id,t,a,b,kind,y"]
        for i in range(14):
            for t in range(3 + i % 4 if form != "series" else 3):
                a, b = generator.standard_normal(2) + i % 2
                kind = "xy"[(i + t) % 2 if form == "tagging" else i % 2]
                lines.append(f"{i},{t if form != 'series' else len(lines)},{a:.4f},{b:.4f},{kind},{a + b:.4f}")
    else:
        lines = [",".join([*(f"p{i}" for i in range(16)), "kind"])]
        for i in range(24):
            pixels = generator.integers(0, 200, 16) + 50 * (i % 2)
            lines.append(",".join([*map(str, pixels), "xy"[i % 2]]))
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {"train": "data.csv", "target": "kind", "validation": 0.25, **FORMS[form]}
    data |= {"ignore": ["y"]} if form in ("long", "tagging") else {}
    data |= {"ignore": ["id", "kind"]} if form == "series" else {}
    data |= {"ignore": ["kind"]} if form == "reconstruction" else {}
    config = {"data": data, "architecture": LAYERS[name], "batch_size": 5, "epochs": 2, "optimizer": "adam"}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", LAYERS)
def test_stopped_after_every_update(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    stop_at_every_update(tmp_path, path)
    assert Run.open(tmp_path / "pieces").status == "finished"


@pytest.mark.parametrize("name", LAYERS)
def test_threads_change_no_bit(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    for threads in (1, 2, 4):
        fit(path, tmp_path / f"run-{threads}", overrides=("shards=4", f"threads={threads}"))
    # The config within a checkpoint names the threads nowhere, so whole files are compared.
    first, *others = [digest(tmp_path / f"run-{threads}") for threads in (1, 2, 4)]
    assert all(other == first for other in others)


def test_shards_of_tagged_sequences_add_up_to_the_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "tagging")
    losses = []
    for shards in (1, 2):
        fit(path, tmp_path / f"run-{shards}", overrides=(f"shards={shards}", "architecture.dropout=0.0"))
        losses.append([row["train_loss"] for row in Run.open(tmp_path / f"run-{shards}").read_metrics()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
