"""Making a run directory: whole or not at all, under a name of its own, shared by nobody."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nntrain.errors import ConfigError, ResourceError
from nntrain.runs import naming
from nntrain.runs.lock import RunLock
from nntrain.runs.run import Run
from tests.runs.made import child, create, listing


def test_a_run_is_made_whole(tmp_path: Path) -> None:
    with create(tmp_path / "new" / "runs", threads=2, data={"iris.csv": {"sha256": "ab"}}) as run:
        assert re.fullmatch(r"iris-\d{8}-\d{6}-[0-9a-f]{4}", run.name)
        assert listing(run.path.parent) == [run.name]
        assert [name for name in listing(run.path) if not name.startswith(".")] == [
            "checkpoints",
            "config.yaml",
            "run.json",
            "source.yaml",
        ]
        assert (run.path / "source.yaml").read_text() == "source: as it was\n"
        info = json.loads((run.path / "run.json").read_text())
        assert (info["id"], info["name"], info["status"]) == (run.name, "iris", "running")
        assert (info["threads"], info["data"]) == (2, {"iris.csv": {"sha256": "ab"}})
        assert info["versions"]["numpy"] == np.__version__
        assert info["created"] and info["ended"] is None


def test_the_directory_appears_only_when_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        seen.append([path.name[0], *(name for name in listing(path) if not name.startswith("."))])
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    create(tmp_path).close()
    assert seen == [[".", "checkpoints", "config.yaml", "run.json", "source.yaml"]]


def test_folders_made_on_the_way_are_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(naming, "sync_folder", synced.append)
    create(tmp_path / "new" / "runs").close()
    assert synced == [tmp_path / "new", tmp_path, tmp_path / "new" / "runs"]
    synced.clear()
    create(tmp_path / "new" / "runs").close()
    assert synced == [tmp_path / "new" / "runs"]


def test_a_failure_while_making_it_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        create(tmp_path)
    assert listing(tmp_path) == []


def test_names_do_not_need_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["same", "same", "same", "other"])
    monkeypatch.setattr(naming, "run_id", lambda _: next(names))
    first = create(tmp_path)
    second = create(tmp_path)
    assert (first.name, second.name) == ("same", "other")
    assert json.loads((second.path / "run.json").read_text())["id"] == "other"
    first.close()
    second.close()


def test_an_odd_time_zone_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "UTC+99")
            time.tzset()
            assert re.fullmatch(r"x-\d{8}-\d{6}-[0-9a-f]{4}", naming.run_id("x"))
    finally:
        time.tzset()


def test_what_killed_processes_left_half_made_goes_with_the_next_run(tmp_path: Path) -> None:
    def left(name: str, *files: str, age: float = 2 * naming.ABANDONED_SECONDS) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            (folder / file).write_text("{}")
        os.utime(folder, (time.time() - age, time.time() - age))
        return folder

    gone = [left(".x-1.new-0123abcd"), left(".x-2.new-0123abcd", ".lock", "config.yaml", "run.json")]
    held = left(".x-3.new-0123abcd", "run.json")
    lock = RunLock(held)
    lock.acquire()
    os.utime(held, (0, 0))
    kept = [
        held,
        left(".x-4.new-0123abcd", ".lock", age=0),  # perhaps being made at this moment
        left(".x-5.new-0123abcd", "mine.txt"),
        left(".x-6.new-0123ABCD", ".lock"),
        left("x-7.new-0123abcd", ".lock"),
    ]
    outside = left("outside", ".lock")
    (tmp_path / ".x-8.new-0123abcd").symlink_to(outside)
    create(tmp_path).close()
    lock.release()
    assert not any(folder.exists() for folder in gone)
    assert all(folder.exists() for folder in [*kept, outside, tmp_path / ".x-8.new-0123abcd"])


BAD_NAMES = [
    "",
    " ",
    "a ",
    "a/b",
    "../x",
    "..",
    ".hidden",
    "-x",
    "a\nb",
    "a\0b",
    "a\x1b[31m",
    "a\u202eb",
    "a\\b",
    "c:x",
]


@pytest.mark.parametrize("name", [*BAD_NAMES, "x" * 101, "é" * 51])
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="name: expected a plain file name") as caught:
        create(tmp_path, name)
    assert str(caught.value).isprintable()
    assert listing(tmp_path) == []


@given(st.text(max_size=120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_name_gives_a_directory_inside_or_an_error(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "runs"
    try:
        run = create(folder, name)
    except ConfigError as error:
        assert error.exit_code == 2
        return
    run.close()
    assert run.path.parent == folder
    assert run.path.resolve().parent == folder.resolve()
    assert run.name.startswith(name)
    assert listing(tmp_path) == ["runs"]


@pytest.mark.parametrize("kind", ["run", "empty folder", "file", "dangling link"])
def test_an_exact_directory_must_not_exist(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "it"
    if kind == "run":
        create(tmp_path, run_dir=target).close()
    elif kind == "empty folder":
        target.mkdir()
    elif kind == "file":
        target.write_bytes(b"x")
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = listing(tmp_path)
    with pytest.raises(ConfigError, match="--run-dir: expected a directory that does not exist") as caught:
        create(tmp_path, run_dir=target)
    assert caught.value.exit_code == 2
    assert listing(tmp_path) == before


def test_odd_directories_work(tmp_path: Path) -> None:
    for name in ("with blank", "-dash", "emoji 🙂", "new\nline"):
        with create(tmp_path, run_dir=tmp_path / name) as run:
            assert Run.open(run.path).name == name
    with pytest.raises(ConfigError, match="at most 255 bytes, got 300"):
        create(tmp_path, run_dir=tmp_path / ("x" * 300))


def test_twenty_at_once_never_share(tmp_path: Path) -> None:
    script = f"Run.create('same', {str(tmp_path)!r}, None, 'a: 1', 'a: 1', {{}}); sys.stdin.read()"
    # Eight at a time keep a small machine usable; they still start within the same second.
    children = [child(script) for _ in range(8)]
    for process in children:
        process.communicate(timeout=60)
    assert [process.returncode for process in children] == [0] * 8
    lock = threading.Barrier(12)

    def make() -> None:
        lock.wait()
        create(tmp_path, "same").close()

    threads = [threading.Thread(target=make) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listing(tmp_path)) == 20
    assert all(name.startswith("same-") for name in listing(tmp_path))


def test_of_many_for_one_directory_one_succeeds(tmp_path: Path) -> None:
    script = f"""
from nntrain.errors import NntrainError
print("ready", flush=True)
sys.stdin.readline()
try:
    run = Run.create('x', 'runs', {str(tmp_path / "it")!r}, '', '', {{}})
    print("made", flush=True)
except NntrainError as error:
    print(error.exit_code, str(error), flush=True)
sys.stdin.read()
"""
    children = [child(script) for _ in range(6)]
    for process in children:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in children:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.stdout.readline() for process in children if process.stdout is not None]
    for process in children:
        process.communicate(timeout=60)
    assert answers.count("made\n") == 1
    assert all(answer == "made\n" or (answer.startswith("6 ") and "in use" in answer) for answer in answers)
    assert listing(tmp_path) == ["it"]


@pytest.mark.parametrize("number", ["ENOSPC", "EACCES"])
def test_an_unwritable_folder_is_told_before_training(tmp_path: Path, number: str) -> None:
    script = f"""
import errno, os
from nntrain.errors import ResourceError
real = os.mkdir
def mkdir(*arguments, **options):
    raise OSError(errno.{number}, os.strerror(errno.{number}))
os.mkdir = mkdir
try:
    Run.create('x', {str(tmp_path / "runs")!r}, None, '', '', {{}})
except ResourceError as error:
    print(error.exit_code, error)
"""
    out, problems = child(script).communicate(timeout=60)
    assert problems == ""
    assert out.startswith("6 error: ")
    assert str(tmp_path / "runs") in out


def test_a_disk_without_inodes_is_told_like_any_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.mkdir

    def mkdir(path: Any, *rest: Any) -> None:
        if str(path).endswith("checkpoints"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, *rest)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(ResourceError, match="cannot make the folder: no space left on device") as caught:
        create(tmp_path)
    assert caught.value.problems[0].help
    assert listing(tmp_path) == []


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    """Permission bits do not bind root, so root becomes another user first."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and "pytest" in str(folder):
            folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    script = f"""
import os
from nntrain.errors import ResourceError
import filelock, nntrain.runs.environment  # what is imported later must be readable for the other user too
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    Run.create('x', {str(closed)!r}, None, '', '', {{}})
except ResourceError as error:
    print(error.exit_code, error)
"""
    out, problems = child(script).communicate(timeout=60)
    assert problems == ""
    assert out.startswith("6 error: ")
    assert "permission denied" in out
    assert "--runs-dir" in out
