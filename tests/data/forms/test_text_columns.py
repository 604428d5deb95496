"""Which columns are text, every message about them, and a user's way from a CSV of messages to predictions."""

from __future__ import annotations

import json
import random
import re
import string
from pathlib import Path
from typing import Any

import pytest

from nntrain.cli.entry import run
from nntrain.data.column_types import kind_of
from nntrain.data.forms import form_of
from nntrain.data.options import ColumnOptions, DataOptions, ImageOptions, SeriesOptions, TextOptions
from nntrain.errors import DataError

ROWS = 40
TEXT = {"types": {"text": {"type": "text"}}}


def columns(rows: int = ROWS) -> dict[str, Any]:
    return {
        "text": ["a b", "b c d", "c"] * (rows // 3) + ["d"] * (rows % 3),
        "y": [["p", "q"][row % 2] for row in range(rows)],
    }


def plain(prepared: Any) -> str:
    return json.dumps(prepared.preprocessing.state()[0])


def free_text(rows: int = ROWS) -> list[str]:
    return [f"{text} unique{row}" for row, text in enumerate(columns(rows)["text"])]


def test_free_text_is_refused_with_both_remedies_and_taken_where_data_text_is_given(workplace: Any) -> None:
    table = columns() | {"text": free_text()}
    with pytest.raises(DataError) as caught:
        workplace.prepare(table)
    (problem,) = caught.value.problems
    assert problem.message == "column 'text': 40 different texts in 40 rows are no categories"
    assert problem.help is not None
    assert "data.columns.text.type: text" in problem.help
    assert "data.ignore" in problem.help
    prepared = workplace.prepare(table, text=TextOptions())
    assert prepared.preprocessing.form.feature_names == ["text"]
    declared = workplace.prepare(table, types={"text": {"type": "text"}})
    assert plain(declared) == plain(prepared)


def test_free_text_declared_as_categories_stays_so(workplace: Any) -> None:
    table = columns() | {"text": free_text(), "other": columns()["text"]}
    types = {"text": {"type": "categorical"}, "other": {"type": "text"}}
    prepared = workplace.prepare(table, types=types, text=TextOptions())
    assert prepared.preprocessing.form.feature_names[0] == "other"
    assert prepared.preprocessing.form.kinds == {"other": "text", "text": "categorical"}


@pytest.mark.parametrize(
    ("table", "options", "message", "help"),
    [
        (
            {"n": [1.5, 2.5] * 20, "y": ["p", "q"] * 20},
            {"text": TextOptions()},
            "data.text: no column is free text; the features are n",
            "data.columns.n.type: text",
        ),
        (
            {"text": [f"one{row} two{row}" for row in range(24)], "y": ["p", "q"] * 12},
            TEXT,
            "column 'text': no word stands 2 times in the training rows",
            "data.text.minimum_count: 1",
        ),
        (
            {"text": ["", " "] * 12, "y": ["p", "q"] * 12},
            TEXT,
            "column 'text': all texts of the training rows are empty",
            "data.ignore: [text]",
        ),
        (
            {"text": [None, None] * 12, "y": ["p", "q"] * 12},
            {**TEXT, "missing": "drop"},
            "every row has a missing cell, and data.missing is 'drop'",
            "use auto",
        ),
    ],
)
def test_messages(workplace: Any, table: dict[str, Any], options: dict[str, Any], message: str, help: str) -> None:
    with pytest.raises(DataError) as caught:
        workplace.prepare(table, **options)
    (problem,) = caught.value.problems
    assert (problem.path, problem.message) == ("data.csv", message)
    assert problem.help is not None
    assert help in problem.help


def test_a_missing_text_column_is_refused(workplace: Any) -> None:
    prepared = workplace.prepare(columns(), **TEXT)
    with pytest.raises(DataError, match="column 'text' is missing") as caught:
        prepared.preprocessing.apply(workplace.table({"txet": ["a"], "y": ["p"]}))
    assert "did you mean 'txet'?" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "rows"),
        ({"text": TextOptions()}, "text"),
        ({"columns": {"t": ColumnOptions(type="text")}}, "text"),
        ({"columns": {"t": ColumnOptions(type="numeric")}}, "rows"),
        ({"columns": {"y": ColumnOptions(type="text")}}, "rows"),
        ({"columns": {"t": ColumnOptions(type="text")}, "ignore": ["t"]}, "rows"),
        ({"columns": {"t": ColumnOptions(type="text")}, "features": ["x"]}, "rows"),
        ({"columns": {"t": ColumnOptions(type="text")}, "features": ["t"], "group": "t"}, "text"),
        ({"columns": {"t": ColumnOptions(type="text")}, "group": "t"}, "rows"),
    ],
)
def test_who_asks_for_text(options: dict[str, Any], name: str) -> None:
    form = form_of(DataOptions(train="a.csv", target="y", **options))
    assert form.name == name
    assert form.axes(DataOptions(train="a.csv", target="y", **options)) == (2 if name == "text" else 1)


def test_a_text_column_beside_another_form_is_refused(workplace: Any) -> None:
    with pytest.raises(DataError) as caught:
        kind_of(workplace.table(columns()).columns["text"], "text")
    (problem,) = caught.value.problems
    assert problem.path == "other.csv"
    assert problem.message == (
        "column 'text': a text column cannot stand beside data.image, data.sequence or data.series"
    )
    assert problem.help == "leave it out with data.ignore: [text]"


@pytest.mark.parametrize("other", [{"image": ImageOptions(height=1, width=1)}, {"series": SeriesOptions(window=2)}])
def test_another_form_comes_first(other: dict[str, Any]) -> None:
    options = DataOptions(train="a.csv", target="y", columns={"t": ColumnOptions(type="text")}, **other)
    assert form_of(options).name != "text"


CONFIG = """
data: {{train: sms.csv, target: label, columns: {{text: {{type: text}}}}}}
architecture: {{layers: [{layers}]}}
batch_size: 16
epochs: {epochs}
"""


def write_messages(folder: Path, rows: int = 120) -> None:
    """Write texts that are spam where ``win`` stands in them, with all that a CSV must quote."""
    source = random.Random(0)
    lines = []
    for row in range(rows):
        words = source.choices(
            [*string.ascii_lowercase[:12], 'say ""hi"",', "two\nlines", "é", "😀"], k=source.randint(1, 8)
        )
        words += ["WIN!"] * (row % 3 == 0)
        lines.append(f'"{" ".join(words)}",{"spam" if row % 3 == 0 else "ham"}')
    (folder / "sms.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_messages(tmp_path)
    (tmp_path / "sms.yaml").write_text(CONFIG.format(layers="global_max_pool", epochs=30), encoding="utf-8")
    assert run(["fit", "sms.yaml", "--set", "optimizer.learning_rate=0.02", "-q"]) == 0
    assert run(["check", "sms.yaml"]) == 0
    assert re.search(r"^text: \d+ words \(of \d+ different\), 1 to \d+ tokens a row$", capsys.readouterr().out, re.M)
    (tmp_path / "new.csv").write_text('text\n"you ""WIN"", 😀\nnow"\nno prize\n', encoding="utf-8")
    assert run(["predict", "latest", "new.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"]["predicted_label"] == ["spam", "ham"]
    assert run(["eval", "latest", "sms.csv", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["metrics"]["f1"] > 0.95


def test_two_runs_have_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_messages(tmp_path)
    (tmp_path / "sms.yaml").write_text(CONFIG.format(layers="global_average_pool", epochs=2), encoding="utf-8")
    for name in ("a", "b"):
        assert run(["fit", "sms.yaml", "-q", "--run-dir", name]) == 0
    for file in ("metrics.jsonl", "checkpoints/last.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
