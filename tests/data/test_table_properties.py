"""Laws of reading: any bytes give a table or a DataError, and the way a table is written changes nothing."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nntrain.data import csv_part, parsing
from nntrain.data.csv_part import CsvPart
from nntrain.data.grammar import FLOAT32_LIMIT, MISSING, NUMBER, OTHER, Grammar, number_pattern
from nntrain.data.table import ReadOptions, Table, read_table
from nntrain.errors import DataError

GRAMMAR = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)

almost_numbers = st.text(alphabet="0123456789+-.eE_ xXinfaN\u0665\u00a0,", max_size=12)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(GRAMMAR, fullmatch=True),
    st.integers().map(str),
)
cells = st.one_of(
    almost_numbers,
    numbers,
    st.sampled_from(["", "NA", "nan", "True", "False", "inf", " ", "a,b", '"', "x\ny", "\u00e9"]),
)


def table_of(raw: bytes, **options: Any) -> Table:
    read = ReadOptions(**options)
    return Table([CsvPart.from_bytes(raw, "x.csv", read)], read.grammar())


def with_pandas(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(csv_part, "SMALL_BYTES", 0)
    monkeypatch.setattr(csv_part, "BLOCK_BYTES", block_bytes)


@given(text=st.one_of(almost_numbers, numbers))
@example("5_1")
@example("1e400")
@example("\u0665.\u0661")
@example("3.4028235677973366e38")
def test_a_number_is_what_the_grammar_says_and_equals_float(text: str) -> None:
    value = Grammar().number(text)
    bare = text.strip(" \t\n\v\f\r")
    if GRAMMAR.fullmatch(bare) and np.isfinite(np.float64(bare)) and abs(float(bare)) < FLOAT32_LIMIT:
        assert value == float(bare)
        with np.errstate(over="raise"):
            assert np.isfinite(np.float32(value))
    else:
        assert value is None


@given(text=numbers)
def test_a_decimal_comma_takes_the_place_of_the_point(text: str) -> None:
    assert Grammar(decimal=",").number(text.replace(".", ",")) == Grammar().number(text)


@SLOW
@given(
    values=st.lists(
        st.one_of(cells, numbers, st.sampled_from(["-0", "1\n2", "1\n", " 7 ", "1,5", "NaN"])), max_size=12
    ),
    decimal=st.sampled_from([".", ","]),
    missing_values=st.sampled_from([(), ("?",), ("-1",), ("inf", "1e400")]),
)
@example(values=["1\n2", "3"], decimal=".", missing_values=())
@example(values=["1.5", "2"], decimal=",", missing_values=())
@example(values=["3.4028235677973366e38", "1"], decimal=".", missing_values=())
def test_cells_together_are_what_each_is_alone(
    values: list[str], decimal: str, missing_values: tuple[str, ...]
) -> None:
    grammar = Grammar(decimal, missing_values)
    found, states = grammar.convert(values)
    for cell, value, state in zip(values, found, states, strict=True):
        alone = grammar.number(cell)
        if grammar.is_missing(cell, numeric=True):
            assert state == MISSING and np.isnan(value)
        elif alone is None:
            assert state == OTHER and np.isnan(value)
        else:
            assert state == NUMBER and value == alone and not (value == 0 and np.signbit(value))


def test_numbers_of_a_small_file_stay_numbers_where_infinity_is_missing() -> None:
    raw = ("a,b\n" + "".join(f"{i % 300},{i % 7}\n" for i in range(30_000))).encode()
    found = table_of(raw, missing_values=("inf",))
    assert [column.integers() is not None for column in found] == [True, True]
    assert len(raw) > parsing._LEAST_PASSES


def test_long_digits_take_linear_time() -> None:
    assert number_pattern(".").fullmatch("1" * 130_000 + "x") is None
    assert Grammar().number("0." + "0" * 100_000 + "1") == 0.0


@SLOW
@given(
    raw=st.one_of(
        st.binary(max_size=200), st.text(alphabet='ab1.,;"\n\r \t\0\ufeff\u00e9', max_size=60).map(str.encode)
    )
)
@example(raw=b'"')
@example(raw=b"\x1f\x8b")
@example(raw=b"a,b\n1,2\n\xff")
@example(raw=b"a\n\n\n\t\n")
@example(raw=b"a\n\xef\xbb\xbf")
def test_any_bytes_are_a_table_or_a_data_error(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        table = table_of(raw)
    except DataError as error:
        assert error.problems
        return
    assert table.rows > 0
    lines = [table.line(row) for row in range(table.rows)]
    assert lines == sorted(set(lines))
    with_pandas(monkeypatch, 8)
    again = table_of(raw)
    monkeypatch.undo()
    for ours, other in zip(table, again, strict=True):
        assert ours.text().tolist() == other.text().tolist()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=8))
    return [f"column {i}" for i in range(width)], rows


def written(names: list[str], rows: list[list[str]], quoting: Any, end: str, delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=quoting, lineterminator="\n", delimiter=delimiter)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue().replace("\n", end).encode()


@SLOW
@given(
    content=tables(),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    mark=st.booleans(),
    packed=st.booleans(),
    final=st.booleans(),
    block_bytes=st.sampled_from([None, 1, 40, 1 << 20]),
    passes=st.booleans(),
)
def test_the_way_it_is_written_changes_nothing(
    content: tuple[list[str], list[list[str]]],
    quoting: Any,
    end: str,
    delimiter: str,
    mark: bool,
    packed: bool,
    final: bool,
    block_bytes: int | None,
    passes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, rows = content
    if len(names) == 1 and quoting == csv.QUOTE_MINIMAL:
        rows = [row for row in rows if row[0].strip()] or [["x"]]  # an unquoted blank cell would be a blank line
    raw = written(names, rows, quoting, end, delimiter)
    raw = raw if final else raw.removesuffix(end.encode())
    raw = b"\xef\xbb\xbf" * mark + raw
    if block_bytes is not None:
        with_pandas(monkeypatch, block_bytes)
    if passes:
        monkeypatch.setattr(parsing, "_LEAST_PASSES", 0)
    table = table_of(gzip.compress(raw) if packed else raw, delimiter=delimiter)
    monkeypatch.undo()
    assert table.names == names
    grammar = Grammar()
    for i, column in enumerate(table):
        truth = [row[i] for row in rows]
        assert column.text().tolist() == truth
        values, states = grammar.convert(truth)
        np.testing.assert_array_equal(column.missing(numeric=True), states == 1)
        np.testing.assert_array_equal(column.missing(numeric=False), [not cell.strip(" \t\n\v\f\r") for cell in truth])
        if (states == 2).any():
            with pytest.raises(DataError) as caught:
                column.numbers()
            assert caught.value.problems[0].line == table.line(int(np.flatnonzero(states == 2)[0]))
        else:
            np.testing.assert_array_equal(column.numbers(), values)
            assert not np.signbit(column.numbers()[column.numbers() == 0]).any()
            whole = column.integers()
            if whole is not None:
                assert [int(v) for v in whole] == [float(v) for v in values]
        filled = np.count_nonzero(states != 1)
        assert column.number_share == (np.count_nonzero(states == 0) / filled if filled else column.number_share)
    assert [table.line(row) for row in range(table.rows)] == lines_of(names, rows)


def lines_of(names: list[str], rows: list[list[str]]) -> list[int]:
    """The line of each row, by counting the newlines inside the cells before it."""
    lines, line = [], 2 + sum(name.count("\n") for name in names)
    for row in rows:
        lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    return lines


@SLOW
@given(
    values=st.lists(st.one_of(numbers, st.sampled_from(["", "NA", "-0", "True", "1", "0"])), min_size=1, max_size=30)
)
def test_pandas_and_the_grammar_agree_on_every_cell(values: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    raw = ("x,y\n" + "".join(f"{value},1\n" for value in values)).encode()
    plain = table_of(raw).columns["x"]
    for block_bytes in (1, 30, 1 << 20):
        with_pandas(monkeypatch, block_bytes)
        column = table_of(raw).columns["x"]
        monkeypatch.undo()
        assert column.number_share == plain.number_share
        assert column.text().tolist() == values
        if column.number_share == 1.0:
            assert column.numbers().tobytes() == plain.numbers().tobytes()


def test_a_stretch_of_truth_in_a_column_of_numbers_is_found_in_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pandas reads a piece of a column that holds nothing but True as ones; the pieces are about 256 kB long."""
    monkeypatch.setattr(csv_part, "SMALL_BYTES", 0)
    rows = ["1,2.5"] * 60_000 + ["True,2.5"] * 60_000 + ["0,2.5"] * 60_000
    file = tmp_path / "x.csv"
    file.write_text("flag,size\n" + "\n".join(rows))
    with pytest.raises(DataError, match=r"x.csv:60002: column 'flag': expected a number, got 'True'") as caught:
        read_table([str(file)]).columns["flag"].numbers()
    assert caught.value.problems[0].notes == ("59999 more like this on lines 60003, 60004, 60005, 60006, ...",)
