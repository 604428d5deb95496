"""What may not be read, as a process that permission bits bind: it is told as such, and never as missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nntrain.cli.entry import run

CONFIG = "data: {train: rows.csv, target: y}\narchitecture: linear\nepochs: 1\n"
# The superuser without the two abilities that let it pass permission bits by.
BOUND = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []

pytestmark = pytest.mark.skipif(bool(BOUND) and shutil.which("setpriv") is None, reason="needs setpriv where root runs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a closed file of each kind, a closed folder, and a run whose weights are closed."""
    place = tmp_path_factory.mktemp("permissions")
    (place / "rows.csv").write_text("x,y\n" + "".join(f"{i}.5,{'ab'[i % 2]}\n" for i in range(20)))
    for name, more in (("open", ""), ("config", ""), ("data", ""), ("plugin", "plugins: [plugin.py]\n")):
        (place / f"{name}.yaml").write_text(CONFIG + more)
    (place / "data.yaml").write_text(CONFIG.replace("rows.csv", "closed.csv"))
    (place / "large.yaml").write_text(CONFIG.replace("rows.csv", "large.csv"))
    (place / "pattern.yaml").write_text(CONFIG.replace("rows.csv", "'closed/*.csv'"))
    (place / "closed.csv").write_text("x,y\n")
    (place / "large.csv").write_text("x,y\n" + "1.5,a\n2.5,b\n" * 100_000)
    (place / "plugin.py").write_text("")
    assert run(["fit", str(place / "open.yaml"), "-q", "--run-dir", str(place / "run")]) == 0
    shutil.copytree(place / "run", place / "closed" / "run")
    shutil.copy(place / "open.yaml", place / "closed")
    closed = [
        place / name for name in ("config.yaml", "closed.csv", "large.csv", "plugin.py", "closed", "run/checkpoints")
    ]
    for path in closed:
        path.chmod(0)
    yield place
    for path in closed:
        path.chmod(0o700)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("fit config.yaml", 2, "config.yaml: permission denied: the config cannot be read"),
        ("fit closed/open.yaml", 2, "closed/open.yaml: permission denied: the config cannot be read"),
        ("fit plugin.yaml", 2, "'plugin.py': permission denied: the plug-in cannot be read"),
        ("fit data.yaml", 3, "closed.csv: may not be read: permission denied"),
        ("fit large.yaml", 3, "large.csv: may not be read: permission denied"),
        ("fit pattern.yaml", 3, "closed/*.csv': no file matches this pattern"),
        ("fit open.yaml --runs-dir closed", 6, "cannot make the run directory: permission denied"),
        ("show closed/run", 6, "closed/run: cannot look at it: permission denied"),
        ("compare run closed/run", 7, "unreadable: cannot look at it: permission denied"),
        ("runs --runs-dir closed", 6, "closed: cannot list the runs: permission denied"),
        ("eval run rows.csv", 6, "best.safetensors: cannot look at it: permission denied"),
        ("fit --resume run --set epochs=2", 6, "checkpoints: cannot tidy up: permission denied"),
        ("check open.yaml -o closed/network.svg", 6, "network.svg: cannot write: permission denied"),
        ("new rows.csv --target y -o closed/new.yaml", 6, "new.yaml: cannot write: permission denied"),
    ],
)
def test_it_is_told_as_what_it_is(folder: Path, line: str, code: int, words: str) -> None:
    command = [*BOUND, sys.executable, "-m", "nntrain", *line.split()]
    rows = (folder / "run" / "metrics.jsonl").read_bytes()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "run" / "metrics.jsonl").read_bytes() == rows
