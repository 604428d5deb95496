"""A module of measurements run by itself: its options, its table on stdout, its measurements as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench import Bench

Found = dict[str, Any]


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser of what all modules take; the options of ``Bench`` are named as there."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each contender runs (3)")
    parser.add_argument("--only", default="", metavar="NAME", help="the cases that have NAME in their name")
    parser.add_argument("--tiny", action="store_true", help="sizes that show that all runs, and measure nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements")
    return parser


def main(
    parser: argparse.ArgumentParser,
    cases: Callable[[Bench], Iterable[str]],
    measure: Callable[[str, Bench], Found],
    table: Callable[[dict[str, Found]], str],
) -> None:
    """Measure all cases that are asked for, and print their table."""
    chosen = vars(parser.parse_args())
    known = {field.name for field in dataclasses.fields(Bench)}
    file = chosen["json"]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), **{name: value for name, value in chosen.items() if name in known})
        found = {case: measure(case, bench) for case in cases(bench) if bench.wants(case)}
    print(table(found))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
