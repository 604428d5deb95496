"""Faults put on nntrain: python reliability/run.py [GROUP ...]; see reliability/README.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import ROOT

sys.path.insert(0, str(ROOT))

import findings
import page
from groups import GROUPS
from place import describe
from settings import Settings, tell

PAGE = ROOT / "docs" / "reliability.md"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="reliability/run.py", description="Put faults on nntrain and see what is left.")
    made.add_argument("groups", nargs="*", metavar="GROUP", help=f"all where none is named: {', '.join(GROUPS)}")
    made.add_argument("--quick", action="store_true", help="a sample of everything")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is left to chance (0)")
    made.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="cases at a time")
    made.add_argument("--out", type=Path, default=ROOT / "reliability" / "results", metavar="FOLDER", help="of results")
    made.add_argument("--scratch", type=Path, metavar="FOLDER", help="keep what is made on the way in this new folder")
    made.add_argument("--page", action="store_true", help="write docs/reliability.md of earlier results and end")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return 1 where something went wrong."""
    line = parser()
    options = line.parse_args(arguments)
    unknown = [name for name in options.groups if name not in GROUPS]
    if unknown:
        line.error(f"unknown group {unknown[0]!r} (known: {', '.join(GROUPS)})")
    if options.jobs < 1:
        line.error("--jobs: at least 1")
    if options.page:
        page.write(PAGE, stored(options.out))
        return 0
    with tempfile.TemporaryDirectory(prefix="nntrain-reliability-") as made:
        scratch = options.scratch or Path(made)
        scratch.mkdir(parents=True, exist_ok=True)
        _prepare_environment(scratch)
        settings = Settings(scratch, options.seed, options.quick, options.jobs)
        all_good = measure(options.groups or list(GROUPS), settings, options.out)
    print(page.table(stored(options.out)))
    return 0 if all_good else 1


def stored(out: Path) -> dict[str, dict[str, Any]]:
    """Return what the groups found, of those that were measured."""
    return {name: found for name in GROUPS if (found := findings.load(out, name))}


def _prepare_environment(scratch: Path) -> None:
    """Let all children use this nntrain, a cache of their own, and one thread of the BLAS."""
    others = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *others])
    os.environ["NNTRAIN_CACHE_DIR"] = str(scratch / "cache")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"


def measure(groups: Sequence[str], settings: Settings, out: Path) -> bool:
    """Measure groups, write down what each found, and return whether nothing went wrong."""
    all_good = True
    facts = describe(settings.scratch)
    for name in groups:
        tell(name)
        started = time.monotonic()
        found = GROUPS[name](settings)
        seconds = round(time.monotonic() - started, 1)
        findings.store(out, name, found, {**facts, "seed": settings.seed, "quick": settings.quick, "seconds": seconds})
        for row in found.rows:
            tell(f"  {row.what}: {f'not measured: {row.missing}' if row.missing else f'{row.good:,} of {row.of:,}'}")
        for failure in found.failures:
            tell(f"  FAILED {failure}")
        all_good = all_good and found.is_good
    return all_good


if __name__ == "__main__":
    sys.exit(main())
