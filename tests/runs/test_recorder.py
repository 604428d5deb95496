"""The row files: what is written when, and how they are mended."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from nntrain.errors import ResourceError, RunError
from nntrain.runs.recorder import MOST_WAITING, Recorder, read_metrics
from nntrain.runs.rows import read_rows


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def record(recorder: Recorder, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        recorder.epoch({"epoch": epoch, "val_loss": 1 / epoch}, {"epoch": epoch, "train_seconds": 0.1})
        recorder.gradients([{"epoch": epoch, "layer": name} for name in ("dense_1", "dense_2")])


@pytest.fixture
def kept(tmp_path: Path) -> bytes:
    """The history after five epochs, of which the files hold seven."""
    recorder = Recorder(tmp_path)
    record(recorder, 1, 5)
    history = recorder.history
    record(recorder, 6, 7)
    recorder.commit()
    return history


def epochs(path: Path) -> list[int]:
    return [row["epoch"] for row in read_rows(path)]


def mend(folder: Path, history: bytes) -> list[str]:
    recorder = Recorder(folder)
    recorder.expect(history)
    notices = recorder.truncate_to(5)
    assert recorder.history == history
    return notices


def test_rows_wait_for_the_commit(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    record(recorder, 1, 2)
    assert listing(tmp_path) == []
    recorder.commit()
    assert epochs(tmp_path / "metrics.jsonl") == epochs(tmp_path / "timing.jsonl") == [1, 2]
    assert epochs(tmp_path / "gradients.jsonl") == [1, 1, 2, 2]
    recorder.commit()
    assert recorder.history == (tmp_path / "metrics.jsonl").read_bytes()


def test_flushed_rows_are_synced_by_the_next_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file))[1])
    recorder = Recorder(tmp_path)
    record(recorder, 1, 1)
    recorder.flush()
    assert epochs(tmp_path / "metrics.jsonl") == [1]
    assert synced == []
    recorder.commit()
    assert len(synced) == 3 + 1  # the files, and the folder that has their names
    record(recorder, 2, 2)
    recorder.commit()
    assert len(synced) == 4 + 3
    assert epochs(tmp_path / "metrics.jsonl") == [1, 2]


def test_many_rows_do_not_wait_in_memory(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    number = 0
    while not listing(tmp_path):
        number += 1
        record(recorder, number, number)
    assert epochs(tmp_path / "metrics.jsonl") == epochs(tmp_path / "timing.jsonl") == list(range(1, number + 1))
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert MOST_WAITING < written < MOST_WAITING + 1000


def test_the_row_of_an_epoch(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    assert recorder.row(1) == recorder.row(None) == recorder.row(0) == {}
    record(recorder, 1, 12)
    assert [recorder.row(epoch).get("epoch") for epoch in (1, 2, 12)] == [1, 2, 12]
    assert recorder.row(13) == recorder.row(20) == {}


def test_rows_are_valid_json_whatever_they_hold(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.epoch({"epoch": np.int64(1), "auc": math.nan, "x": np.float32(0.5), "y": -math.inf}, {"epoch": 1})
    recorder.commit()
    text = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(text) == {"epoch": 1, "auc": None, "x": 0.5, "y": None}


def test_rows_that_could_not_be_written_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    recorder = Recorder(folder)
    record(recorder, 1, 1)
    with pytest.raises(ResourceError):
        recorder.commit()
    folder.mkdir()
    recorder.commit()
    assert epochs(folder / "metrics.jsonl") == [1]


def test_rows_after_the_checkpoint_are_cut(tmp_path: Path, kept: bytes) -> None:
    assert mend(tmp_path, kept) == ["metrics.jsonl: 2 rows after the checkpoint cut off"]
    assert (tmp_path / "metrics.jsonl").read_bytes() == kept
    assert epochs(tmp_path / "timing.jsonl") == [1, 2, 3, 4, 5]
    assert epochs(tmp_path / "gradients.jsonl") == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert mend(tmp_path, kept) == []


@pytest.mark.parametrize("how", ["torn", "zeros", "deleted", "cut", "empty", "changed", "garbage"])
def test_damage_is_mended_from_the_checkpoint_and_said_so(tmp_path: Path, kept: bytes, how: str) -> None:
    path = tmp_path / "metrics.jsonl"
    contents = {
        "torn": kept + b'{"epoch": 6, "val_l',
        "zeros": kept + bytes(300),
        "cut": kept[:-20],
        "empty": b"",
        "changed": kept.replace(b"0.5", b"0.4"),
        "garbage": b"\xff\xfe" + kept,
    }
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(contents[how])
    (notice,) = mend(tmp_path, kept)
    assert notice.startswith("metrics.jsonl")
    assert path.read_bytes() == kept


def test_other_row_files_are_cut_at_the_damage(tmp_path: Path, kept: bytes) -> None:
    mend(tmp_path, kept)
    lines = (tmp_path / "timing.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "timing.jsonl").write_bytes(b"".join([*lines[:2], b"nonsense\n", *lines[3:]]))
    assert mend(tmp_path, kept) == ["timing.jsonl: damaged from line 3, cut off there"]
    assert epochs(tmp_path / "timing.jsonl") == [1, 2]


def test_without_a_history_the_file_must_hold_the_epochs(tmp_path: Path, kept: bytes) -> None:
    assert Recorder(tmp_path).truncate_to(5) == ["metrics.jsonl: 2 rows after the checkpoint cut off"]
    with pytest.raises(RunError, match="epochs 1 to 6, as the checkpoint has them, got 5"):
        Recorder(tmp_path).truncate_to(6)
    with pytest.raises(RunError, match="epochs 1 to 1000000000000, as the checkpoint has them, got 5"):
        Recorder(tmp_path).truncate_to(10**12)
    assert (tmp_path / "metrics.jsonl").read_bytes() == kept


def test_starting_over_empties_the_files(tmp_path: Path, kept: bytes) -> None:
    assert kept
    Recorder(tmp_path).truncate_to(0)
    for name in ("metrics", "timing", "gradients"):
        assert (tmp_path / f"{name}.jsonl").read_bytes() == b""


def test_readers_skip_a_torn_tail_and_name_other_damage(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(tmp_path) == []
    for tail in (b"", b'{"epoch": 2', bytes(50), bytes(5) + b"\n"):
        path.write_bytes(b'{"epoch": 1}\n' + tail)
        assert read_metrics(tmp_path) == [{"epoch": 1}]
    for line in (b"x", b"[1]", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff"):
        path.write_bytes(b'{"epoch": 1}\n' + line + b'\n{"epoch": 3}\n')
        with pytest.raises(RunError) as caught:
            read_metrics(tmp_path)
        assert caught.value.problems[0].line == 2
