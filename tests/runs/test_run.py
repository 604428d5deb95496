"""The run directory: made whole, never shared, held by a lock, consistent for readers."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nntrain.errors import ConfigError, DataError, ResourceError, RunError
from nntrain.runs import naming
from nntrain.runs.environment import git_commit
from nntrain.runs.lock import RunLock, is_live
from nntrain.runs.run import Run


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def create(folder: Path, name: str = "iris", run_dir: Path | None = None, **info: Any) -> Run:
    chosen = None if run_dir is None else str(run_dir)
    return Run.create(name, str(folder), chosen, "name: iris\n", "source: as it was\n", info)


def child(script: str, **options: Any) -> subprocess.Popen[str]:
    prelude = "from nntrain.runs.run import Run\nimport sys, time\n"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", prelude + script], text=True, **{**pipes, **options})


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


def test_a_run_through_a_link_to_its_directory(tmp_path: Path) -> None:
    create(tmp_path, run_dir=tmp_path / "real").close()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Run.open(tmp_path / "link").locked() as run:
        run.update(status="finished")
    assert Run.open(tmp_path / "real").status == "finished"


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


def test_the_second_holder_is_told_who_has_the_run(tmp_path: Path) -> None:
    process = child(
        f"run = Run.create('x', 'runs', {str(tmp_path / 'it')!r}, '', '', {{}}); print(1, flush=True); sys.stdin.read()"
    )
    assert process.stdout is not None
    process.stdout.readline()
    run = Run.open(tmp_path / "it")
    assert is_live(run.path)
    assert run.status == "running"
    with (
        pytest.raises(ResourceError, match=rf"owned by pid {process.pid} since \d{{4}}-\d\d-\d\dT") as caught,
        run.locked(),
    ):
        pass
    assert caught.value.exit_code == 6
    assert caught.value.problems[0].path == str(run.path)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    # A lock goes with its process; nothing is to be cleaned up.
    assert not is_live(run.path)
    assert Run.open(run.path).status == "interrupted"
    with run.locked():
        assert is_live(run.path)


def test_two_holders_in_one_process(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        with pytest.raises(ResourceError, match="in use"), Run.open(run.path).locked():
            pass
        run.update(status="running")
    with Run.open(run.path).locked():
        pass


def test_looking_whether_it_is_live_disturbs_nobody(tmp_path: Path) -> None:
    create(tmp_path, run_dir=tmp_path / "it").close()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            is_live(tmp_path / "it")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            with Run.open(tmp_path / "it").locked():
                pass
    finally:
        done.set()
        thread.join()


def test_reading_makes_no_lock_file(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "run.json").write_text('{"status": "running", "created": "2026"}')
    assert Run.open(tmp_path / "it").status == "interrupted"
    assert listing(tmp_path / "it") == ["run.json"]


def test_locking_a_finished_run_changes_no_file(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.update(status="finished")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with Run.open(run.path).locked():
        pass
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (DataError("column 'x': gone"), "failed", "column 'x': gone"),
        (KeyboardInterrupt(), "interrupted", "stopped at once"),
        (MemoryError("Unable to allocate 1 TiB"), "failed", "out of memory: Unable to allocate 1 TiB"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "failed", "out of memory"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "failed", "resource temporarily unavailable"),
        (RuntimeError("can't start new thread"), "failed", "can't start new thread"),
        (ZeroDivisionError(), "failed", "a bug in nntrain: ZeroDivisionError"),
    ],
)
def test_how_it_ended_is_written(tmp_path: Path, error: BaseException, status: str, reason: str) -> None:
    with pytest.raises(type(error)), create(tmp_path) as run:
        raise error
    found = Run.open(run.path)
    assert (found.status, found.info["stop_reason"]) == (status, reason)
    assert found.info["ended"]
    with pytest.raises(type(error)), Run.open(run.path).locked() as again:
        again.update(status="running", stop_reason=None)
        assert again.info["ended"] is None
        raise error


def test_an_ended_run_keeps_its_status_when_something_fails_later(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), create(tmp_path) as run:
        run.update(status="finished")
        raise KeyboardInterrupt
    assert Run.open(run.path).status == "finished"


def test_run_json_is_always_whole_for_readers(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        problems: list[str] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                info = Run.open(run.path).info
                if len(set(info.get("filler", [0]))) != 1:
                    problems.append("torn")

        thread = threading.Thread(target=read)
        thread.start()
        for i in range(60):
            run.update(filler=[i] * 20_000)
        done.set()
        thread.join()
        assert problems == []


def test_a_removed_run_is_not_made_again(tmp_path: Path) -> None:
    import shutil

    run = create(tmp_path)
    shutil.rmtree(run.path)
    run.recorder.epoch({"epoch": 1}, {"epoch": 1})
    actions = [
        lambda: run.update(status="finished"),
        lambda: run.checkpoints.save_last({}, {}),
        lambda: run.checkpoints.save_best({}, {}),
        run.recorder.commit,
        lambda: run.log("x"),
    ]
    for action in actions:
        with pytest.raises(ResourceError) as caught:
            action()
        assert str(run.path) in str(caught.value.problems[0].path)
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"status": "running"}', b'{"status": "odd", "created": "x"}', b"\xff", b"[" * 100_000,
     b'{"status": "running", "created": 5}', b'{"status": ["running"], "created": "x"}'],
)  # fmt: skip
def test_a_damaged_run_json_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError) as caught:
        Run.open(tmp_path)
    assert caught.value.exit_code == 4
    assert caught.value.problems[0].path == str(tmp_path / "run.json")


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a run directory: it holds no run\.json"):
        Run.open(tmp_path)
    (tmp_path / "run.json").symlink_to("/etc/hostname")
    with pytest.raises(RunError, match="got a link"):
        Run.open(tmp_path)


def test_planted_links_in_a_run_are_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    run = create(tmp_path / "runs")
    run.recorder.epoch({"epoch": 1}, {"epoch": 1})
    for name in ("metrics.jsonl", "log.txt", "run.json", "eval"):
        (run.path / name).unlink(missing_ok=True)
        (run.path / name).symlink_to(victim)
    actions = [
        run.recorder.commit,
        lambda: run.log("x"),
        lambda: run.update(status="finished"),
        lambda: run.write_evaluation("a.csv", "best", {"sha256": "0" * 64}, {"row": [1]}),
        run.read_metrics,
        run.read_evaluations,
    ]
    for action in actions:
        with pytest.raises(RunError, match="got a link"):
            action()
    run.close()
    assert victim.read_bytes() == b"mine"


def test_leftovers_go_when_the_run_is_locked(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.update(status="interrupted")
    ours = [run.path / ".metrics.jsonl.tmp-0123abcd", run.path / "checkpoints" / ".last.safetensors.tmp-0123abcd"]
    for path in [*ours, run.path / "mine.tmp-0123abcd"]:
        path.write_bytes(b"half")
    with Run.open(run.path).locked():
        assert not any(path.exists() for path in ours)
    assert (run.path / "mine.tmp-0123abcd").exists()


def test_notices_mend_and_tell(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        assert run.notices() == ["no checkpoint yet, starting at epoch 1 with the stored seed"]
        for epoch in (1, 2):
            run.recorder.epoch({"epoch": epoch}, {"epoch": epoch})
            run.checkpoints.save_last({"weights.w": np.full(3, epoch)}, {"epoch": epoch})
        run.recorder.epoch({"epoch": 3}, {"epoch": 3})
        run.recorder.commit()
        run.update(status="interrupted")
    os.truncate(run.path / "checkpoints" / "last.safetensors", 100)
    with Run.open(run.path).locked() as again:
        first, second = again.notices()
        assert "last.safetensors is passed over" in first
        assert second == "metrics.jsonl: 2 rows after the checkpoint cut off"
        assert again.read_metrics() == [{"epoch": 1}]
        found = again.checkpoints.load_last()
        assert found is not None
        assert found[1]["epoch"] == 1
        assert again.recorder.truncate_to(1) == []


def test_what_was_read_before_another_process_trained_is_read_again(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.checkpoints.save_last({"weights.w": np.zeros(3)}, {"epoch": 1})
        run.update(status="interrupted")
    waiting = Run.open(run.path)
    assert waiting.checkpoints.look() == {"epoch": 1}
    with Run.open(run.path).locked() as other:
        other.checkpoints.save_last({"weights.w": np.ones(3)}, {"epoch": 2})
        other.update(status="interrupted")
    with waiting.locked():
        assert waiting.checkpoints.look() == {"epoch": 2}


def test_one_log_line_a_record(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.log("a\nb \x1b[31m")
        run.log("c")
        lines = (run.path / "log.txt").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(r" a\nb \x1b[31m")


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


def test_a_full_disk_while_saving(tmp_path: Path) -> None:
    """The old checkpoint stays, nothing is left behind, and the run goes on once there is room."""
    script = f"""
import resource
import numpy as np
from nntrain.errors import ResourceError
run = Run.create('x', 'runs', {str(tmp_path / "it")!r}, '', '', {{}})
run.checkpoints.save_last({{"w": np.zeros(10)}}, {{"epoch": 0}})
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    run.checkpoints.save_last({{"w": np.zeros(10_000)}}, {{"epoch": 1}})
except ResourceError as error:
    print(error.exit_code, error)
"""
    out, problems = child(script).communicate(timeout=60)
    assert problems == ""
    assert out.startswith("6 error: ")
    assert "last.safetensors: cannot write: file too large; 80," in out
    with Run.open(tmp_path / "it").locked() as run:
        found = run.checkpoints.load_last()
        assert found is not None
        assert found[1] == {"epoch": 0}
        assert not any(".tmp-" in path.name for path in run.path.rglob("*"))


def test_the_commit_is_read_without_running_anything(tmp_path: Path) -> None:
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "deep").mkdir()
    commit = "0123456789abcdef0123456789abcdef01234567"
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) is None
    (git / "packed-refs").write_text(f"# pack-refs\n{'f' * 40} refs/heads/domain\n{commit} refs/heads/main\n")
    assert git_commit(tmp_path / "deep") == commit
    (git / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
    assert git_commit(tmp_path) == "a" * 40
    (git / "HEAD").write_text(commit)
    assert git_commit(tmp_path) == commit
    (git / "HEAD").write_text("ref: ../../secret")
    (tmp_path.parent / "secret").write_text("no commit")
    assert git_commit(tmp_path) is None
