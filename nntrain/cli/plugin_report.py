"""What the suites find of what plug-ins register: a table, problems at lines of their files, and ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nntrain.cli.tables import table
from nntrain.errors import Problem, escape, shorten
from nntrain.plugins import Plugin, active_plugins
from nntrain.registry import Entry
from nntrain.testing.registered import check_registered
from nntrain.testing.suite import Check


@dataclass(frozen=True, slots=True)
class Thing:
    """A registered name of a plug-in, and what its suite found."""

    plugin: Plugin
    kind: str
    entry: Entry[Any]
    checks: list[Check]

    @property
    def title(self) -> str:
        """Kind and name: ``layer scale``."""
        return f"{self.kind} {self.entry.name}"

    @property
    def failed(self) -> list[Check]:
        """What does not hold."""
        return [check for check in self.checks if not check.passed]

    def line(self, check: Check | None = None) -> int | None:
        """Return the line of the plug-in that a finding is about: where an error came from, else the class's."""
        frames = [line for file, line in check.frames if self.plugin.owns(file)] if check else []
        return frames[-1] if frames else self.plugin.line_of(self.entry.factory)


def report() -> list[Thing]:
    """Return what the suites find of all that the active plug-ins register."""
    return [
        Thing(plugin, kind, entry, check_registered(kind, entry.name))
        for plugin in active_plugins()
        for kind, entry in plugin.entries
    ]


def text(things: Sequence[Thing]) -> str:
    """Return the table for people, and what was not asked for."""
    rows = [
        [thing.title, f"{len(thing.checks) - len(thing.failed)} of {len(thing.checks)}", _first(thing)]
        for thing in things
    ]
    remarks = dict.fromkeys(
        f"{thing.title}: {check.name}: {check.detail}"
        for thing in things
        for check in thing.checks
        if check.passed and check.detail
    )
    lines = [table(["", "passed", "first finding"], rows, numeric=[1]), *(f"note: {remark}" for remark in remarks)]
    files = dict.fromkeys(thing.plugin.source.path for thing in things if not thing.failed)
    failed = {thing.plugin.source.path for thing in things if thing.failed}
    return "\n".join([*lines, *(f"{escape(file)}: ok" for file in files if file not in failed)])


def _first(thing: Thing) -> str:
    return shorten(thing.failed[0].name, 80) if thing.failed else ""


def failures(things: Sequence[Thing]) -> list[Problem]:
    """Return each finding as a problem at a line of its plug-in, one that several examples show once."""
    found = []
    for thing in things:
        for name in dict.fromkeys(check.name for check in thing.failed):
            check, *others = [check for check in thing.failed if check.name == name]
            notes = (f"{len(others)} more of its examples show this",) if others else ()
            message = f"{thing.title}: {name}: {check.detail}"
            found.append(Problem(message, thing.plugin.source.path, thing.line(check), notes=notes))
    return found


def document(things: Sequence[Thing]) -> dict[str, Any]:
    """Return all checks for ``--json``."""
    return {
        "plugins": [plugin.record() for plugin in active_plugins()],
        "things": [
            {
                "kind": thing.kind,
                "name": thing.entry.name,
                "path": thing.plugin.source.path,
                "line": thing.line(),
                "passed": len(thing.checks) - len(thing.failed),
                "total": len(thing.checks),
                "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in thing.checks],
            }
            for thing in things
        ],
    }
