"""The benchmarks: python benchmarks/run.py [GROUP ...]; see benchmarks/README.md."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import results
from bench import ROOT, Bench
from child import ChildError
from groups import GROUPS
from groups.steps import PEERS
from machine import describe
from picture import draw
from report import MarksError, stored, tables, write_between_marks
from rounds import tell


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="benchmarks/run.py", description="Measure nntrain side by side with its peers.")
    made.add_argument("groups", nargs="*", metavar="GROUP", help=f"all where none is named: {', '.join(GROUPS)}")
    made.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements of each contender (3)")
    made.add_argument("--only", default="", metavar="NAME", help="cases with this in their name; NAME|NAME for several")
    made.add_argument("--peers", default=",".join(PEERS), metavar="LIST", help=f"({','.join(PEERS)}), or none")
    made.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="FOLDER")
    made.add_argument("--fashion", type=Path, metavar="CSV", help="Fashion-MNIST's training rows: label, 784 pixels")
    made.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="of the streamed table (1000000)")
    made.add_argument("--seconds", type=float, default=11.0, metavar="S", help="length of the runs of extras (11)")
    made.add_argument("--tiny", action="store_true", help="cut everything down, only to see that it runs")
    made.add_argument("--list", action="store_true", help="name the cases and end")
    made.add_argument("--table", action="store_true", help="print the tables of earlier measurements and end")
    made.add_argument("--readme", action="store_true", help="write the tables of earlier measurements into README.md")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    line = parser()
    options = line.parse_args(arguments)
    unknown = [name for name in options.groups if name not in GROUPS]
    peers = () if options.peers == "none" else tuple(name.strip() for name in options.peers.split(","))
    if unknown:
        line.error(f"unknown group {unknown[0]!r} (known: {', '.join(GROUPS)})")
    if set(peers) - set(PEERS):
        line.error(f"unknown peer {min(set(peers) - set(PEERS))!r} (known: {', '.join(PEERS)})")
    if options.rounds < 1:
        line.error("--rounds: at least 1")
    if options.fashion is not None and not options.fashion.is_file():
        line.error(f"--fashion: there is no file {options.fashion}")
    bench = Bench(
        options.out.resolve(), options.rounds, options.only, peers, options.tiny, options.seconds, options.rows,
        options.fashion,
    )  # fmt: skip
    if options.list:
        for group in options.groups or GROUPS:
            print("\n".join(f"{group}: {case}" for case in GROUPS[group].cases(bench)))
        return 0
    if options.table or options.readme:
        return show(bench, options.readme)
    return measure(options.groups or list(GROUPS), bench)


def measure(groups: list[str], bench: Bench) -> int:
    """Measure groups, case by case; what is measured is on the disk before the next begins."""
    machine = describe()
    for name in groups:
        group = GROUPS[name]
        names = list(group.cases(bench))
        for case in filter(bench.wants, names):
            tell(f"{name}: {case}")
            try:
                found = group.measure(case, bench)
            except ChildError as error:
                tell(f"{name}: {case}: nntrain failed\n{error}")
                return 1
            results.add(bench.out, name, machine, case, found, names)
    return show(bench, readme=False)


def show(bench: Bench, readme: bool) -> int:
    """Print the tables, write them where they are read, and draw the pictures."""
    measured = stored(bench.out)
    if not measured:
        tell(f"{bench.out}: nothing was measured yet")
        return 1
    text = tables(measured)
    print(text)
    (bench.out / "tables.md").write_text(text + "\n", encoding="utf-8")
    if readme:
        try:
            write_between_marks(ROOT / "README.md", text)
        except MarksError as error:
            tell(str(error))
            return 1
    if importlib.util.find_spec("matplotlib") is None:
        tell("no pictures: matplotlib is not installed")
        return 0
    drawn = draw({name: content["cases"] for name, content in measured.items()}, bench.out)
    tell("\n".join(str(path) for path in drawn))
    return 0


if __name__ == "__main__":
    sys.exit(main())
