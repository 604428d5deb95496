"""Processes that are asked to end, in all the ways there are: nothing is lost, nothing is shown that should not be."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nntrain.runs.run import Run

ROOT = Path(__file__).parent.parent
NNTRAIN = [sys.executable, "-m", "nntrain"]
COMPARED = ("metrics.jsonl", "checkpoints/last.safetensors", "checkpoints/best.safetensors")
CONFIG = """
data: {train: iris.csv, target: species}
architecture: {name: mlp, hidden: [8], dropout: 0.2}
epochs: 600
checkpoint: {every_seconds: 0.02}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a config, and the run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("interruptions")
    shutil.copy(ROOT / "datasets" / "iris.csv", folder)
    (folder / "c.yaml").write_text(CONFIG, encoding="utf-8")
    done = subprocess.run([*NNTRAIN, "fit", "c.yaml", "--run-dir", "whole", "-q"], cwd=folder, check=False)
    assert done.returncode == 0
    return folder


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*NNTRAIN, *arguments], cwd=folder, text=True, **{**pipes, **options})


def started(folder: Path, run: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a training and wait for its first checkpoint."""
    process = start(folder, "fit", "c.yaml", "--run-dir", str(run), *arguments, **options)
    wait_for(lambda: (run / "checkpoints" / "last.safetensors").exists(), process)
    return process


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(6000):
        if condition():
            return
        assert process.poll() is None
        time.sleep(0.005)
    raise AssertionError("it did not come to pass")


def check_goes_on(whole: Path, run: Path) -> None:
    done = subprocess.run([*NNTRAIN, "fit", "--resume", str(run), "-q"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMPARED:
        assert (run / name).read_bytes() == (whole / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("count", [2, 3])
def test_ctrl_c_again_and_again_stops_at_once(whole: Path, tmp_path: Path, count: int) -> None:
    run = tmp_path / "run"
    process = started(whole, run)
    for _ in range(count):
        process.send_signal(signal.SIGINT)
        time.sleep(0.003)
    _, error = process.communicate(timeout=5)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert f"nntrain fit --resume {run}" in error
    check_goes_on(whole, run)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGXCPU", 152)])
def test_the_way_to_go_on_is_told_to_who_asked_for_quiet_too(whole: Path, tmp_path: Path, name: str, code: int) -> None:
    run = tmp_path / "a run's place"
    process = started(whole, run, "--quiet", "--json")
    process.send_signal(getattr(signal, name))
    out, error = process.communicate(timeout=30)
    assert process.returncode == code
    (line,) = error.splitlines()
    assert line.startswith("warning: interrupted and saved; go on with: nntrain fit --resume ")
    assert (json.loads(out)["status"], json.loads(out)["exit_code"]) == ("interrupted", code)
    # The command works as it stands, in a shell.
    shell = f'nntrain() {{ "{sys.executable}" -m nntrain "$@"; }}; {line.partition("go on with: ")[2]}'
    subprocess.run(["bash", "-c", shell], check=True, capture_output=True)
    assert Run.open(run).status == "finished"


def test_a_polite_signal_twice_still_saves(whole: Path, tmp_path: Path) -> None:
    """As a terminal does that closes: SIGHUP from the kernel, and another from the shell."""
    run = tmp_path / "run"
    process = started(whole, run)
    for _ in range(3):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 129
    assert "interrupted and saved" in error
    check_goes_on(whole, run)


def test_a_terminal_that_closes(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ours, theirs = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    process = start(whole, "fit", "c.yaml", "--run-dir", str(run), preexec_fn=take_terminal, **streams)
    os.close(theirs)
    os.set_blocking(ours, False)

    def is_saved() -> bool:
        with suppress(BlockingIOError):  # unread, the terminal would be full one day, and the training wait
            os.read(ours, 1 << 16)
        return (run / "checkpoints" / "last.safetensors").exists()

    wait_for(is_saved, process)
    os.close(ours)
    assert process.wait(timeout=30) == 129
    assert Run.open(run).info["stop_reason"] == "SIGHUP"
    check_goes_on(whole, run)


def test_nohup_is_respected(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started(whole, run, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.05)
    assert process.poll() is None
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert Run.open(run).status == "finished"


def test_stopped_and_continued(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started(whole, run)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    assert Run.open(run).status == "running"
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    for name in COMPARED:
        assert (run / name).read_bytes() == (whole / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGKILL"])
def test_signals_that_nobody_takes_lose_nothing(whole: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    process = started(whole, run, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=30)
    assert process.returncode == -getattr(signal, name)
    assert Run.open(run).status == "interrupted"
    shown = subprocess.run([*NNTRAIN, "show", str(run)], capture_output=True, text=True, check=True).stdout
    assert "status      interrupted" in " ".join(shown.splitlines()[:4])
    check_goes_on(whole, run)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_while_the_data_are_read(tmp_path: Path, name: str, code: int) -> None:
    os.mkfifo(tmp_path / "slow.csv")
    (tmp_path / "c.yaml").write_text(CONFIG.replace("iris.csv", "slow.csv"), encoding="utf-8")
    process = start(tmp_path, "fit", "c.yaml", "--run-dir", "run")
    with (tmp_path / "slow.csv").open("w") as file:  # opens when the reader has
        file.write("a,species\n1,x\n")
        file.flush()
        time.sleep(0.1)
        process.send_signal(getattr(signal, name))
        _, error = process.communicate(timeout=30)
    assert process.returncode == code
    assert error.endswith("error: interrupted\n")
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


# Sends itself a signal when a module is asked for, which is the midst of loading another.
_SIGNALLED = """
import os, signal, sys
number, wanted, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
class Watch:
    done = False
    def find_spec(self, name, path=None, target=None):
        if name == wanted and not Watch.done:
            Watch.done = True
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, Watch())
sys.argv = ["nntrain", *arguments]
from nntrain.cli import main
main()
"""


@pytest.mark.parametrize("module", ["click", "nntrain.cli.fit_command", "numpy", "numpy._core.multiarray", "yaml"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_while_modules_are_loaded(whole: Path, tmp_path: Path, module: str, name: str, code: int) -> None:
    number = str(int(getattr(signal, name)))
    arguments = ["fit", "c.yaml", "--run-dir", str(tmp_path / "run"), "--json"]
    command = [sys.executable, "-c", _SIGNALLED, number, module, *arguments]
    done = subprocess.run(command, cwd=whole, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "error: interrupted\n")
    assert (json.loads(done.stdout)["status"], json.loads(done.stdout)["exit_code"]) == ("interrupted", code)
    assert not (tmp_path / "run").exists()


def test_an_exception_that_python_would_swallow_is_not_lost() -> None:
    program = """
import os, signal
from nntrain.cli.signals import INTERRUPTION
INTERRUPTION.install()
class Passing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100): pass
Passing()
print("lost")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "error: interrupted\n")


def test_a_signal_while_an_interruption_is_told_shows_no_traceback() -> None:
    program = """
import os, signal
from nntrain.cli.signals import INTERRUPTION, Interrupted
INTERRUPTION.install()
INTERRUPTION.help = "do that"
try:
    os.kill(os.getpid(), signal.SIGINT)
except Interrupted:
    os.kill(os.getpid(), signal.SIGINT)
    print("still here")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n  help: do that\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_behind_a_stream_loses_no_training(whole: Path, tmp_path: Path, stream: str) -> None:
    run = tmp_path / "run"
    with Path("/dev/full").open("w") as full:
        process = start(whole, "fit", "c.yaml", "--run-dir", str(run), **{stream: full})
        _, error = process.communicate(timeout=60)
    assert process.returncode == (6 if stream == "stdout" else 0)
    assert "Traceback" not in (error or "")
    assert Run.open(run).status == "finished"
    for name in COMPARED:
        assert (run / name).read_bytes() == (whole / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("readers", ["| head -n 1", "2>&1 | head -n 1", "2>&1 >/dev/null | head -c 1", "| true"])
def test_a_reader_that_goes_away_loses_no_training(whole: Path, tmp_path: Path, readers: str) -> None:
    run = tmp_path / "run"
    program = f'"{sys.executable}" -m nntrain fit c.yaml --run-dir "{run}" {readers}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", program], cwd=whole, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 141)
    assert "Traceback" not in done.stderr + done.stdout
    assert Run.open(run).status == "finished"


ODD = ["with blank", "new\nline", "-dash", "emoji 🙂", "quote'\"", "$HOME", "x" * 255, "é" * 120]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names_of_run_directories(whole: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(whole / "iris.csv", tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG, encoding="utf-8")
    changes = ["--set", "epochs=2", f"--run-dir={name}"]
    first = subprocess.run([*NNTRAIN, "fit", "c.yaml", *changes], cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    again = subprocess.run([*NNTRAIN, "fit", "c.yaml", *changes], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 2
    more = [f"--resume={tmp_path / name}", "--set", "epochs=3"]
    done = subprocess.run([*NNTRAIN, "fit", *more], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(Run.open(tmp_path / name).read_metrics()) == 3
    assert not any("\n" in line or "\x1b" in line for line in (first.stderr + again.stderr).split("\n"))


@pytest.mark.parametrize(("name", "words"), [("x" * 256, "at most 255 bytes, got 256"), ("c.yaml", "not exist")])
def test_impossible_names_are_refused(whole: Path, name: str, words: str) -> None:
    before = sorted(whole.iterdir())
    done = subprocess.run(
        [*NNTRAIN, "fit", "c.yaml", "--run-dir", name], cwd=whole, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert sorted(whole.iterdir()) == before


def test_twenty_trainings_at_once(whole: Path, tmp_path: Path) -> None:
    options = ["--set", "epochs=3", "--runs-dir", str(tmp_path), "-q"]
    processes = [start(whole, "fit", "c.yaml", *options) for _ in range(20)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 20, errors
    runs = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert len(runs) == len(list(tmp_path.iterdir())) == 20
    assert len({(run / "checkpoints" / "last.safetensors").read_bytes() for run in runs}) == 1


def test_of_trainings_for_one_directory_one_gets_it(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    processes = [start(whole, "fit", "c.yaml", "--run-dir", str(run)) for _ in range(5)]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ended)[0] == 0
    assert [code for _, code in ended].count(0) == 1
    for error, code in ended:
        assert code == 0 or (code == 6 and "owned by pid" in error) or (code == 2 and "does not exist yet" in error)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    for name in COMPARED:
        assert (run / name).read_bytes() == (whole / "whole" / name).read_bytes(), name


def test_the_second_to_go_on_is_told_of_the_first(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started(whole, run)
    process.kill()
    process.communicate(timeout=30)
    first = start(whole, "fit", "--resume", str(run), "--set", "epochs=20000")
    wait_for(lambda: str(first.pid) in (run / ".holder.json").read_text(), first)
    second = start(whole, "fit", "--resume", str(run), "--set", "epochs=20000")
    _, error = second.communicate(timeout=30)
    assert second.returncode == 6
    assert f"the run is in use, owned by pid {first.pid} since" in error
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    assert first.returncode == 143


def test_readers_never_see_half_a_file(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from nntrain.cli.entry import run as command

    run = tmp_path / "run"
    fast = ["--set", "checkpoint.every_seconds=0", "--set", "epochs=150"]
    process = started(whole, run, *fast, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    drained = threading.Thread(target=process.wait)
    drained.start()
    csv, looks = str(whole / "iris.csv"), 0
    ways = [
        ["show", str(run)],
        ["compare", str(run), str(whole / "whole")],
        ["runs", "--runs-dir", str(tmp_path)],
        ["eval", str(run), csv, "--output", str(tmp_path / "judged")],
        ["predict", str(run), csv, "--checkpoint", "last"],
    ]
    while process.poll() is None or looks < 5:
        assert command([*ways[looks % len(ways)], "--json"]) == 0, capsys.readouterr().err
        shown = json.loads(capsys.readouterr().out)
        if looks % len(ways) == 0:
            assert [row["epoch"] for row in shown["metrics"]] == list(range(1, len(shown["metrics"]) + 1))
        looks += 1
    drained.join()
    assert process.returncode == 0
    assert looks > 10
