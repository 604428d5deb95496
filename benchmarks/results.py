"""The measurements on disk: one JSON file a group, case by case."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any


def path_of(out: Path, group: str) -> Path:
    """Return where a group's measurements stand."""
    return out / f"{group}.json"


def load(out: Path, group: str) -> dict[str, Any] | None:
    """Return a group's measurements, None where there are none."""
    path = path_of(out, group)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def add(out: Path, group: str, machine: dict[str, Any], case: str, found: dict[str, Any], order: list[str]) -> None:
    """Put a case's measurements in its group's file, in the place of older ones.

    Measurements of another machine or of other versions are dropped: nothing is compared across them.

    Args:
        order: all cases of the group, as they are to stand in a table.
    """
    kept = load(out, group)
    if kept is None or _fixed(kept["machine"]) != _fixed(machine):
        kept = {"cases": {}}
    cases = {**kept["cases"], case: {"date": today(), "revision": machine["revision"], **found}}
    cases = {name: cases[name] for name in [*order, *cases] if name in cases}
    content = {"group": group, "date": today(), "machine": machine, "cases": cases}
    out.mkdir(parents=True, exist_ok=True)
    part = path_of(out, group).with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path_of(out, group))


def _fixed(machine: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in machine.items() if key not in ("revision", "memory_bytes")}


def today() -> str:
    """Return the date, ISO 8601."""
    return datetime.date.today().isoformat()
