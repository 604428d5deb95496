"""The run directory in use: held by a lock, consistent for readers, told of and mended where something went wrong."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from nntrain.errors import DataError, ResourceError, RunError
from nntrain.runs.environment import git_commit
from nntrain.runs.lock import is_live
from nntrain.runs.run import Run
from tests.runs.made import child, create, listing


def test_a_run_through_a_link_to_its_directory(tmp_path: Path) -> None:
    create(tmp_path, run_dir=tmp_path / "real").close()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Run.open(tmp_path / "link").locked() as run:
        run.update(status="finished")
    assert Run.open(tmp_path / "real").status == "finished"


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
