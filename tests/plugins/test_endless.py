"""Plug-ins that never come back: a signal ends the training all the same, and tells where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from nntrain.runs.run import Run
from tests.plugged import CONFIG, PLUGIN, told
from tests.trainings import digest

PATIENT = "import sys, nntrain.cli.signals as s; s.PATIENCE = 0.5; from nntrain.__main__ import main; sys.exit(main())"

LOOP = """\
        self.x = x
        import pathlib, time
        while ctx.step == 20 and {condition} and pathlib.Path("loop").exists():
            time.sleep(0.001)
"""

WAYS: dict[str, tuple[str, str, list[str]]] = {
    "alone": ("True", "dense", []),
    "in two processes": ("True", "dense", ["--threads", "2", "--set", "shards=2"]),
    "in the other process": ("ctx.shard == 1", "dense", ["--threads", "2", "--set", "shards=2"]),
    "in turns": ("True", "batch_norm", ["--threads", "1", "--set", "shards=2"]),
}


def endless(folder: Path, condition: str = "True", first: str = "dense") -> int:
    """Let the project's layer go on and on in update 20 while there is a file; return the line of its loop."""
    text = PLUGIN.replace("        self.x = x\n", LOOP.format(condition=condition), 1)
    config = CONFIG.replace("{name: scale", "batch_norm, {name: scale") if first == "batch_norm" else CONFIG
    (folder / "my_layers.py").write_text(text)
    (folder / "config.yaml").write_text(f"{config}checkpoint: {{every_epochs: 1}}\n")
    (folder / "loop").touch()
    return 1 + next(i for i, line in enumerate(text.splitlines(), 1) if "while ctx.step" in line)


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def started(folder: Path) -> Iterator[Start]:
    """Return what starts a training and waits until it has reached the loop; none outlives the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*more: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-c", PATIENT, "fit", "config.yaml", "-q", "--json", "--run-dir", "run", *more]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        for _ in range(3000):
            if (folder / "run/checkpoints/last.safetensors").exists():
                time.sleep(0.3)
                assert process.poll() is None
                return process
            time.sleep(0.01)
        raise AssertionError("no checkpoint was written")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("signals", "code", "way"),
    [
        *((["SIGTERM"], 143, way) for way in WAYS),
        (["SIGINT", "SIGINT"], 130, "alone"),
        (["SIGINT", "SIGINT"], 130, "in the other process"),
        (["SIGINT"], 130, "alone"),
        (["SIGHUP", "SIGHUP"], 129, "alone"),
    ],
)
def test_a_signal_ends_a_call_without_end_and_names_its_line(
    folder: Path, started: Start, signals: list[str], code: int, way: str
) -> None:
    condition, first, more = WAYS[way]
    line = endless(folder, condition, first)
    process = started(*more)
    for name in signals:
        process.send_signal(getattr(signal, name))
        time.sleep(0.05)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    document = json.loads(out)
    assert (document["status"], document["exit_code"]) == ("interrupted", code)
    (problem,) = document["errors"]
    help = "go on with: nntrain fit --resume run --plugin my_layers.py"
    assert (problem["path"], problem["help"]) == ("my_layers.py", help)
    assert problem["line"] in (line - 1, line)
    shown = f"error: my_layers.py:{problem['line']}: interrupted\n  help: {help}\n"
    assert err.endswith(f"warning: stopped at once, without saving\n{shown}")
    assert Run.open(folder / "run").info["stop_reason"] == "stopped at once"


def test_what_was_saved_before_it_is_good(folder: Path, started: Start) -> None:
    endless(folder)
    process = started()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0]
    (folder / "loop").unlink()
    assert command(["fit", "--resume", "run", "--plugin", "my_layers.py", "-q"]) == 0
    assert command(["fit", "config.yaml", "-q", "--run-dir", "whole"]) == 0
    assert digest(folder / "run") == digest(folder / "whole")


def test_a_worker_in_a_call_without_end_ends_with_its_parent(folder: Path, started: Start) -> None:
    endless(folder, "ctx.shard == 1")
    process = started("--threads", "2", "--set", "shards=2")
    assert len(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()) == 1
    process.kill()
    process.communicate(timeout=5)  # the pipes end with the last of the processes


def test_the_command_that_goes_on_names_the_plug_ins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PLUGIN.replace("        self.x = x\n", LOOP.split("        import")[0] + KILL, 1)
    (folder / "a layer.py").write_text(text)
    (folder / "config.yaml").write_text(CONFIG.replace("my_layers.py", "a layer.py"))
    done = subprocess.run(
        [sys.executable, "-m", "nntrain", "fit", "config.yaml", "-q", "--run-dir", "run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 143
    way = "nntrain fit --resume run --plugin 'a layer.py'"
    assert done.stderr.endswith(f"warning: interrupted and saved; go on with: {way}\n")
    told(capsys, "fit", "--resume", "run", "--plugin", "a layer.py", "-q", code=0)


KILL = """\
        import os, signal
        if ctx.step == 20 and "run" in os.listdir() and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), signal.SIGTERM)
"""
