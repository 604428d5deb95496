"""What a group found: rows of the table, and each failure in a line."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """A line of the table.

    Attributes:
        what: was done.
        good: how often it went well.
        of: how often it was done.
        missing: why it could not be done here, or None.
    """

    what: str
    good: int = 0
    of: int = 0
    missing: str | None = None


@dataclass
class Findings:
    """The rows of a group, its failures, and further facts in words."""

    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, problems: dict[str, list[str]]) -> Row:
        """Add a row: the problems of each case, none for a good one."""
        bad = {case: found for case, found in problems.items() if found}
        self.failures += [f"{what}: {case}: {'; '.join(found)}" for case, found in bad.items()]
        self.rows.append(Row(what, len(problems) - len(bad), len(problems)))
        return self.rows[-1]

    def skip(self, what: str, reason: str) -> None:
        """Add a row of what could not be done here."""
        self.rows.append(Row(what, missing=reason))

    @property
    def is_good(self) -> bool:
        """Whether nothing that was done went wrong."""
        return not self.failures and all(row.good == row.of for row in self.rows)


def store(out: Path, group: str, findings: Findings, facts: dict[str, Any]) -> None:
    """Write a group's findings."""
    out.mkdir(parents=True, exist_ok=True)
    content = {"group": group, "date": datetime.date.today().isoformat(), **facts, **asdict(findings)}
    (out / f"{group}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(out: Path, group: str) -> dict[str, Any] | None:
    """Return what :func:`store` wrote, None where it did not."""
    path = out / f"{group}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
