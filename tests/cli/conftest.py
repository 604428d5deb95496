"""A small training that the commands which train again are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFIG = """\
data: {train: rows.csv, target: y, validation: 0.25}
architecture: {layers: [{name: dense, units: 6, activation: tanh}, batch_norm, {name: dropout, rate: 0.2}]}
epochs: 4
batch_size: 4
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a config of 4 epochs of 8 updates, in the current folder."""
    rows = "\n".join(f"{i % 7},{i * i % 11},{'ab'[i % 3 == 0]}" for i in range(40))
    (tmp_path / "rows.csv").write_text(f"a,b,y\n{rows}\n")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return path
