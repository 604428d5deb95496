"""``nntrain verify-resume``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.cli import verifying
from nntrain.cli.entry import run as command
from nntrain.cli.rerunning import COMPARED
from nntrain.cli.verifying import places_to_stop
from nntrain.config import load_config
from nntrain.config.schema import Config
from nntrain.experiment import Experiment, assemble
from nntrain.runs.run import Run


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_same_bytes_in_many_pieces(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["verify-resume", str(config), "--pieces", "6", "--json"]) == 0
    found = document(capsys)
    assert found["identical"] is True
    assert found["updates"] == 32
    assert len(found["stops"]) == 5
    assert any(stop % 8 for stop in found["stops"])
    assert any(stop % 8 == 0 for stop in found["stops"])
    assert set(found["files"]) == set(COMPARED)
    assert not (config.parent / "runs").exists()


def test_the_text_tells_what_was_compared(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["verify-resume", str(config), "--quiet", "--pieces", "3"]) == 0
    out = capsys.readouterr().out
    assert "without a stop: 32 updates, 4 epochs" in out
    assert "stopped and resumed: after updates 8, 17 (1 of 2 within an epoch)" in out
    assert out.endswith("resumed runs have the same bytes\n")


@pytest.mark.parametrize("setting", ["data.folds=3", "callbacks=[{name: early_stopping, patience: 1}]", "epochs=1"])
def test_forms_of_training(config: Path, setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--set", "data.validation=none"] if "folds" in setting else []
    assert command(["verify-resume", str(config), "--set", setting, *more, "--json"]) == 0
    assert document(capsys)["identical"] is True


def test_a_difference_is_found_and_placed(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def assemble_otherwise(config: Config, run: Run) -> Experiment:
        return assemble(load_config(config.path, ["optimizer.learning_rate=0.05"]))

    monkeypatch.setattr(verifying, "assemble_again", assemble_otherwise)
    assert command(["verify-resume", str(config), "--pieces", "2", "--quiet"]) == 4
    out = capsys.readouterr().out
    assert "DIFFERS" in out
    assert "resumed runs differ from epoch 3 on: learning_rate, train_loss" in out


def test_an_error_of_the_config_is_told_as_ever(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["verify-resume", str(config), "--set", "optimizer=adm"]) == 2
    assert "did you mean 'adam'" in capsys.readouterr().err


def test_a_training_that_diverges_is_that_error(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "optimizer={name: sgd, learning_rate: 1e38}", "--set", "epochs=50"]
    assert command(["verify-resume", str(config), *settings]) == 5


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 20))
def test_places_lie_within_the_training(updates: int, per_epoch: int, count: int) -> None:
    places = places_to_stop(updates, per_epoch, count)
    assert places == sorted(set(places))
    assert all(0 < place < updates for place in places)
    assert len(places) <= count
