"""Files that pandas parses as a whole: the same table as block by block, or block by block after all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nntrain.data import csv_part, lease, source, table, whole_file
from nntrain.data.cache import reading_anew
from nntrain.data.lease import nobody_writes
from nntrain.data.table import ReadOptions, read_table
from nntrain.errors import DataError

ROWS, LINES = 60_000, 60_001
"""Of a file of 9 MB, which pandas parses in several pieces, and its lines with the header."""

numbers = st.one_of(
    st.integers(-300, 300).map(str),
    st.floats(-1e30, 1e30).map(repr),
    st.sampled_from(["", "NA", " 5 ", "+3", "-0.0", "-0", "1e-3", "1.", ".5", "12345678901234567890.25", "1" * 25]),
)
strange = st.sampled_from(
    ["inf", "-inf", "1e400", "True", "false", '"1.5"', "9007199254740993", "x", "1\0", "é", "1,2", "1\n", "1\r", "\n"]
)


@pytest.fixture
def wholes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Make all files large ones; return for each file whether it was read as a whole."""
    told: list[bool] = []

    whole = csv_part._Reader.whole

    def watched(*given: Any) -> Any:
        found = whole(*given)
        told.append(found is not None)
        return found

    monkeypatch.setattr(csv_part._Reader, "whole", watched)
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
    with reading_anew():
        yield told


@pytest.fixture
def no_file_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files of any size read as a whole."""
    monkeypatch.setattr(whole_file, "LEAST_BYTES", 0)


def outcome(file: Path, **options: Any) -> list[Any]:
    """Return what is read of a file with columns a, b and c, or what is said to be wrong with it."""
    stream = options.pop("stream", False)
    try:
        found = read_table([str(file)], ReadOptions(**options), ["x.csv"], stream=stream)
    except DataError as error:
        return [error.render()]
    told: list[Any] = [found.names, found.rows, found.sha256, [found.place(row) for row in range(0, found.rows, 97)]]
    for column in found:
        codes, distinct = column.codes(slice(0, found.rows))
        told += [column.text().tolist(), column.number_share, codes.tolist(), list(distinct)]
        try:
            told.append(column.numbers().tobytes())
        except DataError as error:
            told.append(error.render())
    return told


def check_both_ways(file: Path, text: str, size: int) -> None:
    """Write a file, and see that it is the same as a whole as in blocks of so many bytes."""
    file.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_part, "BLOCK_BYTES", size)
        patch.setattr(csv_part, "_PLANNED_BYTES", max(size, 48))
        patch.setattr(source, "BLOCK_BYTES", size)
        expected = outcome(file, stream=True)
        patch.setattr(whole_file, "LEAST_BYTES", 0)
        assert outcome(file) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@example(rows=[["1.5", "2.5", "3.5"]], odd=[], header='"a\n",b,c\n', ends=True, size=1 << 20)
@given(
    rows=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=40),
    odd=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 2), strange), max_size=1),
    header=st.sampled_from(["a,b,c\n", "é,b,c\n", '"a\n",b,c\n', "a,b,c\r\n", "\ufeffa,b,c\n"]),
    ends=st.booleans(),
    size=st.sampled_from([1, 16, 1 << 20]),
)
def test_it_is_what_is_read_block_by_block(
    rows: list[list[str]],
    odd: list[tuple[int, int, str]],
    header: str,
    ends: bool,
    size: int,
    tmp_path: Path,
    wholes: list[bool],
) -> None:
    for row, column, cell in odd:
        rows[row % len(rows)][column] = cell
    text = header + "\n".join(",".join(row) for row in rows) + "\n" * ends
    check_both_ways(tmp_path / "x.csv", text, size)


texts = st.sampled_from(
    [
        "oak",
        "elm",
        "kind 3",
        "",
        "NA",
        "null",
        " ash ",
        "1",
        "007",
        "inf",
        "e",
        "0x1f",
        '"oak"',
        '"a,b"',
        '"say ""x"""',
        '""',
    ]
)
odd_texts = st.one_of(
    st.sampled_from(['"two\nlines"', 'a"b', '"open', '"x"y', ' "x"', "True", "é", "oak,elm", "\n", "x\r", "x\0"]),
    st.sampled_from(['"', '"""', "x" * 200_000]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    kinds=st.lists(st.sampled_from([numbers, texts]), min_size=2, max_size=4),
    data=st.data(),
    odd=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 3), odd_texts), max_size=2),
    ends=st.booleans(),
    size=st.sampled_from([1, 7, 64, 1 << 20]),
)
def test_texts_are_what_is_read_block_by_block(
    kinds: list[st.SearchStrategy[str]],
    data: st.DataObject,
    odd: list[tuple[int, int, str]],
    ends: bool,
    size: int,
    tmp_path: Path,
    wholes: list[bool],
) -> None:
    some = data.draw(st.lists(st.tuples(*kinds).map(list), min_size=1, max_size=12))
    rows = [list(row) for _ in range(6) for row in some]  # texts of a few kinds
    for row, column, cell in odd:
        rows[row % len(rows)][column % len(kinds)] = cell
    text = ",".join("abcd"[: len(kinds)]) + "\n" + "\n".join(",".join(row) for row in rows) + "\n" * ends
    check_both_ways(tmp_path / "x.csv", text, size)


@pytest.mark.usefixtures("no_file_is_small")
@pytest.mark.parametrize("options", [{"decimal": ","}, {"header": False}, {"missing_values": ("?", "none")}], ids=str)
def test_options_are_heeded(options: dict[str, Any], tmp_path: Path, wholes: list[bool]) -> None:
    lines = [f"{i};{i / 7}" + ";?" * ("missing_values" in options) + f";{1 / (i + 1)}" for i in range(200)]
    text = "\n".join(lines if "header" in options else ["a;b;" + "c;" * ("missing_values" in options) + "d", *lines])
    file = tmp_path / "x.csv"
    file.write_text(text.replace(".", ",") if "decimal" in options else text)
    assert outcome(file, delimiter=";", **options) == outcome(file, delimiter=";", stream=True, **options)
    assert wholes == [True]


@pytest.mark.usefixtures("no_file_is_small")
@pytest.mark.parametrize("name", ["x.zip", "x.csv.gz", "x.zst", "~x.csv", "http:/x.csv"])
def test_names_are_nothing_but_names(
    name: str, tmp_path: Path, wholes: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("a,b\n" + "1.5,2.5\n" * 300)
    given = name.replace(":/", "://")
    assert read_table([given], stream=False).rows == 300
    assert wholes == [True]


@pytest.mark.usefixtures("no_file_is_small")
@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("a,b\n" + "1.5,oak\n2.5,elm\n" * 50, True),
        ("a,b,c\n" + ',"4.5",oak\n2.5,"","elm"\n' * 50, True),
        ("a,b\n" + '"oak, or ""elm""",1.5\n"",\n' * 50 + '"ash",2.5', False),  # the last number may be lacking
        ("a,b\n" + '1.5,"oak, or ""elm"""\n,""\n' * 50 + '2.5,"ash"', False),  # and so may be the last text
        ("a,b\n" + '1.5,"oak, or ""elm"""\n,"elm"\n' * 50 + '2.5,"ash"', True),
        ("a,b\n" + "1.5,oak\n2.5,elm\n" * 50 + "3.5\n", False),
        ("a,b\n" + "1.5,oak\n2.5,elm\n" * 50 + "3.5,oak,1\n", False),
        ("a,b\n" + '1.5,oak\n2.5,"elm\nash"\n' * 50, False),
        ("a,b\n" + '1.5,oak\n2.5,e"lm\n' * 50, False),
        ("a,b\n" + "".join(f"1.5,oak {i}\n" for i in range(300)), False),  # as many kinds as rows
        ("a,b\n" + "1.5,007\n2.5,x\n" * 50, True),
        ("a,b\n" + "1.5,007\n2.5,x\n" * 50 + "1.5,007\n" * 900, False),  # of some stretch pandas makes numbers
    ],
)
def test_which_texts_are_read_as_a_whole(text: str, is_whole: bool, tmp_path: Path, wholes: list[bool]) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text)
    assert outcome(file) == outcome(file, stream=True)
    assert wholes == [is_whole]


@pytest.mark.parametrize("kind", ["elm,", "2.5,"])
@pytest.mark.parametrize("odd", ["oak\n", "1.5\n", "\n", "oak,oak,oak\n", ",,\n"])
def test_an_odd_record_far_behind_is_found(kind: str, odd: str, tmp_path: Path, wholes: list[bool]) -> None:
    text = "a,b\n" + f"{kind}oak\n{kind}elm\n" * 60 + odd + f"{kind}elm\n" * 3
    check_both_ways(tmp_path / "x.csv", text, 64)
    assert wholes[-1] is False


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the lines of a large file of numbers."""
    values = np.random.default_rng(0).normal(size=(ROWS, 8)).tolist()
    return ["a,b,c,d,e,f,g,h", *(",".join(map(repr, row)) for row in values)]


def test_a_large_file_is_read_as_a_whole(large: list[str], tmp_path: Path, wholes: list[bool]) -> None:
    file = tmp_path / "x.csv"
    file.write_text("\n".join(large))
    found = read_table([str(file)], stream=False)
    assert wholes == [True]
    assert found.columns["h"].numbers().tolist() == [float(line.rpartition(",")[2]) for line in large[1:]]
    assert [found.place(row)[1] for row in (0, ROWS // 2, ROWS - 1)] == [2, ROWS // 2 + 2, LINES]
    assert found.columns["c"].text()[-1] == large[-1].split(",")[2]


FAULTS: dict[str, Callable[[str], str]] = {
    "too short": lambda line: line.rpartition(",")[0],
    "too long": lambda line: f"{line},1.5",
    "blank": lambda line: "",
    "quoted": lambda line: line.replace(",", ',"1.5",', 1),
    "no number": lambda line: line.replace(",", ",oak", 1),
    "infinite": lambda line: f"inf,{line.partition(',')[2]}",
    "missing at the end": lambda line: line.rpartition(",")[0] + ",",
}


@pytest.mark.parametrize("place", [1, ROWS // 2, ROWS])
@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault_is_found(
    fault: str, place: int, large: list[str], tmp_path: Path, wholes: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(large)
    lines[place] = FAULTS[fault](lines[place])
    file = tmp_path / "x.csv"
    file.write_text("\n".join(lines) + "\n")
    found = outcome(file)
    assert not any(wholes)
    monkeypatch.setattr(whole_file, "LEAST_BYTES", 1 << 40)
    assert outcome(file) == found


def test_records_too_long_where_pandas_takes_their_first_cell_for_a_name(
    large: list[str], tmp_path: Path, wholes: list[bool]
) -> None:
    file = tmp_path / "x.csv"
    for every in (1, 1000):  # pandas looks at the first record of each of its pieces
        file.write_text(
            "\n".join(f"{line},1" if i % every == 1 % every and i else line for i, line in enumerate(large))
        )
        with pytest.raises(DataError, match="9 fields, expected 8"):
            read_table([str(file)], stream=False)
    assert not any(wholes)


@pytest.mark.parametrize("error", [MemoryError(), OSError(12, "no memory"), RuntimeError("can't start new thread")])
def test_where_pandas_fails_the_file_is_read_block_by_block(
    error: Exception, tmp_path: Path, wholes: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas

    file = tmp_path / "x.csv"
    file.write_text("a,b\n" + "1.5,2.5\n" * 300)
    expected = outcome(file)
    monkeypatch.setattr(whole_file, "LEAST_BYTES", 0)
    read = pandas.read_csv

    def failing(given: Any, **options: Any) -> Any:
        if isinstance(given, str):
            raise error
        return read(given, **options)

    monkeypatch.setattr(pandas, "read_csv", failing)
    assert outcome(file) == expected
    assert wholes == [False, False]


@pytest.mark.usefixtures("no_file_is_small")
def test_a_file_that_changes_meanwhile_is_not_read_as_a_whole(tmp_path: Path, wholes: list[bool]) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n" + "1.5,2.5\n" * 300)
    with file.open("ab"):
        assert len(outcome(file)) > 1
        assert wholes == [False]
    outcome(file)
    assert wholes == [False, sys.platform == "linux"]


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_who_cuts_a_file_short_waits(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("1" * 1000)
    before = signal.getsignal(signal.SIGURG)
    with nobody_writes(str(file)) as is_safe:
        assert is_safe
        script = f"import os; print('ready', flush=True); os.truncate({str(file)!r}, 10)"
        other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert other.stdout is not None and other.stdout.readline() == b"ready\n"
        time.sleep(0.2)
        assert file.stat().st_size == 1000 and other.poll() is None
    assert other.wait(30) == 0
    other.stdout.close()
    assert file.stat().st_size == 10
    assert signal.getsignal(signal.SIGURG) == before


def test_without_leases_nothing_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.csv"
    file.write_text("1")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with lease.nobody_writes(str(file)) as is_safe:
        assert not is_safe
