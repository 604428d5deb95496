"""Small files that mean huge things end soon, in little memory, and in an error of one message: as processes."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MOST_SECONDS = 2.0
MOST_KILOBYTES = 300_000
TAIL = "\ndata: {train: table.csv, target: kind}\narchitecture: mlp\n"


def aliases(levels: int = 10, width: int = 9) -> str:
    lines = ["a0: &a0 lol"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int = 30) -> str:
    lines = ["m0: &m0 {k0: 1}"]
    lines += [f"m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}], k{i}: 1}}" for i in range(1, levels)]
    return "\n".join(lines)


def chained_merges() -> str:
    lines = ["m0: &m0 {" + ", ".join(f"k{i}: 1" for i in range(2000)) + "}"]
    return "\n".join([*lines, *(f"m{i}: &m{i} {{<<: *m{i - 1}}}" for i in range(1, 300))])


YAML: dict[str, Callable[[], str]] = {
    "a billion laughs": aliases,
    "a billion laughs as layers": lambda: aliases() + "\narchitecture: {layers: *a9}",
    "wide aliases": lambda: f"a: &a [{','.join('x' * 3000)}]\nb: [{','.join(['*a'] * 3000)}]",
    "merges of merges": merges,
    "a chain of merges": chained_merges,
    "a list in itself": lambda: "a: &a [*a]",
    "a mapping merged into itself": lambda: "a: &a {<<: *a}",
    "a document in itself": lambda: "&r\na: *r",
    "deep lists": lambda: "a: " + "[" * 5000 + "]" * 5000,
    "deep lists left open": lambda: "a: " + "[" * 500_000,
    "a megabyte of braces": lambda: "{" * 1_000_000,
    "deep mappings": lambda: "a: " + "{a: " * 5000 + "1" + "}" * 5000,
    "deep blocks": lambda: "\n".join(" " * i + "a:" for i in range(700)),
    "deep dashes": lambda: "- " * 200_000,
    "deep question marks": lambda: "? " * 200_000,
    "many anchors": lambda: "".join(f"a{i}: &a{i} {i}\n" for i in range(20_000)),
    "many tags": lambda: "a: " + "!a " * 100_000,
    "a long number": lambda: "seed: " + "9" * 400_000,
    "a long hexadecimal number": lambda: "seed: 0x" + "f" * 400_000,
    "a long key": lambda: "k" * 400_000 + ": 1",
    "a long text": lambda: "name: " + "x" * 400_000,
    "a long alias": lambda: "a: *" + "x" * 400_000,
    "many lines of one text": lambda: 'name: "' + "x\n " * 100_000 + '"',
    "many blank lines of one text": lambda: "name: >\n" + "  x\n\n" * 80_000,
    "many escapes": lambda: 'name: "' + "\\x41" * 100_000 + '"',
    "many documents": lambda: "---\n" * 100_000,
    "many directives": lambda: "%TAG ! a\n" * 30_000 + "--- a",
    "many commas": lambda: "a: [" + "," * 400_000 + "]",
    "many colons": lambda: ": " * 200_000,
    "many unknown keys": lambda: "\n".join(f"epochs{i}: {i}" for i in range(4500)),
    "many unknown keys of an optimizer": lambda: (
        f"optimizer: {{name: adam, {', '.join(f'lr{i}: 1' for i in range(4500))}}}"
    ),
    "many repeated keys": lambda: "epochs: 1\n" * 4500,
    "many unknown layers": lambda: f"architecture: {{layers: [{', '.join(['relux'] * 5000)}]}}",
    "a layer repeated": lambda: "architecture: {layers: [{repeat: 1000000000, layers: [relu]}]}",
    "a layer repeated again and again": lambda: (
        "architecture: {layers: [{repeat: 1000, layers: [{repeat: 1000, layers: [{repeat: 1000, layers: [relu]}]}]}]}"
    ),
    "a wide layer": lambda: "architecture: {name: mlp, hidden: [1000000000000]}",
}


def packed(text: bytes) -> bytes:
    """Return 400 MB, packed member by member."""
    return gzip.compress(text * (4_000_000 // len(text)), 6) * 100


HEADER = b"girth,height,kind\n"
CSV: dict[str, Callable[[], bytes]] = {
    "packed ones": lambda: packed(b"1"),
    "packed zeros": lambda: packed(b"\0"),
    "packed line ends": lambda: packed(b"\n"),
    "packed commas": lambda: gzip.compress(HEADER) + packed(b","),
    "a packed open quote": lambda: gzip.compress(HEADER + b'1,2,"') + packed(b"x\n"),
    "a long line": lambda: HEADER + b"x" * 60_000_000,
    "many quotes": lambda: HEADER + b'"' * 5_000_001,
    "many ragged lines": lambda: HEADER + b"1,2\n" * 2_000_000,
    "many columns named alike": lambda: b"," * 3_000_000 + b"\n",
}


# Another process in between, because a child begins with the memory of who starts it.
MEASURE = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *sys.argv[1:]])
_, status, used = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def check(folder: Path, code: int) -> None:
    """Check a config as a user does; measure what the process takes."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "80"}
    command = [sys.executable, "-S", "-c", MEASURE, "-m", "nntrain", "check", "config.yaml"]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    found, seconds, kilobytes = ended.stdout.splitlines()[-1].split()
    assert int(found) == code, ended.stderr[:2000]
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr) < 20_000
    assert not re.search("Traceback|[\x00-\x08\x0b-\x1f\x7f-\x9f]", ended.stderr)
    assert float(seconds) < MOST_SECONDS
    assert int(kilobytes) < MOST_KILOBYTES


@pytest.mark.parametrize("name", YAML)
def test_configs(tmp_path: Path, name: str) -> None:
    (tmp_path / "table.csv").write_bytes(HEADER + b"1,2,a\n2,3,b\n" * 5)
    text = YAML[name]()
    tail = TAIL.replace("architecture: mlp\n", "") if "architecture:" in text else TAIL
    (tmp_path / "config.yaml").write_text(text + tail, encoding="utf-8")
    check(tmp_path, 2)


@pytest.mark.parametrize("name", CSV)
def test_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / "table.csv").write_bytes(CSV[name]())
    (tmp_path / "config.yaml").write_text(TAIL, encoding="utf-8")
    check(tmp_path, 3)
