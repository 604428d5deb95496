"""Evaluations: where they lie, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.errors import RunError
from nntrain.runs.evaluation import folder_name
from nntrain.runs.run import Run

DOCUMENT = {"sha256": "0123456789abcdef" * 4, "checkpoint": "best", "metrics": {"accuracy": float("nan")}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    with Run.create("x", str(tmp_path), str(tmp_path / "run"), "", "", {}) as made:
        return made


def test_written_and_read_back(run: Run) -> None:
    cells = ["plain", 'quo"te', "a,b", "two\nlines", "cr\rlf", " blank ", "", "=1+1", "\u202e"]
    columns = {"row": range(len(cells)), "true_y": cells, "probability_a": [1 / 3] * len(cells)}
    place = run.write_evaluation("data/held out.csv", "best", DOCUMENT, columns)
    assert place == run.path / "eval" / "held_out-01234567-best"
    assert json.loads((place / "metrics.json").read_text())["metrics"] == {"accuracy": None}
    (found,) = run.read_evaluations()
    assert (found.content, found.checkpoint) == (DOCUMENT["sha256"], "best")
    read = found.predictions()
    assert read["true_y"] == cells
    assert float(read["probability_a"][0]) == 1 / 3


def test_the_user_may_choose_the_folder(run: Run, tmp_path: Path) -> None:
    place = run.write_evaluation("a.csv", "last", DOCUMENT, {"row": [0]}, str(tmp_path / "deep" / "out"))
    assert sorted(path.name for path in place.iterdir()) == ["metrics.json", "predictions.csv"]
    assert run.read_evaluations() == []


def test_again_replaces(run: Run) -> None:
    for rows in ([0, 1], [0]):
        run.write_evaluation("a.csv", "best", DOCUMENT, {"row": rows})
    (found,) = run.read_evaluations()
    assert found.predictions() == {"row": ["0"]}


@given(st.text(min_size=1, max_size=300))
def test_any_file_name_gives_one_plain_folder(name: str) -> None:
    made = folder_name(name, "ab" * 32, "best")
    assert made.endswith("-abababab-best")
    assert "/" not in made and "\0" not in made and not made.startswith(".")
    assert len(made.encode()) <= 255


@pytest.mark.parametrize("content", [b"", b"a,b\n1\n", b'a\n"x\n', b"\xff\n", b'a\n"x"y\n'])
def test_damaged_predictions_are_named(run: Run, content: bytes) -> None:
    place = run.write_evaluation("a.csv", "best", DOCUMENT, {"row": [0]})
    (place / "predictions.csv").write_bytes(content)
    (found,) = run.read_evaluations()
    with pytest.raises(RunError, match="not a table of predictions") as caught:
        found.predictions()
    assert caught.value.problems[0].path == str(place / "predictions.csv")


def test_what_is_no_evaluation_is_left_out(run: Run) -> None:
    run.write_evaluation("a.csv", "best", DOCUMENT, {"row": [0]})
    (run.path / "eval" / "half").mkdir()
    (run.path / "eval" / "bad").mkdir()
    (run.path / "eval" / "bad" / "metrics.json").write_text("[1]")
    (run.path / "eval" / "file").write_text("")
    (run.path / "eval" / "link").symlink_to(run.path)
    assert len(run.read_evaluations()) == 1
