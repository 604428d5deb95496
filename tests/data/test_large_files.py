"""Files read block by block: the same table as in memory, the same words about what is wrong, wherever columns lie."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nntrain.data import cache, csv_part, large_file, parquet_part, source, table, whole_file
from nntrain.data.cache import Cache, reading_anew
from nntrain.data.table import ReadOptions, Table, read_table
from nntrain.errors import DataError, NntrainError, ResourceError

FAULTS = Path(__file__).parent.parent / "faults"
CASES = [line.split("\t")[0] for line in (FAULTS / "csv_cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]

cells = st.one_of(
    st.sampled_from(
        ["", "NA", "1", "0", "255", "-7", "2.5", "True", "inf", "oak", "a,b", 'say "a"', "x\ny", "é", "01"]
    ),
    st.integers(-300, 300).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh cache folder; all files count as large."""
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
    return tmp_path / "cache"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "trees.csv"
    file.write_text("size,kind\n" + "".join(f"{i % 7}.5,{('oak', 'elm', 'ash')[i % 3]}\n" for i in range(300)))
    return file


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.columns"))


def everything(found: Table) -> list[Any]:
    """Return all that a table tells."""
    told: list[Any] = [found.names, found.rows, found.notices, found.sha256]
    told.append([found.place(row) for row in range(found.rows)])
    for column in found:
        codes, distinct = column.codes()
        whole = column.integers()
        told += [column.text().tolist(), codes.tolist(), distinct, column.number_share, column.number_like_share]
        told += [column.missing(numeric).tolist() for numeric in (True, False)]
        told.append(None if whole is None else (whole.dtype, whole.tolist()))
        try:
            told.append(column.numbers().tobytes())
        except DataError as error:
            told.append(error.render())
    return told


def outcome(path: Path, **options: Any) -> list[Any]:
    stream = options.pop("stream", "auto")
    try:
        return everything(read_table([str(path)], ReadOptions(**options), ["x.csv"], stream=stream))
    except NntrainError as error:
        return [error.render()]


def tiny_blocks(patch: pytest.MonkeyPatch, size: int) -> None:
    patch.setattr(csv_part, "BLOCK_BYTES", size)
    patch.setattr(csv_part, "_HEADER_BYTES", size)
    patch.setattr(csv_part, "_PLANNED_BYTES", size)
    patch.setattr(source, "BLOCK_BYTES", max(1, size // 2))
    patch.setattr(whole_file, "LEAST_BYTES", 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    packed=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
    size=st.sampled_from([1, 7, 64, 1 << 20]),
)
def test_wherever_columns_lie_they_are_the_same(
    rows: list[list[str]], end: str, packed: bool, encoding: str, size: int, folder: Path
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    raw = out.getvalue().replace("\n", end).encode(encoding)
    file = folder.parent / "x.csv"
    file.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "SMALL_FILE_BYTES", 1 << 30)
        expected = outcome(file, encoding=encoding)
        patch.setattr(table, "SMALL_FILE_BYTES", 0)
        tiny_blocks(patch, size)
        with reading_anew():
            assert outcome(file, encoding=encoding, stream=False) == expected
            assert outcome(file, encoding=encoding, stream=True) == expected
        before = len(entries(folder))
        assert outcome(file, encoding=encoding) == expected
        assert len(entries(folder)) in (before, before + 1)
        assert outcome(file, encoding=encoding) == expected


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [16, 1 << 20])
def test_what_is_wrong_is_told_in_the_same_words(
    name: str, size: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 1 << 30)
    expected = outcome(FAULTS / name)
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
    tiny_blocks(monkeypatch, size)
    assert outcome(FAULTS / name) == expected
    assert outcome(FAULTS / name, stream=True) == expected


def test_the_second_time_nothing_is_parsed(folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = outcome(plain)
    monkeypatch.setattr(large_file, "read_blocks", None)
    assert outcome(plain) == first
    assert len(entries(folder)) == 1


@pytest.mark.parametrize("damage", [b"\0" * 64, b"\0", b"x" * 64, b"../" * 30])
def test_a_damaged_note_of_a_digest_is_no_digest(
    damage: bytes, folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "SETTLED_NANOSECONDS", 0)
    first = outcome(plain)
    (note,) = folder.rglob("*.seen")
    note.write_bytes(damage)
    assert outcome(plain) == first


def test_numbers_are_not_made_texts_until_asked(folder: Path, plain: Path) -> None:
    assert read_table([str(plain)]).sha256  # and so in the cache
    again = read_table([str(plain)])
    plain.write_text(plain.read_text() + "9.5,fir\n")
    assert again.columns["size"].numbers()[0] == 0.5
    with pytest.raises(DataError, match="the file has changed since it was read"):
        again.columns["size"].text()


def test_changed_content_is_noticed_even_with_equal_size_and_time(folder: Path, plain: Path) -> None:
    status = plain.stat()
    assert read_table([str(plain)]).columns["size"].numbers()[0] == 0.5
    plain.write_text(plain.read_text().replace("0.5", "8.5", 1))
    os.utime(plain, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert plain.stat().st_size == status.st_size
    assert read_table([str(plain)]).columns["size"].numbers()[0] == 8.5


@pytest.mark.parametrize("kept", [True, False], ids=["cache", "memory"])
def test_a_file_that_changes_before_it_is_hashed(
    kept: bool, folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "SETTLED_NANOSECONDS", 0)
    whole = source.PlainFile.digest

    def late(self: source.PlainFile) -> str:
        time.sleep(0.02)  # longer than the clock of the file system takes for a tick
        plain.write_text(plain.read_text().replace("0.5", "8.5", 1))
        os.utime(plain, ns=(self.status.st_atime_ns, self.status.st_mtime_ns))
        return whole(self)

    monkeypatch.setattr(source.PlainFile, "digest", late)
    with nullcontext() if kept else reading_anew():
        table = read_table([str(plain)])
    with pytest.raises(DataError, match="the file has changed since it was read"):
        _ = table.sha256
    assert not entries(folder) and not list(folder.glob(".*.part"))
    assert table.columns["size"].numbers()[0] == 0.5


def test_a_file_long_untouched_is_not_hashed_again(folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "SETTLED_NANOSECONDS", 0)
    first = outcome(plain)
    monkeypatch.setattr(source.PlainFile, "digest", None)
    again = read_table([str(plain)], shown=["x.csv"])
    assert again.columns["kind"].text().tolist() == first[14]


def test_options_of_reading_are_part_of_the_key(folder: Path, plain: Path) -> None:
    tables = [read_table([str(plain)], ReadOptions(missing_values=given)) for given in ((), ("oak",))]
    assert [table.columns["kind"].missing(numeric=False).sum() for table in tables] == [0, 100]
    assert all(table.sha256 for table in tables)
    assert len(entries(folder)) == 2


def test_the_same_content_elsewhere_is_the_same_entry(folder: Path, plain: Path) -> None:
    other = plain.with_name("other.csv")
    other.write_bytes(plain.read_bytes())
    found = [read_table([str(file)], shown=[file.name]) for file in (plain, other)]
    assert [t.file_of(3) for t in found] == ["trees.csv", "other.csv"]
    assert len(entries(folder)) == 1


def test_several_files_are_entries_of_their_own(folder: Path, plain: Path) -> None:
    other = plain.with_name("trees2.csv")
    other.write_text("kind,size\nfir,1\nfir,2\n")
    for _ in range(2):
        found = read_table([str(plain), str(other)], shown=["a", "b"])
        assert found.columns["kind"].codes()[1] == ["oak", "elm", "ash", "fir"]
        assert found.columns["size"].numbers(slice(299, 302)).tolist() == [5.5, 1, 2]
        assert found.place(301) == ("b", 3)
    assert len(entries(folder)) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped data", "flipped footer", "other"])
def test_a_damaged_entry_is_made_again(folder: Path, plain: Path, damage: str) -> None:
    first = outcome(plain)
    entry = entries(folder)[0]
    content = bytearray(entry.read_bytes())
    if damage.startswith("flipped"):
        content[40 if damage.endswith("data") else -40] ^= 4
    entry.write_bytes({"cut": content[:-30], "empty": b"", "other": b"nothing of ours" * 9}.get(damage, bytes(content)))
    assert outcome(plain) == first
    with entries(folder)[0].open("rb") as file:
        assert cache.PieceFile(file).about["names"] == ["size", "kind"]


def put_pipe(path: Path) -> None:
    os.mkfifo(path)


def put_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def put_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


@pytest.fixture(params=[put_pipe, put_socket, put_zeros, put_link_to_nothing, Path.mkdir])
def no_file(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], None]]:
    """Return what puts something else in place of a file; whoever would wait for it is woken."""

    def wake(*_: object) -> None:
        raise AssertionError("waited for what is no file")

    before = signal.signal(signal.SIGALRM, wake)
    signal.setitimer(signal.ITIMER_REAL, 15)
    yield request.param
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_what_is_no_file_is_no_entry(folder: Path, plain: Path, no_file: Callable[[Path], None]) -> None:
    first = outcome(plain)
    (entry,) = entries(folder)
    entry.unlink()
    no_file(entry)
    if no_file is Path.mkdir:  # which is left to whoever made it
        assert outcome(plain) == first and entry.is_dir()
        assert not list(folder.glob(".*.part"))
        return
    assert outcome(plain) == first
    assert entry.is_file() and not entry.is_symlink()


def test_what_is_no_file_is_no_note_of_a_digest(
    folder: Path, plain: Path, no_file: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "SETTLED_NANOSECONDS", 0)
    first = outcome(plain)
    (note,) = folder.rglob("*.seen")
    digest = note.read_text()
    note.unlink()
    no_file(note)
    for _ in range(2):
        assert outcome(plain) == first
    if not note.is_dir():
        assert note.read_text() == digest and not note.is_symlink()


def test_a_note_that_is_a_link_is_not_written_through(
    folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "SETTLED_NANOSECONDS", 0)
    first = outcome(plain)
    (note,) = folder.rglob("*.seen")
    mine = plain.with_name("mine.txt")
    mine.write_text("mine")
    note.unlink()
    note.symlink_to(mine)
    assert outcome(plain) == first
    assert mine.read_text() == "mine"


def test_reading_anew_neither_reads_nor_writes(folder: Path, plain: Path) -> None:
    with reading_anew():
        read_table([str(plain)])
        assert not folder.exists()
    assert cache.active_cache() is not None


def test_a_folder_that_cannot_be_written_to_costs_only_a_notice(
    folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("in the way")
    for stream in (False, True):
        found = read_table([str(plain)], shown=["trees.csv"], stream=stream)
        assert found.rows == 300
        assert found.notices == [f"{folder}: read files cannot be kept in this cache folder (file exists)"]


def test_a_user_without_a_home_has_no_cache(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object, **__: object) -> None:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv(cache.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    assert cache.active_cache() is None
    for stream in (False, True):
        assert read_table([str(plain)], stream=stream).notices == []


def test_a_full_disk_costs_only_the_cache(folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(large_file.FileStore, "add", full)
    assert read_table([str(plain)], stream=False).columns["size"].numbers()[8] == 1.5
    assert list(folder.iterdir()) == []
    with pytest.raises(ResourceError, match="cannot be streamed: no space left on device") as caught:
        read_table([str(plain)], stream=True)
    assert caught.value.exit_code == 6
    assert tempfile.gettempdir() in (caught.value.problems[0].help or "")


def test_a_limit_of_the_address_space_is_not_taken_for_a_full_disk(
    folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(large_file.FileStore, "add", limited)
    with pytest.raises(ResourceError, match="cannot be streamed: cannot allocate memory") as caught:
        read_table([str(plain)], stream=True)
    assert "ulimit -v" in (caught.value.problems[0].help or "")


def test_the_least_recently_used_entries_make_room(tmp_path: Path) -> None:
    kept = Cache(tmp_path, most_bytes=2500)
    for number in range(3):
        with kept.new_file() as file:
            file.write(bytes(1000))
            file.flush()
            kept.keep(Path(file.name), "manner", 1, f"{number}" * 64)
        os.utime(next(path for path in entries(tmp_path) if path.stem[-1] == str(number)), (100 + number, 100 + number))
        if number == 1:
            os.utime(entries(tmp_path)[0], (200, 200))  # the first was used after the second
    assert [path.stem[-1] for path in entries(tmp_path)] == ["0", "2"]
    with kept.new_file() as file:
        file.write(bytes(9000))
        file.flush()
        kept.keep(Path(file.name), "manner", 1, "3" * 64)
    assert len(entries(tmp_path)) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_never_finished_is_removed_in_time(tmp_path: Path) -> None:
    old, new = tmp_path / ".old.part", tmp_path / ".new.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))
    kept = Cache(tmp_path)
    with kept.new_file() as file:
        kept.keep(Path(file.name), "manner", 0, "0" * 64)
    assert (old.exists(), new.exists()) == (False, True)


def test_two_processes_may_write_the_same_entry(folder: Path, plain: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from nntrain.data import table; table.SMALL_FILE_BYTES = 0;"
        "print(table.read_table([sys.argv[1]]).columns['size'].numbers().sum())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(plain)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {process.communicate()[0] for process in running}
    assert said == {f"{read_table([str(plain)]).columns['size'].numbers().sum()}\n"}
    assert len(entries(folder)) == 1
    assert not list(folder.glob(".*.part"))


def test_a_stretch_of_rows_is_that_of_all(folder: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_blocks(monkeypatch, 100)
    found = read_table([str(plain)], stream=True)
    assert found.is_streamed
    rows = np.random.default_rng(0).integers(0, 300, 500)
    for column in found:
        whole = column.text()
        assert column.text(rows).tolist() == whole[rows].tolist()
        assert column.codes(slice(17, 203))[0].tolist() == column.codes()[0][17:203].tolist()
        assert column.missing(False, rows).tolist() == column.missing(False)[rows].tolist()
    numbers = found.columns["size"].numbers()
    np.testing.assert_array_equal(
        np.concatenate([found.columns["size"].numbers(s) for s in found.stretches(41)]), numbers
    )
    np.testing.assert_array_equal(found.columns["size"].numbers(rows), numbers[rows])


@pytest.fixture
def blocks_of_pixels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = folder.parent / "pixels.csv"
    values = np.random.default_rng(0).integers(0, 256, (500, 3))
    file.write_text("a,b,c\n" + "".join(",".join(map(str, row)) + "\n" for row in values.tolist()))
    monkeypatch.setattr(csv_part, "BLOCK_BYTES", 512)
    yield file


def test_pixels_are_read_without_pandas_and_their_text_is_known(blocks_of_pixels: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from nntrain.data import csv_part, table; table.SMALL_FILE_BYTES = 0; csv_part.SMALL_BYTES = 0;"
        "t = table.read_table([sys.argv[1]]);"
        "print(t.columns['b'].integers().dtype, t.columns['b'].text([0, 1]).tolist());"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(blocks_of_pixels)], capture_output=True, text=True, check=True
    )
    first = [line.split(",")[1] for line in blocks_of_pixels.read_text().splitlines()[1:3]]
    assert done.stdout == f"uint8 {first}\nFalse\n"


def test_a_fault_among_pixels_is_found(blocks_of_pixels: Path) -> None:
    lines = blocks_of_pixels.read_text().splitlines()
    lines[400] = "1,2,three"
    blocks_of_pixels.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"p:401: column 'c': expected a number, got 'three'"):
        read_table([str(blocks_of_pixels)], shown=["p"]).columns["c"].numbers()
    lines[450] = "1,2"
    blocks_of_pixels.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"p:451: 2 fields, expected 3"):
        read_table([str(blocks_of_pixels)], shown=["p"])


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is an extra")
def test_parquet_in_batches_is_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    columns = {
        "whole": list(range(7)),
        "gaps": [1.0, 2.0, 3.0, None, 4.5, 5.0, 6.0],
        "some": [1, 2, 3, 4, 5, None, 7],
        "kind": ["oak", None, "elm", "elm", "oak", "ash", "ash"],
    }
    file = folder.parent / "x.parquet"
    parquet.write_table(pyarrow.table(columns), file, row_group_size=4)
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 1 << 30)
    expected = outcome(file)
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
    for size in (1, 3, 100):
        monkeypatch.setattr(parquet_part, "BATCH_ROWS", size)
        assert outcome(file, stream=False) == expected
        assert outcome(file, stream=True) == expected
