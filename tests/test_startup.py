"""What a command imports: ``--help`` answers before anything heavy is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"numpy", "pandas", "pydantic", "yaml", "safetensors", "tqdm", "filelock", "threadpoolctl", "pyarrow"}
LEARNING = {"torch", "sklearn", "scipy", "matplotlib"}


def imported(*arguments: str) -> set[str]:
    """Return the top-level modules that a command imports, as ``-X importtime`` lists them."""
    command = [sys.executable, "-X", "importtime", "-m", "nntrain", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["fit", "--help"], ["eval", "-h"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    assert not imported(*arguments) & (HEAVY | LEARNING)


@pytest.mark.parametrize("arguments", [["schema"], ["list"], ["list", "layer", "dense"]])
def test_listing_reads_no_table(arguments: list[str]) -> None:
    assert not imported(*arguments) & ({"pandas", "safetensors", "pyarrow", "tqdm"} | LEARNING)


def test_check_of_a_csv_loads_no_checkpoint_and_no_bar() -> None:
    found = imported("check", str(ROOT / "configs" / "xor.yaml"))
    assert not found & ({"safetensors", "pyarrow", "tqdm"} | LEARNING)


def test_a_mistake_in_the_command_is_told_before_anything_heavy_is_loaded() -> None:
    program = "import sys; from nntrain.cli.entry import run; run(['fti']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


def test_help_answers_at_once() -> None:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        command = [sys.executable, "-m", "nntrain", "--help"]
        subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""})
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5  # 0.05 on an idle machine, the promise is 0.15; others may hold the processor
