"""The groups of measurements, by the name the command line knows each by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import monitoring
import scaling
import streaming
from bench import Bench
from groups import commands, products, reading, steps

Found = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Cases that are measured alike and stand in one table.

    Attributes:
        cases: names of its cases; what they need may depend on the options.
        measure: measures one of them.
        table: Markdown of all that were measured.
    """

    title: str
    cases: Callable[[Bench], Iterable[str]]
    measure: Callable[[str, Bench], Found]
    table: Callable[[dict[str, Found]], str]


GROUPS: dict[str, Group] = {
    "steps": Group("Time of an update", steps.cases, steps.measure, steps.table),
    "products": Group("Large matrix products", products.cases, products.measure, products.table),
    "commands": Group("Whole commands", commands.cases, commands.measure, commands.table),
    "reading": Group("Reading a CSV", reading.cases, reading.measure, reading.table),
    "monitoring": Group("Everything on against all off", monitoring.cases, monitoring.measure, monitoring.table),
    "streaming": Group("A table that stays on disk", streaming.cases, streaming.measure, streaming.table),
    "scaling": Group("How time and memory grow", scaling.cases, scaling.measure, scaling.table),
}
