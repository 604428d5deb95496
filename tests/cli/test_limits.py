"""Processes that the system grants little: they work, or say what they lack with code 6."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nntrain.cli.entry import run

ROOT = Path(__file__).parent.parent.parent
CONFIG = "data: {train: iris.csv, target: species}\narchitecture: {name: mlp, hidden: [8]}\nepochs: 2\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table, a config, and 40 runs of it."""
    place = tmp_path_factory.mktemp("limits")
    shutil.copy(ROOT / "datasets" / "iris.csv", place)
    (place / "iris.yaml").write_text(CONFIG)
    assert run(["fit", str(place / "iris.yaml"), "-q", "--run-dir", str(place / "runs" / "run-00")]) == 0
    for number in range(1, 40):
        shutil.copytree(place / "runs" / "run-00", place / "runs" / f"run-{number:02d}")
    return place


def limited(folder: Path, what: int, most: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(what, (most, most))

    command = [sys.executable, "-m", "nntrain", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, preexec_fn=limit)


@pytest.mark.parametrize(
    ("what", "most", "line"),
    [
        ("NOFILE", 16, "fit iris.yaml -q --runs-dir few"),
        ("NOFILE", 16, "compare runs/*"),
        ("STACK", 1 << 20, "fit iris.yaml -q --runs-dir few"),
    ],
)
def test_little_is_enough(folder: Path, what: str, most: int, line: str) -> None:
    done = limited(folder, getattr(resource, f"RLIMIT_{what}"), most, *line.split())
    assert (done.returncode, done.stderr) == (0, "")


def test_a_network_of_more_than_the_process_may_take(folder: Path, tmp_path: Path) -> None:
    arguments = ["fit", "iris.yaml", "--run-dir", str(tmp_path / "run"), "--set", "architecture.hidden=[12000,12000]"]
    done = limited(folder, resource.RLIMIT_AS, 10**9, *arguments)
    assert done.returncode == 6
    needs = "dense_2: a kernel of 12000 x 12000 with its gradient needs 1.2 GB, and this process may take 1.0 GB"
    assert needs in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_more(folder: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-c", "import os, sys; os.rmdir(os.getcwd()); from nntrain.cli import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for line, code in ((f"check {folder}/iris.yaml", 0), (f"new {folder}/iris.csv --target species", 6)):
        gone.mkdir(exist_ok=True)
        done = subprocess.run([*command, *line.split()], cwd=gone, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    assert "the current folder may have been removed" in done.stderr
