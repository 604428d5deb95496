"""Where the bytes come from: missing files, folders, pipes, patterns, several files, encodings, Parquet."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.data import source
from nntrain.data.table import ReadOptions, read_table
from nntrain.errors import ConfigError, DataError, NntrainError

PLAIN = "size,kind\n1.5,oak\n2.5,elm\n"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "trees.csv"
    file.write_text(PLAIN, encoding="utf-8")
    return file


def error_of(*paths: str, shown: list[str] | None = None, **options: Any) -> NntrainError:
    with pytest.raises(NntrainError) as caught:
        read_table(paths, ReadOptions(**options), shown)
    return caught.value


def test_a_missing_file_names_the_nearest_ones_and_where_it_was_sought(plain: Path) -> None:
    error = error_of(str(plain.with_name("tree.csv")), shown=["../tree.csv"])
    assert error.render().splitlines() == [
        "error: ../tree.csv: file not found; did you mean 'trees.csv'?",
        f"  note: looked for {plain.with_name('tree.csv')}",
    ]
    assert error.exit_code == 3


def test_a_missing_file_unlike_all_others_lists_the_data_files(plain: Path) -> None:
    error = error_of(str(plain.with_name("zzzz.zz")), shown=["zzzz.zz"])
    assert error.problems[0].notes[-1] == "data files there: trees.csv"


def test_a_link_to_nothing_says_so(plain: Path) -> None:
    link = plain.with_name("tree.csv")
    link.symlink_to("gone.csv")
    assert str(error_of(str(link))).startswith(f"error: {link}: a link to a file that does not exist: 'gone.csv'")


@pytest.mark.parametrize("rows", [3, 300_000])
def test_a_column_called_like_a_parquet_file(rows: int, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("PAR1,b\n" + "1,2\n" * rows)
    assert read_table([str(file)]).names == ["PAR1", "b"]


def test_a_file_that_is_rewritten_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,kind\n" + "1.5,oak\n" * 300_000)
    whole = source.PlainFile._read

    def rewritten(self: source.PlainFile) -> Any:
        for number, block in enumerate(whole(self)):
            if number == 1:
                with file.open("r+b") as stream:
                    stream.seek(1 << 20)
                    stream.write(b"2")
                os.utime(file)
            yield block

    monkeypatch.setattr(source.PlainFile, "_read", rewritten)
    for stream in (True, False):
        with pytest.raises(DataError, match="the file has changed since it was read"):
            read_table([str(file)], stream=stream)


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "its folder does not exist" in str(error_of(str(tmp_path / "nowhere" / "x.csv")))


def test_a_folder_is_no_file(plain: Path) -> None:
    error = error_of(str(plain.parent), shown=["data"])
    assert error.render() == (
        "error: data: is a directory, expected a file\n  help: name its files, for example data/*.csv"
    )


@pytest.mark.parametrize("path", ["x\0y.csv", "x" * 5000 + ".csv"])
def test_an_impossible_path(path: str) -> None:
    assert error_of(path).exit_code == 3


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_an_endless_device_is_refused(device: str) -> None:
    assert "is a terminal or a device" in str(error_of(device))


def test_the_null_device_is_an_empty_file() -> None:
    assert "the file is empty (0 bytes)" in str(error_of(os.devnull))


def test_permission_denied(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", denied)  # root may read everything, so the mode bits would not show it
    assert "may not be read: permission denied" in str(error_of(str(plain)))


def test_a_failing_disk(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", failing)
    assert "cannot be read: input/output error" in str(error_of(str(plain)))


def test_a_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rows = "".join(f"{i},oak\n" for i in range(100_000))
    writer = threading.Thread(target=lambda: pipe.write_text("size,kind\n" + rows))
    writer.start()
    table = read_table([str(pipe)])
    writer.join()
    assert table.rows == 100_000
    assert table.columns["size"].numbers()[-1] == 99_999


def test_a_pipe_without_a_writer_is_an_error_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source.WRITER_SECONDS < 5
    monkeypatch.setattr(source, "WRITER_SECONDS", 0.2)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    started = time.monotonic()
    assert "nobody wrote to" in str(error_of(str(pipe)))
    assert time.monotonic() - started < 3


def test_waiting_for_a_slow_writer_is_announced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "SILENT_SECONDS", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write_slowly() -> None:
        with pipe.open("w") as file:
            time.sleep(0.8)
            file.write(PLAIN)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    said: list[str] = []
    table = read_table([str(pipe)], shown=["pipe"], announce=said.append)
    writer.join()
    assert (table.rows, said) == (2, ["pipe: waiting for data from the pipe"])


def test_standard_input() -> None:
    program = "from nntrain.data.table import read_table; print(read_table(['/dev/stdin']).rows)"
    done = subprocess.run([sys.executable, "-c", program], input=PLAIN, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


def test_a_pattern_is_all_its_files_in_order_shown_as_typed(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "b.csv").write_text("kind,size\nash,4\n")
    (tmp_path / "parts" / "a.csv").write_text(PLAIN)
    table = read_table([str(tmp_path / "parts" / "*.csv")], shown=["../parts/*.csv"])
    assert table.names == ["size", "kind"]
    assert table.columns["size"].numbers().tolist() == [1.5, 2.5, 4.0]
    assert table.columns["kind"].text().tolist() == ["oak", "elm", "ash"]
    assert [(table.file_of(row), table.line(row)) for row in range(3)] == [
        ("../parts/a.csv", 2),
        ("../parts/a.csv", 3),
        ("../parts/b.csv", 2),
    ]
    assert table.path == "../parts/a.csv"
    assert list(table.sha256) == ["../parts/a.csv", "../parts/b.csv"]


def test_a_pattern_too_long_for_a_name_matches_nothing(tmp_path: Path) -> None:
    assert "no file matches this pattern" in str(error_of(str(tmp_path / ("a" * 300 + "*.csv"))))


def test_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    assert "no file matches this pattern" in str(error_of(str(tmp_path / "*.csv"), shown=["*.csv"]))


def test_a_file_with_pattern_characters_in_its_name_is_itself(tmp_path: Path) -> None:
    for name in ("a[1].csv", "a1.csv"):
        (tmp_path / name).write_text(f"name\n{name}\n")
    assert read_table([str(tmp_path / "a[1].csv")]).columns["name"].text().tolist() == ["a[1].csv"]


def test_files_with_other_columns_are_refused(plain: Path) -> None:
    other = plain.with_name("other.csv")
    other.write_text("size,sort\n1,oak\n")
    error = error_of(str(plain), str(other), shown=["trees.csv", "other.csv"])
    assert error.render().splitlines()[0] == (
        "error: other.csv: other columns than 'trees.csv': lacks kind; has besides sort"
    )


def test_an_error_in_the_second_file_names_that_file(plain: Path) -> None:
    other = plain.with_name("other.csv")
    other.write_text("kind,size\noak,1\nelm,many\nash,few\n")
    table = read_table([str(plain), str(other)], shown=["trees.csv", "other.csv"])
    with pytest.raises(DataError, match=r"other.csv:3: column 'size': expected a number, got 'many'") as caught:
        table.columns["size"].numbers()
    assert caught.value.problems[0].notes == ("1 more like this on line 4",)


def test_the_hash_is_of_the_file_as_it_lies_on_disk(plain: Path) -> None:
    packed = plain.with_name("trees.csv.gz")
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    for file in (plain, packed):
        assert read_table([str(file)], shown=["x"]).sha256 == {"x": hashlib.sha256(file.read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "UTF8", "cp037"]
)
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes("größe,baum\r\n1,chêne\r\n".encode(encoding))
    table = read_table([str(file)], ReadOptions(encoding=encoding))
    assert (table.names, table.columns["baum"].text().tolist()) == (["größe", "baum"], ["chêne"])


@pytest.mark.parametrize("encoding", ["utf-16", "cp037"])
def test_a_declared_encoding_that_finds_no_rows_is_doubted(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n3,4\n5,6\n7,8\n9,0\n")
    error = error_of(str(file), shown=["x.csv"], encoding=encoding).render()
    assert "0 data rows" in error
    assert f"help: see whether the file is in '{encoding}', as data.encoding says" in error


def test_an_empty_path_is_told_as_one() -> None:
    assert "expected the name of a file, got an empty text" in error_of("", shown=[""]).render()


def test_a_file_that_is_not_in_the_declared_encoding(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"a,b\n1,\x81\n")
    error = error_of(str(file), shown=["x.csv"], encoding="cp1252")
    assert error.render().startswith("error: x.csv:2: byte 0x81 at offset 6 is not cp1252")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "", "utf\0-8"])
def test_an_encoding_that_is_none_is_an_error_of_the_config(plain: Path, encoding: str) -> None:
    error = error_of(str(plain), encoding=encoding)
    assert isinstance(error, ConfigError)
    assert "data.encoding" in str(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [("delimiter", ",,"), ("delimiter", "\u00a7"), ("delimiter", "a"), ("delimiter", '"'), ("decimal", "'")],
)
def test_impossible_options_are_errors_of_the_config(plain: Path, key: str, value: str) -> None:
    error = error_of(str(plain), **{key: value})
    assert isinstance(error, ConfigError)
    assert f"data.{key}" in str(error)


def test_parquet(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        file.write_bytes(b"PAR1" + b"\0" * 20)
        error = error_of(str(file), shown=["x.parquet"])
        assert isinstance(error, ConfigError)
        assert error.problems[0].help == 'pip install "nntrain[parquet]"'
        return
    pyarrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    columns = {"whole": [1, 2, 3], "gaps": [1.5, None, 2], "kind": ["oak", None, "elm"], "flag": [True, False, None]}
    parquet.write_table(pyarrow.table(columns), file)
    table = read_table([str(file)], shown=["x.parquet"])
    assert table.names == list(columns)
    assert table.columns["whole"].integers().tolist() == [1, 2, 3]  # type: ignore[union-attr]
    np.testing.assert_array_equal(table.columns["gaps"].numbers(), [1.5, np.nan, 2])
    assert table.columns["gaps"].text().tolist() == ["1.5", "", "2.0"]
    assert table.columns["kind"].text().tolist() == ["oak", "", "elm"]
    assert table.columns["flag"].text().tolist() == ["true", "false", ""]
    assert table.columns["kind"].missing(numeric=False).tolist() == [False, True, False]
    file.write_bytes(file.read_bytes()[:-20])
    assert "the Parquet data is damaged" in str(error_of(str(file)))


def test_a_parquet_name_over_other_content(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_text(PLAIN)
    assert "expected a Parquet file" in str(error_of(str(file)))
