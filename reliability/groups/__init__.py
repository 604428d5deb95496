"""The groups of faults, by name."""

from __future__ import annotations

from collections.abc import Callable

from findings import Findings
from groups import disks, files, flips, fuzz, kills, order, points, signals
from settings import Settings

GROUPS: dict[str, Callable[[Settings], Findings]] = {
    "kills": kills.measure_kills,
    "chains": kills.measure_chains,
    "points": points.measure_points,
    "errors": points.measure_errors,
    "order": order.measure,
    "signals": signals.measure,
    "disks": disks.measure,
    "flips": flips.measure,
    "files": files.measure,
    "fuzz": fuzz.measure,
}
