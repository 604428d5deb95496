"""Changed files to the readers: whatever a checkpoint, config, table or run holds, it is read or refused as ours."""

from __future__ import annotations

from findings import Findings
from fuzz import fuzz
from settings import Settings
from targets import TARGETS, describe

SECONDS = 900.0
"""Longest time for a reader."""


def measure(settings: Settings) -> Findings:
    """Give each reader its share of changed files."""
    findings = Findings()
    count = settings.count(2_000, 40)
    for name in TARGETS:
        found, read = fuzz(name, count, SECONDS, settings.seed)
        row = findings.add(
            f"changed files, {name}: {describe()[name][0].lower()}{describe()[name][1:].rstrip('.')}", {}
        )
        row.good, row.of = read - len(found), read
        findings.failures += [f"{name}: input {each.number}: {each.reason.splitlines()[0]}" for each in found]
    return findings
