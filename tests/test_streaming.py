"""Examples on disk: the same bytes as in memory, whatever is learnt from; bounded memory; nothing left behind."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from nntrain.config import load_config
from nntrain.core.task import Task
from nntrain.data.batches import Dataset, Loader
from nntrain.data.chunks import CHUNK_ROWS
from nntrain.data.options import DataOptions
from nntrain.data.preparation import prepare
from nntrain.data.storage import storage_for
from nntrain.data.target import Target
from nntrain.data.transforms import Affine
from nntrain.errors import ConfigError
from nntrain.metrics.base import METRICS, Predictions, evaluate
from nntrain.planning import plan
from tests.trainings import digest, fit

MIXED = ["a", "b", "n", "k", "m", "day", "yes", "y", "z", "w", "g", "t"]
CASES: dict[str, dict[str, Any]] = {
    "regression": {"target": "y", "features": ["a", "b"]},
    "quantiles": {"target": "y", "features": ["a", "b", "n"], "scale": "quantile"},
    "robust": {"target": "y", "features": ["a", "b"], "scale": "robust", "target_scale": "minmax", "test": 0.1},
    "missing": {"target": "y", "features": ["a", "n"], "missing": "mean"},
    "dropped": {"target": "y", "features": ["a", "n", "m"], "missing": "drop", "test": 0.2},
    "classes": {"target": "k", "features": ["a", "n", "m", "day", "yes"]},
    "codes": {"target": "k", "features": ["a", "m"], "categorical": "embedding"},
    "ordinal": {"target": "k", "features": ["b", "m"], "categorical": "ordinal"},
    "two targets": {"target": ["y", "z"], "features": ["a", "b", "k"]},
    "weights": {"target": "y", "features": ["a", "b", "m"], "weight": "w"},
    "groups": {"target": "k", "features": ["a", "b"], "group": "g"},
    "order": {"target": "y", "features": ["a", "b"], "order": "t", "test": 0.2},
    "tail": {"target": "y", "features": ["a", "b"], "split": "tail"},
    "multilabel": {"target": ["l0", "l1"], "features": ["a", "b"], "task": "multilabel"},
}


def mixed(rows: int = 260) -> list[str]:
    """Return the lines of a table with columns of all kinds, some cells missing."""
    noise = np.random.default_rng(3)
    a, b = noise.normal(size=(2, rows)).round(3)
    day, place = noise.integers(0, 400, rows), noise.integers(0, 4, (4, rows))
    dates = np.datetime_as_string(np.datetime64("2023-01-01") + day)
    lines = [",".join([*MIXED, "l0", "l1"])]
    for i in range(rows):
        n = "" if i % 7 == 3 else str(i % 11)
        m = "" if i % 13 == 5 else "pqrs"[place[0, i]]
        truth = ("yes", "no", "")[i % 3 if i % 5 else 2]
        cells = [a[i], b[i], n, "uvw"[place[1, i] % 3], m, dates[i], truth, a[i] - 2 * b[i], b[i] ** 2]
        cells += [place[2, i] / 2 + 0.5, f"g{place[3, i]}{i % 9}", (i * 37) % rows, int(a[i] > 0), int(b[i] > a[i])]
        lines.append(",".join(map(str, cells)))
    return lines


def images(whole: bool) -> list[str]:
    """Return the lines of a table of 4 x 4 images."""
    noise = np.random.default_rng(4)
    lines = [",".join([*(f"p{i}" for i in range(16)), "kind"])]
    for i in range(120):
        pixels = noise.integers(0, 256, 16) * (1 if whole else 0.5) + (i % 2) * 40
        lines.append(",".join([*map(str, pixels.tolist()), "xy"[i % 2]]))
    return lines


def config(folder: Path, lines: list[str], data: dict[str, Any], **more: Any) -> Path:
    """Write a table and a config; return the config."""
    (folder / "table.csv").write_text("\n".join(lines) + "\n", "utf-8")
    document = {
        "data": {"train": "table.csv", **data},
        "architecture": {"name": "mlp", "hidden": [6]},
        "batch_size": 32,
        "epochs": 2,
        **more,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def same_on_disk(folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in memory and from disk, the latter encoded in stretches of other lengths; compare all bytes."""
    fit(path, folder / "memory", overrides=("stream=false",))
    monkeypatch.setattr("nntrain.data.forms.rows._BLOCK_VALUES", 1)
    monkeypatch.setattr("nntrain.data.forms.rows._USUAL_ROWS", 1)
    monkeypatch.setattr("nntrain.data.forms.rows._FEWEST_ROWS", 37)
    fit(path, folder / "disk", overrides=("stream=true",))
    assert digest(folder / "memory") == digest(folder / "disk")


@pytest.mark.parametrize("name", CASES)
def test_rows_give_the_same_bytes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"class_weight": "balanced"} if name == "codes" else {}
    same_on_disk(tmp_path, config(tmp_path, mixed(), CASES[name], **more), monkeypatch)


@pytest.mark.parametrize("whole", [True, False])
def test_images_give_the_same_bytes(whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = {"height": 4, "width": 4, "augment": {"shift": 1}}
    same_on_disk(tmp_path, config(tmp_path, images(whole), {"target": "kind", "image": image}), monkeypatch)


def test_more_rows_than_a_stretch_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0)
    x, y = noise.normal(size=(2, 140_000)).round(2)
    y += x
    lines = ["x,k,y", *(f"{a},{'pq'[i % 2]},{b:.2f}" for i, (a, b) in enumerate(zip(x, y, strict=True)))]
    path = config(tmp_path, lines, {"target": "y", "scale": "quantile"}, batch_size=4096, epochs=1)
    same_on_disk(tmp_path, path, monkeypatch)


def test_examples_of_a_streamed_table_lie_in_a_map(tmp_path: Path) -> None:
    config(tmp_path, mixed(), CASES["weights"])
    options = DataOptions(train=str(tmp_path / "table.csv"), target="y", features=["a", "b"], weight="w")
    on_disk = prepare(options, Path, 0, stream=True).train
    in_memory = prepare(options, Path, 0, stream=False).train
    for name in ("x", "target", "weight", "rows"):
        mapped, plain = getattr(on_disk, name), getattr(in_memory, name)
        assert np.array_equal(mapped, plain) and mapped.dtype == plain.dtype and type(mapped) is np.ndarray
        assert not _root(mapped).flags.owndata
    assert _root(in_memory.x).flags.owndata


def _root(array: Any) -> Any:
    """Return the array that a view is of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _peak(folder: Path, rows: int) -> int:
    noise = np.random.default_rng(1)
    texts = np.array([f"{number:.3f}" for number in noise.normal(size=5000)])
    lines = [",".join(row) for row in texts[noise.integers(0, 5000, (rows, 21))].tolist()]
    (folder / "table.csv").write_text("\n".join([",".join(f"c{i}" for i in range(21)), *lines]) + "\n", "utf-8")
    options = DataOptions(train=str(folder / "table.csv"), target="c20")
    prepare(options, Path, 0, stream=True)  # into the cache: how it is read is not what is asked here
    tracemalloc.start()
    try:
        prepare(options, Path, 0, stream=True)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_preparing_takes_a_few_numbers_a_row_and_not_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    few, many = CHUNK_ROWS, 2 * CHUNK_ROWS
    # One column in float64 and a copy to find its median, and the row numbers; all 21 columns would be 84 bytes a row.
    assert (_peak(tmp_path, many) - _peak(tmp_path, few)) / (many - few) < 28


def test_batches_and_metrics_of_a_streamed_table_take_a_few_numbers_a_row(tmp_path: Path) -> None:
    grown = []
    for rows in (CHUNK_ROWS, 2 * CHUNK_ROWS):
        x = storage_for(SimpleNamespace(is_streamed=True)).empty((rows, 20), np.float32)  # type: ignore[arg-type]
        data = Dataset(x, np.zeros((rows, 1), np.float32), None, np.arange(rows))
        target = Target(Task("regression", ("y",)), [Affine()], [])
        tracemalloc.start()
        try:
            loader = Loader(data, 64, 0)
            loader.begin(1)
            for number in range(loader.batch_count):
                loader.batch(number)
            answers = data.answers(loader.order)
            predictions = Predictions(target.task, target.decode(answers.target), target.decode(answers.target))
            evaluate({name: METRICS.build(name) for name in ("rmse", "mae")}, predictions)
            grown.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # The order of the epoch, the answers in it, and both sides of the metrics in float64.
    assert (grown[1] - grown[0]) / CHUNK_ROWS < 4 + 4 + 16 + 4


@pytest.mark.parametrize(
    "data",
    [
        {"sequence": {"group": "g"}, "target": "k"},
        {"sequence": {"steps": 2, "channels": 1}, "target": "k"},
        {"series": {"window": 3}, "target": "y"},
        {"columns": {"m": {"type": "text"}}, "target": "k"},
    ],
)
def test_other_forms_refuse_to_be_streamed(tmp_path: Path, data: dict[str, Any]) -> None:
    path = config(tmp_path, mixed(), data)
    layers = {"name": "lstm", "hidden": [3]} if "columns" not in data else {"name": "mlp", "hidden": [3]}
    text = f"{yaml.safe_dump({**yaml.safe_load(path.read_text('utf-8')), 'architecture': layers})}stream: true\n"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        plan(load_config(str(path)))
    problem = caught.value.problems[0]
    assert problem.line == len(text.splitlines())
    assert problem.message.startswith("stream: expected auto or false, got true: examples are")
    assert problem.help is not None and "leave it out" in problem.help


def test_encoding_does_not_depend_on_the_length_of_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, mixed(), {})
    options = DataOptions(train=str(tmp_path / "table.csv"), target="k", ignore=["g", "y", "z"])
    whole = prepare(options, Path, 0).train.x
    for rows in (1, 2, 100):
        monkeypatch.setattr("nntrain.data.forms.rows._BLOCK_VALUES", 1)
        monkeypatch.setattr("nntrain.data.forms.rows._USUAL_ROWS", 1)
        monkeypatch.setattr("nntrain.data.forms.rows._FEWEST_ROWS", rows)
        assert prepare(options, Path, 0).train.x.tobytes() == whole.tobytes()
