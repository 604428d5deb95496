"""Whatever a plug-in writes, stdout holds the result alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugged import PLUGIN

FIT = [sys.executable, "-m", "nntrain", "fit", "config.yaml", "-q", "--json"]


def does(folder: Path, statement: str, where: str) -> None:
    """Let the plug-in do something at import, or in each forward pass."""
    text = f"{statement}\n{PLUGIN}"
    if where == "in use":
        text = PLUGIN.replace("        self.x = x\n", f"        self.x = x\n        {statement}\n", 1)
    (folder / "my_layers.py").write_text(text)


@pytest.mark.parametrize("where", ["at import", "in use"])
@pytest.mark.parametrize(
    "statement",
    [
        "import os; os.write(1, b'said\\n')",
        "import sys; print('said', file=sys.__stdout__)",
        "import sys; sys.__stdout__.write('said')",
        "import subprocess; subprocess.run(['echo', 'said'])",
    ],
)
def test_what_is_written_past_python_s_stdout_is_no_result(folder: Path, statement: str, where: str) -> None:
    does(folder, statement, where)
    for arguments in (FIT, [*FIT[:3], "check-plugin", "my_layers.py", "--json"]):
        done = subprocess.run(arguments, capture_output=True, text=True)
        assert json.loads(done.stdout)["exit_code"] == done.returncode
        assert "said" in done.stderr


def test_the_result_of_a_command_for_people_is_alone_too(folder: Path) -> None:
    does(folder, "import os; os.write(1, b'said\\n')", "in use")
    done = subprocess.run(FIT[:-1], capture_output=True, text=True)
    assert done.stdout.startswith("finished: ") and "said" not in done.stdout


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.__stdout__", "sys.stderr", "sys.__stderr__"])
@pytest.mark.parametrize("where", ["at import", "in use"])
def test_a_stream_that_a_plug_in_closes(folder: Path, stream: str, where: str) -> None:
    does(folder, f"import sys; {stream}.close()", where)
    done = subprocess.run(FIT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert json.loads(done.stdout)["status"] == "finished"


def test_a_plug_in_that_prints_to_nobody_ends_as_every_command_does(folder: Path) -> None:
    does(folder, "print('said', flush=True)", "in use")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(FIT, stdout=subprocess.PIPE, stderr=write)
    os.close(write)
    assert (done.returncode, done.stdout) == (141, b"")
