"""The tables of all that was measured, and their place in the README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import results
from groups import GROUPS
from machine import sentence
from rounds import disturbed

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


class MarksError(Exception):
    """A file without the place for the tables."""


def stored(out: Path) -> dict[str, dict[str, Any]]:
    """Return the measurements of each group that has any."""
    found = {name: results.load(out, name) for name in GROUPS}
    return {name: content for name, content in found.items() if content}


def tables(measured: dict[str, dict[str, Any]]) -> str:
    """Return a heading and a table for each group, and the machine, once for all that ran on the same."""
    parts: list[str] = []
    told = ""
    for name, content in measured.items():
        where = sentence(content["machine"], content["date"])
        parts += [f"**{GROUPS[name].title}**", GROUPS[name].table(content["cases"])]
        bad, count = disturbed(content["cases"].values())
        parts += [f"Of {count} measurements {bad} were disturbed: other processes were at work."] if bad else []
        parts += [] if where == told else [where]
        told = where
    return "\n\n".join(parts)


def write_between_marks(path: Path, text: str) -> None:
    """Put a text between the marks of a file, in the place of what stood there.

    Raises:
        MarksError: the file has not exactly one pair of marks.
    """
    whole = path.read_text(encoding="utf-8")
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if len(place.findall(whole)) != 1:
        raise MarksError(f"{path}: expected one {BEGIN} and one {END} after it")
    path.write_text(place.sub(lambda _: f"{BEGIN}\n{text}\n{END}", whole), encoding="utf-8")
