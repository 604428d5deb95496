"""Bad files: refused with the right code, with the file, line, column or key named, and with nothing left behind."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from findings import Findings
from lab import ROOT
from process import NNTRAIN, run
from settings import Settings

FAULTS = ROOT / "tests" / "faults"
OWN = Path(__file__).resolve().parent.parent / "configs"

CONFIG = """
data:
  train: {csv}
  target: tree
  validation: none
  columns: {{girth: {{type: numeric}}, height: {{type: numeric}}}}
architecture: {{name: mlp, hidden: [2]}}
epochs: 1
"""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class BadFile:
    """A file that must be refused.

    Attributes:
        path: where it lies.
        place: ``line``, ``line:column`` or ``-``, as the error must name it.
        words: that the error must hold.
        code: exit code.
    """

    path: Path
    place: str
    words: tuple[str, ...]
    code: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name


def bad_files() -> list[BadFile]:
    """Return the files that the tables of cases list as bad: the tests', and this tool's own configs."""
    return [
        *_listed(FAULTS / "csv_cases.tsv", 3),
        *_listed(FAULTS / "yaml_cases.tsv", 2),
        *_listed(OWN / "cases.tsv", 2),
    ]


def _listed(table: Path, code: int) -> list[BadFile]:
    if not table.exists():
        return []
    cells = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    found = [(table.parent / name, place, tuple(words)) for name, place, *words in cells if words != ["ok"]]
    return [BadFile(*case, code) for case in found]


def measure(settings: Settings) -> Findings:
    """Train on each bad file."""
    findings, folder = Findings(), settings.scratch / "files"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FAULTS / "csv_ok_plain.csv", folder / "trees.csv")
    files = bad_files()
    answers = settings.spread("files", files, lambda bad: _refused(folder, bad))
    for kind, code in (("CSV", 3), ("YAML", 2)):
        problems = {
            str(bad.path.relative_to(ROOT)): found
            for bad, found in zip(files, answers, strict=True)
            if bad.code == code
        }
        findings.add(f"bad {kind} files refused with the place named", problems)
    return findings


def _refused(folder: Path, bad: BadFile) -> list[str]:
    """Return what is wrong with how ``fit`` takes a bad file."""
    config, place = Path(shutil.copy(bad.path, folder)), folder / f"{bad.path.parent.name}-{bad.name}-run"
    if bad.code == 3:
        config = folder / f"{bad.name}.yaml"
        config.write_text(CONFIG.format(csv=bad.path), encoding="utf-8")
    done = run([*NNTRAIN, "fit", str(config), "--run-dir", str(place)], cwd=folder)
    problems = done.problems(bad.code)
    named = bad.name if bad.place == "-" else f"{bad.name}:{bad.place}"
    if not re.search(rf"{re.escape(named)}\b", done.stderr):
        problems.append(f"{named} is not named: {done.stderr.strip()[:200]}")
    problems += [f"{word!r} is not said: {done.stderr.strip()[:300]}" for word in bad.words if word not in done.stderr]
    if _CONTROL.search(done.stdout + done.stderr):
        problems.append("a control byte is shown")
    if len(done.stderr) > 4000:
        problems.append(f"a message of {len(done.stderr):,} characters")
    made = [path.name for path in (place, folder / "pwned") if path.exists()]
    return problems + [f"{name} was made" for name in made]
