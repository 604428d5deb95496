"""Every file of tests/faults: refused at the right line with the right words, or read like its plain twin."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nntrain.data import csv_part
from nntrain.data.table import Table, read_table
from nntrain.errors import DataError

FAULTS = Path(__file__).parent.parent / "faults"
CASES = [line.split("\t") for line in (FAULTS / "csv_cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]
BAD = [case for case in CASES if case[2] != "ok"]
GOOD = [case[0] for case in CASES if case[2] == "ok"]


@pytest.fixture(params=["standard library", "pandas", "pandas in tiny chunks"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "standard library":
        monkeypatch.setattr(csv_part, "SMALL_BYTES", 0)
    if request.param == "pandas in tiny chunks":
        monkeypatch.setattr(csv_part, "BLOCK_BYTES", 16)
    return str(request.param)


def read(name: str) -> Table:
    """Read a file as a run would: the first two columns as numbers, the last as text."""
    table = read_table([str(FAULTS / name)], shown=[name])
    for column in table.names[:2]:
        table.columns[column].numbers()
    return table


def test_there_are_files_of_both_sorts() -> None:
    assert len(BAD) > 40
    assert len(GOOD) > 10
    assert {path.name for path in FAULTS.glob("csv_*.csv")} == {case[0] for case in CASES}


@pytest.mark.parametrize("case", BAD, ids=[case[0] for case in BAD])
def test_refused_with_line_and_reason(case: list[str], reader: str) -> None:
    name, line, *fragments = case
    with pytest.raises(DataError) as caught:
        read(name)
    problem, said = caught.value.problems[0], caught.value.render()
    assert problem.path == name
    assert problem.line == (None if line == "-" else int(line))
    for fragment in fragments:
        assert fragment in said
    assert caught.value.exit_code == 3
    assert len(said) < 1000
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said)


@pytest.mark.parametrize("name", GOOD)
def test_read_like_the_plain_file(name: str, reader: str) -> None:
    plain, other = read("csv_ok_plain.csv"), read(name)
    assert other.names == plain.names
    for column in plain.names[:2]:
        np.testing.assert_array_equal(other.columns[column].numbers(), plain.columns[column].numbers(), strict=True)
    assert other.columns["tree"].text().tolist() == plain.columns["tree"].text().tolist()


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("csv_ok_plain.csv", None),
        ("csv_ok_semicolon.csv", "csv_ok_semicolon.csv: separator ';' found"),
        ("csv_ok_tab.csv", "csv_ok_tab.csv: separator 'tab' found"),
        ("csv_ok_pipe.csv", "csv_ok_pipe.csv: separator '|' found"),
        (
            "csv_ok_padded_header.csv",
            "csv_ok_padded_header.csv: column names stripped of blanks: 'girth', 'height', 'tree'",
        ),
    ],
)
def test_what_had_to_be_found_out_is_a_notice(name: str, notice: str | None) -> None:
    assert read(name).notices == ([] if notice is None else [notice])


def test_blank_lines_count_as_lines(reader: str) -> None:
    table = read("csv_ok_blank_lines.csv")
    assert [table.line(row) for row in range(table.rows)] == [4, 5, 6, 9, 10, 11]
