"""A run is the same, byte for byte, whether its table was parsed anew, found in the cache, or streamed from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nntrain.cli.entry import run as command
from nntrain.data import table
from nntrain.data.cache import FOLDER_VARIABLE


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
    noise = np.random.default_rng(3)
    rows = zip(noise.normal(size=200), noise.integers(0, 3, 200), noise.integers(0, 2, 200), strict=True)
    lines = [f"{size:.4f},{('oak', 'elm', 'ash')[kind]},{label}" for size, kind, label in rows]
    (tmp_path / "trees.csv").write_text("size,kind,label\n" + "\n".join(lines) + "\n")
    (tmp_path / "trees.yaml").write_text(
        "data: {train: trees.csv, target: label}\narchitecture: {name: mlp, hidden: [4]}\nepochs: 2\n"
    )
    return tmp_path


def trained(name: str, *arguments: str) -> dict[str, bytes]:
    assert command(["fit", "trees.yaml", "--run-dir", name, "--quiet", *arguments]) == 0
    files = ("metrics.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors")
    return {file: (Path(name) / file).read_bytes() for file in files}


def test_the_bytes_of_a_run_do_not_depend_on_where_its_table_lies(place: Path) -> None:
    anew = trained("anew", "--no-cache")
    assert not (place / "cache").exists()
    assert trained("first") == anew
    assert len(list((place / "cache").glob("*.columns"))) == 1
    assert trained("second") == anew
    assert trained("streamed", "--set", "stream=true") == anew
    assert trained("streamed-anew", "--set", "stream=true", "--no-cache") == anew
    assert trained("in-memory", "--set", "stream=false", "--no-cache") == anew
