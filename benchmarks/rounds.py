"""Contenders measured in turns, and ratios of what was measured in the same turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from child import ChildError, Ended

OURS = "nntrain"

DISTURBED = 0.1
"""Share of the processor time that others may have; a measurement beside more is no measurement."""


@dataclass(frozen=True)
class Measured:
    """One measurement: its value (seconds, or microseconds an update) and the child it was made in.

    Attributes:
        raw: what the value was made of.
        version: of the library, where the child told it.
    """

    value: float
    child: Ended
    raw: list[float] = field(default_factory=list)
    version: str = ""


@dataclass(frozen=True)
class Contender:
    """Something that can be measured again and again.

    Attributes:
        measure: runs it; the argument says whether memory is sampled.
        missing: why it cannot run here, or None.
    """

    name: str
    measure: Callable[[bool], Measured]
    missing: str | None = None


def interleaved(contenders: Sequence[Contender], rounds: int) -> dict[str, Any]:
    """Measure each contender once a round, A B A B, and return what was found, by name.

    A round before the first warms the file cache and samples the memory; its times do not count. A peer that is missing
    or fails is reported as such, with its reason; nntrain's failure is an error.
    """
    found: dict[str, Any] = {c.name: {"missing": c.missing} for c in contenders if c.missing}
    running = [contender for contender in contenders if not contender.missing]
    for number in range(rounds + 1):
        for contender in list(running):
            tell(f"  round {number} of {rounds}: {contender.name}")
            try:
                measured = contender.measure(number == 0)
            except ChildError as error:
                if contender.name.startswith(OURS):
                    raise
                tell(str(error))
                running.remove(contender)
                found[contender.name] = {"missing": error.last_line[:200]}
                continue
            if number == 0:
                found[contender.name] = _first(measured)
            else:
                _add(found[contender.name], measured)
    for contender in running:
        found[contender.name]["median"] = statistics.median(found[contender.name]["values"])
    return found


def _first(measured: Measured) -> dict[str, Any]:
    child = measured.child
    memory = {"peak_bytes": child.peak, "anonymous_bytes": child.anonymous, "processes": child.processes}
    return {**memory, "version": measured.version, "values": [], "raw": [], "others": []}


def _add(found: dict[str, Any], measured: Measured) -> None:
    found["values"].append(measured.value)
    found["raw"].append(measured.raw)
    found["others"].append(round(measured.child.others, 3))
    if measured.child.others > DISTURBED:
        tell(f"  disturbed: {measured.child.others:.0%} of the processor time went to other processes")


def ratio(found: dict[str, Any], name: str, base: str = OURS, key: str = "values") -> float | None:
    """Return the median over the rounds of a contender's value over that of ``base``, or None where one is missing."""
    above, below = found.get(name, {}).get(key), found.get(base, {}).get(key)
    if not above or not below:
        return None
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def disturbed(cases: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Return how many measurements of cases were disturbed, and how many there are."""
    contenders = [found for case in cases for found in case.get("contenders", {}).values()]
    shares = [share for found in contenders for share in found.get("others", [])]
    return sum(share > DISTURBED for share in shares), len(shares)


def tell(text: str) -> None:
    """Print progress, on stderr."""
    print(text, file=sys.stderr, flush=True)
