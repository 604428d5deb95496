"""Whole-file replacement, appending and reading: order of system calls, failures, links."""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.errors import ResourceError, RunError
from nntrain.runs import files


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system calls in order, with what they were about."""
    seen: list[str] = []
    real_fsync, real_rename, real_write = os.fsync, Path.replace, os.write

    def kind(file: int) -> str:
        return "folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file"

    def fsync(file: int) -> None:
        seen.append(f"fsync {kind(file)}")
        real_fsync(file)

    def rename(path: Path, target: Path) -> Path:
        seen.append("rename")
        return real_rename(path, target)

    def write(file: int, content: bytes) -> int:
        seen.append("write")
        return real_write(file, content)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(Path, "replace", rename)
    return seen


def test_replace_syncs_the_file_before_and_the_folder_after_the_rename(tmp_path: Path, calls: list[str]) -> None:
    files.replace_file(tmp_path / "a", b"x", b"y")
    assert calls == ["write", "fsync file", "rename", "fsync folder"]
    assert (tmp_path / "a").read_bytes() == b"xy"


@pytest.mark.parametrize("sizes", [[], [0], [3, 70_000, 0, 5, 5], [40_000, 40_000, 1], [1 << 16, 1, (1 << 16) + 1]])
def test_parts_of_any_size_stand_one_after_the_other(tmp_path: Path, sizes: list[int]) -> None:
    parts = [memoryview(bytes([65 + number]) * size) for number, size in enumerate(sizes)]
    files.replace_file(tmp_path / "a", *parts)
    assert (tmp_path / "a").read_bytes() == b"".join(parts)


def test_append_is_one_write_and_a_sync(tmp_path: Path, calls: list[str]) -> None:
    files.append_file(tmp_path / "a", b"1\n2\n")
    files.append_file(tmp_path / "a", b"3\n")
    assert calls == ["write", "fsync file", "write", "fsync file"]
    assert (tmp_path / "a").read_bytes() == b"1\n2\n3\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_a_failure_is_told_and_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    target = tmp_path / "last"
    target.write_bytes(b"old")

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(ResourceError) as caught:
        files.replace_file(target, b"n" * 1234)
    monkeypatch.undo()
    (problem,) = caught.value.problems
    assert caught.value.exit_code == 6
    assert problem.path == str(target)
    assert os.strerror(number).lower() in problem.message
    assert "1,234 bytes needed" in problem.message
    assert problem.help
    assert target.read_bytes() == b"old"
    assert listing(tmp_path) == ["last"]


def test_a_failed_rename_removes_the_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ResourceError, match="input/output error"):
        files.replace_file(tmp_path / "a", b"x")
    assert listing(tmp_path) == []


def test_an_interruption_while_writing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        files.replace_file(tmp_path / "a", b"x")
    assert listing(tmp_path) == []


def test_a_file_size_limit_keeps_old_files_whole(tmp_path: Path) -> None:
    """The kernel cuts a write short at the limit and fails the next one, as a disk that fills up does."""
    script = f"""
import resource
from pathlib import Path
from nntrain.errors import ResourceError
from nntrain.runs.files import append_file, replace_file
folder = Path({str(tmp_path)!r})
replace_file(folder / "a", b"old")
append_file(folder / "rows", b"1\\n" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for action in (lambda: replace_file(folder / "a", b"n" * 5000), lambda: append_file(folder / "rows", b"2\\n" * 5000)):
    try:
        action()
    except ResourceError as error:
        print(error)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.count("file too large") == 2
    assert "5,000 bytes needed" in found.stdout
    assert "10,000 bytes needed" in found.stdout
    assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "rows").read_bytes() == b"1\n" * 100
    assert listing(tmp_path) == ["a", "rows"]


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    for action in (files.replace_file, files.append_file):
        with pytest.raises(ResourceError, match="no such file") as caught:
            action(tmp_path / "gone" / "a", b"x")
        assert "moved or removed" in str(caught.value)
    assert listing(tmp_path) == []


def test_planted_links_are_refused_and_what_they_point_to_is_untouched(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    link = tmp_path / "metrics.jsonl"
    link.symlink_to(victim)
    actions = [
        lambda: files.replace_file(link, b"x"),
        lambda: files.append_file(link, b"x"),
        lambda: files.cut_file(link, 0),
        lambda: files.read_file(link),
    ]
    for action in actions:
        with pytest.raises(RunError, match="got a link"):
            action()
    assert victim.read_bytes() == b"mine"


def test_what_may_not_be_looked_at_is_not_taken_for_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    assert files.is_there(tmp_path / "dangling") and not files.is_there(tmp_path / "nowhere")
    assert not files.is_there(Path("x" * 5000)) and not files.is_there(Path("a\0b"))

    def denied(*arguments: object) -> None:  # the superuser may look anywhere
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(os, "lstat", denied)
    with pytest.raises(ResourceError, match="cannot look at it: permission denied"):
        files.is_there(tmp_path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((RunError, ResourceError)):
        files.append_file(tmp_path / "pipe", b"x")
    with pytest.raises(RunError, match="a link or a device"):
        files.read_file(tmp_path / "pipe")


def test_reading_says_what_is_missing_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="missing"):
        files.read_file(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(RunError, match="at most 4 bytes, got 5"):
        files.read_file(tmp_path / "a", largest=4)


def test_only_our_own_leftovers_are_removed(tmp_path: Path) -> None:
    ours = files.temporary_beside(tmp_path / "last.safetensors")
    ours.write_bytes(b"half")
    others = [".last.tmp-xyz", "a.tmp-01234567", ".tmp-01234567", ".a.tmp-012345678"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".folder.tmp-01234567").mkdir()
    assert files.remove_temporaries(tmp_path) == [ours.name]
    assert listing(tmp_path) == sorted([*others, ".folder.tmp-01234567"])


def test_writability_is_proven_by_writing(tmp_path: Path) -> None:
    files.ensure_writable(tmp_path / "new" / "runs")
    assert listing(tmp_path / "new" / "runs") == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResourceError):
        files.ensure_writable(tmp_path / "file" / "runs")


def test_results_may_go_through_a_link_or_to_a_device(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    files.write_output(tmp_path / "link.csv", b"new")
    assert (tmp_path / "real.csv").read_bytes() == b"new"
    assert (tmp_path / "link.csv").is_symlink()
    files.write_output("/dev/null", b"x")
    with pytest.raises(ResourceError, match="no space left"):
        files.write_output("/dev/full", b"x")


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_csv_cells_come_back_verbatim(cells: list[tuple[str, str]]) -> None:
    cells = [(a.replace("\0", ""), b.replace("\0", "")) for a, b in cells]
    text = files.csv_text({"a": [a for a, _ in cells], "b": [b for _, b in cells]})
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == [("a", "b"), *cells]


def test_one_empty_cell_is_no_blank_line() -> None:
    assert files.csv_text({"a": ["", "x"]}) == 'a\n""\nx\n'
