"""Columns and headers of a table: numbers, whole numbers, labels, missing cells, foreign notations, missing columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.data import csv_part
from nntrain.data.csv_part import CsvPart
from nntrain.data.table import ReadOptions, Table, read_table
from nntrain.errors import DataError

DATASETS = Path(__file__).parent.parent.parent / "datasets"


@pytest.fixture(params=["standard library", "pandas"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pandas":
        monkeypatch.setattr(csv_part, "SMALL_BYTES", 0)


def table_of(text: str, **options: Any) -> Table:
    read = ReadOptions(**options)
    return Table([CsvPart.from_bytes(text.encode(), "x.csv", read)], read.grammar())


def column_of(*cells: str, **options: Any) -> Any:
    return table_of("x;y\n" + "".join(f"{cell};1\n" for cell in cells), **options).columns["x"]


@pytest.mark.parametrize("token", ["", " ", "NA", "N/A", "NaN", "nan", "null", "None", "#N/A", " NA ", "?"])
def test_missing_in_a_numeric_column(token: str) -> None:
    column = column_of("1.5", token, "2.5", missing_values=("?",))
    np.testing.assert_array_equal(column.numbers(), [1.5, np.nan, 2.5])
    assert column.missing(numeric=True).tolist() == [False, True, False]
    assert column.missing(numeric=False).tolist() == [False, token.strip() in ("", "?"), False]
    assert column.text().tolist() == ["1.5", token, "2.5"]


def test_a_class_called_na_is_not_missing() -> None:
    column = column_of("NA", "setosa", "nan", "")
    assert column.missing(numeric=False).tolist() == [False, False, False, True]
    codes, labels = column.codes()
    assert (codes.tolist(), labels) == ([0, 1, 2, 3], ["NA", "setosa", "nan", ""])


@pytest.mark.parametrize("token", ["-", "na", "NULL", "none", "-NaN", "n/a"])
def test_other_words_are_not_missing(token: str) -> None:
    with pytest.raises(DataError, match=f"x.csv:3: column 'x': expected a number, got '{token}'"):
        column_of("1", token, "2").numbers()


def test_a_declared_missing_number_is_missing_in_every_spelling() -> None:
    column = column_of("1", "-999", "-999.0", "-9.99e2", "5.5", missing_values=("-999",))
    assert column.missing(numeric=True).tolist() == [False, True, True, True, False]


def test_a_declared_missing_number_among_whole_numbers_only() -> None:
    column = column_of("1", "-999", "3", missing_values=("-999",))
    np.testing.assert_array_equal(column.numbers(), [1, np.nan, 3])
    assert column.integers() is None


def test_a_declared_missing_infinity_does_not_admit_others() -> None:
    column = column_of("1", "inf", "2", missing_values=("inf",))
    np.testing.assert_array_equal(column.numbers(), [1, np.nan, 2])
    with pytest.raises(DataError, match="got 'Infinity'"):
        column_of("1", "inf", "Infinity", missing_values=("inf",)).numbers()


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["0", "255"], np.uint8),
        (["-1", "127"], np.int8),
        (["0", "256"], np.int16),
        (["1.0", "02", "3e2", "+4"], np.int16),
        (["70000", "1"], np.int32),
        (["9007199254740991", "-1"], np.int64),
    ],
)
def test_whole_numbers_come_in_a_narrow_type(cells: list[str], dtype: type) -> None:
    whole = column_of(*cells).integers()
    assert whole.dtype == dtype
    assert whole.tolist() == [int(float(cell)) for cell in cells]


@pytest.mark.parametrize("cells", [["1", "2.5"], ["1", ""], ["1", "a"], ["9007199254740993", "1"], ["1", "1e300"[:4]]])
def test_what_is_not_all_exact_whole_numbers_is_none(cells: list[str]) -> None:
    assert column_of(*cells).integers() is None


def test_long_identifiers_stay_exact_as_text() -> None:
    assert column_of("9007199254740993", "9007199254740992").text().tolist() == ["9007199254740993", "9007199254740992"]


def test_the_share_of_numbers_counts_cells_that_are_not_missing() -> None:
    column = column_of("1", "2", "3", "five", "", "NA")
    assert column.number_share == 0.75
    assert column.number_like_share == 0.75


@pytest.mark.parametrize(
    ("cells", "share"),
    [
        (["5,1", "3,25", "1"], 1.0),
        (["1,234", "12,345,678", "9"], 1.0),
        (["5 %", "7.5%", "x"], 2 / 3),
        ([f"{i} cm" for i in range(20)], 1.0),
        ([f"\u20ac{i}" for i in range(20)], 1.0),
        (["4wd", "2wd"] * 20, 0.0),
        ([f"{i}{chr(97 + i)}" for i in range(20)], 0.0),
        (["3D", "2D"], 0.0),
        (["05-Jan", "2020-01-02"], 0.0),
        (["0x1A", "1_0", "five"], 0.0),
    ],
)
def test_numbers_in_another_notation_are_seen(cells: list[str], share: float) -> None:
    assert column_of(*cells).number_like_share == pytest.approx(share)


def test_a_decimal_comma_is_never_dropped() -> None:
    with pytest.raises(DataError, match=r"x.csv:2: column 'x': expected a number, got '5,1'") as caught:
        table_of('x,y\n"5,1",1\n').columns["x"].numbers()
    assert caught.value.problems[0].help == 'the cell has a decimal comma: set data.decimal: ","'
    assert table_of('x,y\n"5,1",1\n', decimal=",").columns["x"].numbers().tolist() == [5.1]
    assert column_of("5,1", "-,5e1", "7", decimal=",").numbers().tolist() == [5.1, -5.0, 7.0]


def test_a_decimal_point_under_a_decimal_comma_is_an_error() -> None:
    with pytest.raises(DataError, match=r"expected a number, got '5.1'") as caught:
        column_of("5.1", "3,5", decimal=",").numbers()
    assert 'set data.decimal: "."' in (caught.value.problems[0].help or "")


def test_separator_of_a_file_with_decimal_commas_and_no_header() -> None:
    table = table_of("5,1;3,5;oak\n4,9;3,0;elm\n", header=False, decimal=",")
    assert table.names == ["c0", "c1", "c2"]
    assert table.columns["c1"].numbers().tolist() == [3.5, 3.0]
    assert table.line(0) == 1


def test_separators_inside_quoted_names_do_not_count() -> None:
    table = table_of('"a,b,c,d,e";"f;g"\n1;2\n')
    assert table.names == ["a,b,c,d,e", "f;g"]


def test_the_following_rows_decide_between_separators() -> None:
    assert table_of("size, in cm|kind, of tree, old\n1|oak\n").names == ["size, in cm", "kind, of tree, old"]


def test_a_wrong_declared_separator_is_an_error() -> None:
    with pytest.raises(DataError, match=r"x.csv:1: no ';' in the first line, which holds ','"):
        table_of("a,b\n1,2\n", delimiter=";")


@pytest.mark.parametrize(("written", "character"), [("tab", "\t"), ("\\t", "\t"), ("|", "|"), (":", ":"), (" ", " ")])
def test_declared_separators(written: str, character: str) -> None:
    table = table_of(f"a{character}b\n1{character}2\n", delimiter=written)
    assert (table.names, table.columns["b"].numbers().tolist(), table.notices) == (["a", "b"], [2.0], [])


def test_a_list_of_names_for_a_file_without_a_header() -> None:
    assert table_of("1,2\n3,4\n", header=["a", "b"]).columns["b"].numbers().tolist() == [2.0, 4.0]
    with pytest.raises(DataError, match=r"x.csv:1: 2 columns, but data.header names 3"):
        table_of("1,2\n", header=["a", "b", "c"])


def test_a_missing_column_names_the_nearest_and_all() -> None:
    with pytest.raises(DataError) as caught:
        table_of("girth,Species\n1,oak\n").column("species", "data.target")
    assert caught.value.render() == (
        "error: x.csv: data.target: column 'species' not found; did you mean 'Species'?\n"
        "  note: columns found in x.csv: girth, Species"
    )


def test_a_file_without_header_is_suspected_where_a_column_is_missing() -> None:
    with pytest.raises(DataError) as caught:
        table_of("5.1,3.5,oak\n1,2,elm\n").column("species")
    assert "data.header: false" in (caught.value.problems[0].help or "")


def test_the_first_five_places_and_the_total() -> None:
    with pytest.raises(DataError) as caught:
        column_of(*["1"] * 9, *["many"] * 8).numbers()
    problem = caught.value.problems[0]
    assert (problem.line, problem.notes) == (11, ("7 more like this on lines 12, 13, 14, 15, ...",))


def test_lines_count_quoted_newlines() -> None:
    table = table_of('"a\nb",c\n1,"x\ny\nz"\n\n2,y\n')
    assert table.names == ["a\nb", "c"]
    assert [table.line(0), table.line(1)] == [3, 7]


def test_a_mark_inside_the_file_is_part_of_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_part, "BLOCK_BYTES", 1)
    assert table_of("a\n\ufeffx\n\ufeff\n").columns["a"].text().tolist() == ["\ufeffx", "\ufeff"]


def test_two_thousand_columns_and_one() -> None:
    wide = table_of(",".join(f"n{i}" for i in range(2000)) + "\n" + (",".join(["1.5"] * 2000) + "\n") * 10)
    assert sum(column.numbers().sum() for column in wide) == 1.5 * 20_000
    narrow = table_of("only\n1\n\n2\n")
    assert (narrow.columns["only"].numbers().tolist(), narrow.line(1)) == ([1.0, 2.0], 4)


def test_a_ragged_row_of_a_very_wide_file_is_found() -> None:
    row = ",".join(["1"] * 300)
    with pytest.raises(DataError, match=r"x.csv:3: 44 fields, expected 300") as caught:
        table_of(
            f"{','.join(f'n{i}' for i in range(300))}\n{row}\n{','.join(['1'] * 44)}\n{row},{','.join(['1'] * 256)}\n"
        )
    assert "556 fields, expected 300" in str(caught.value)


def test_numbers_of_several_chunks_and_kinds_are_one_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_part, "BLOCK_BYTES", 8)
    cells = ["1", "2", "300", "-4", "5.5", "", "6e3", "7", "9007199254740993"]
    column = column_of(*cells)
    expected = [float(cell) if cell else np.nan for cell in cells]
    np.testing.assert_array_equal(column.numbers(), expected)
    assert column.text().tolist() == cells


def test_the_users_array_is_his_own() -> None:
    for column in (column_of("1", "2"), column_of("1", " NA ")):
        column.numbers()[0] = 99
        assert column.numbers()[0] == 1


def test_read_of_a_dataset_equals_pandas() -> None:
    import pandas

    files = sorted(DATASETS.glob("*.csv"))
    assert len(files) > 3
    for file in files:
        table, frame = read_table([str(file)]), pandas.read_csv(file)
        assert table.names == list(frame.columns)
        for name in frame.columns:
            if pandas.api.types.is_numeric_dtype(frame[name]):
                np.testing.assert_array_equal(table.columns[name].numbers(), frame[name].to_numpy(np.float64))
            else:
                assert table.columns[name].text().tolist() == frame[name].fillna("").tolist()
