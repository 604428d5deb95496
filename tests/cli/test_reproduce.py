"""``nntrain reproduce``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nntrain.cli import reproducing
from nntrain.cli.entry import run as command
from nntrain.cli.rerunning import COMPARED
from nntrain.runs import checkpoint

PLUGIN = """\
from nntrain.core.layer import LAYERS, Layer


@LAYERS.register("twice")
class Twice(Layer):
    def build(self, in_shape):
        return in_shape

    def forward(self, x, ctx):
        return 2 * x

    def backward(self, dy):
        return 2 * dy
"""


def fit(config: Path, *more: str) -> Path:
    assert command(["fit", str(config), "--run-dir", "run", "--quiet", *more]) in (0, 5)
    return config.parent / "run"


def reproduced(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, Any]:
    capsys.readouterr()
    assert command(["reproduce", "run", "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def content(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "setting",
    [
        "seed=3",
        "callbacks=[{name: early_stopping, patience: 1}]",
        "optimizer={name: sgd, learning_rate: {name: cosine, initial: 0.1}}",
        "data.test=0.2",
    ],
)
def test_the_same_bits(config: Path, setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(fit(config, "--set", setting))
    found = reproduced(capsys, 0)
    assert found["identical"] is True
    assert found["changed"] == []
    assert set(found["files"]) == set(COMPARED)
    assert content(config.parent / "run") == before


def test_a_run_that_diverged_diverges_again(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config, "--set", "optimizer={name: sgd, learning_rate: 1e38}")
    assert reproduced(capsys, 0)["identical"] is True


def test_the_batch_that_was_fitted_alone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config, "--overfit-batch")
    assert reproduced(capsys, 0)["updates"] == 4


def test_an_interrupted_run_up_to_where_it_got(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nntrain.cli.signals import INTERRUPTION

    left = iter([None] * 11 + ["SIGTERM"] * 9)
    with monkeypatch.context() as patch:
        patch.setattr(INTERRUPTION, "reason", lambda: next(left))
        assert command(["fit", str(config), "--run-dir", "run", "--quiet"]) == 130
    assert reproduced(capsys, 0)["updates"] == 11


def test_a_changed_row_is_placed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = fit(config) / "metrics.jsonl"
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    rows[2]["train_loss"] += 1e-9
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = reproduced(capsys, 4)
    difference = found["first_difference"]
    assert (difference["epoch"], difference["first_step"], difference["last_step"]) == (3, 17, 24)
    assert list(difference["columns"]) == ["train_loss"]
    assert found["updates"] == 24, "no later epoch need be trained"


def test_rows_that_the_run_lacks_are_a_difference(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = fit(config) / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:3]))
    assert reproduced(capsys, 4)["first_difference"]["epoch"] == 4


def test_changed_data_are_the_reason(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config)
    table = config.parent / "rows.csv"
    table.write_text(table.read_text().replace("6,3,b", "6,4,b"))
    capsys.readouterr()
    assert command(["reproduce", "run", "--quiet"]) == 4
    out = capsys.readouterr().out
    assert "data" in out
    assert "rows.csv: SHA-256" in out
    assert "not reproduced: epoch 1 (updates 1 to 8) is the first to differ: train_loss" in out
    assert "bug" not in out


def test_other_versions_are_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = fit(config)
    info = json.loads((run / "run.json").read_text())
    info["versions"]["numpy"], info["blas"]["kernel"] = "1.99.0", "Prescott"
    (run / "run.json").write_text(json.dumps(info))
    changed = {each["what"]: each["then"] for each in reproduced(capsys, 0)["changed"]}
    assert changed == {"numpy": "1.99.0", "BLAS kernel": "Prescott"}


def test_an_unexplained_difference_asks_for_a_report(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fit(config) / "checkpoints" / "last.safetensors"
    arrays, state = checkpoint.load(path)
    arrays["weights.dense_1.kernel"][0, 0] += 1
    checkpoint.save(path, arrays, state)
    found = reproduced(capsys, 4)
    assert found["first_difference"] is None
    assert [name for name, file in found["files"].items() if not file["identical"]] == ["checkpoints/last.safetensors"]
    monkeypatch.setattr(reproducing, "compared", lambda *arguments: {})
    (config.parent / "run" / "metrics.jsonl").write_text("")
    capsys.readouterr()
    assert command(["reproduce", "run", "--quiet"]) == 4
    assert "please report it" in capsys.readouterr().out


def test_a_run_extended_under_another_config_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config, "--set", "optimizer={name: sgd, learning_rate: {name: cosine, initial: 0.1}}")
    config.write_text((config.parent / "run" / "config.yaml").read_text().replace("epochs: 4", "epochs: 6"))
    assert command(["fit", str(config), "--resume", "run", "--quiet"]) == 0
    found = reproduced(capsys, 4)
    assert [each["what"] for each in found["changed"]] == ["config"]
    assert "up to epoch 4" in found["changed"][0]["then"]


def test_what_cannot_be_reproduced(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["fit", str(config), "--run-dir", "many", "--seeds", "2", "--quiet"]) == 0
    assert command(["reproduce", "many"]) == 4
    assert "name one of its runs" in capsys.readouterr().err
    run = fit(config)
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "status": "interrupted"}))
    assert command(["reproduce", "run"]) == 4
    assert "nothing to reproduce" in capsys.readouterr().err


def test_a_changed_plug_in_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = config.parent / "mine.py"
    mine.write_text(PLUGIN)
    more = ["--set", "plugins=mine.py", "--set", "architecture={layers: [twice]}"]
    fit(config, *more)
    assert command(["reproduce", "run", "--quiet"]) == 4
    assert "pass --plugin" in capsys.readouterr().err
    assert command(["reproduce", "run", "--quiet", "--plugin", "mine.py"]) == 0
    mine.write_text(PLUGIN.replace("2 * x", "3 * x"))
    capsys.readouterr()
    assert command(["reproduce", "run", "--quiet", "--plugin", "mine.py"]) == 4
    assert "mine.py: SHA-256" in capsys.readouterr().out
    assert command(["replay", "run", "--step", "2", "--quiet", "--plugin", "mine.py"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("warning: mine.py: the plug-in has changed since the run was trained (SHA-256 ")
    assert "--force-config" not in err
