"""Pictures of the measurements, by matplotlib."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from rounds import OURS, ratio


def draw(groups: dict[str, dict[str, Any]], out: Path) -> list[Path]:
    """Draw what there is a picture of, and return the files.

    Args:
        groups: cases of each group that was measured.
    """
    import matplotlib

    matplotlib.use("svg")
    # Names of elements that do not change, and text as text: the same numbers give the same small file.
    matplotlib.rcParams.update({"svg.hashsalt": "nntrain", "svg.fonttype": "none", "font.size": 9})
    drawn = []
    for name, picture in (("steps", times_faster), ("scaling", curves)):
        if groups.get(name):
            figure = picture(groups[name])
            drawn.append(out / f"{name}.svg")
            figure.savefig(drawn[-1], metadata={"Date": None}, bbox_inches="tight")
    return drawn


def times_faster(found: dict[str, Any]) -> Any:
    """Return bars: how many times faster than each peer an update is, case by case."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(who for case in found.values() for who in case["contenders"]))
    peers = [name for name in names if name != OURS]
    figure = Figure(figsize=(8, 0.3 * len(found) * max(1, len(peers)) ** 0.7 + 1.2))
    axes = figure.subplots()
    height = 0.8 / max(1, len(peers))
    for number, peer in enumerate(peers):
        times = [ratio(case["contenders"], peer) or 0 for case in found.values()]
        places = [row + (number - (len(peers) - 1) / 2) * height for row in range(len(found))]
        axes.barh(places, times, height, label=peer)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(f"time of an update over that of {OURS} (right of the line: {OURS} is faster)")
    if peers:
        axes.legend()
    return figure


def curves(found: dict[str, Any]) -> Any:
    """Return a panel a size: training time and peak memory over it, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.4 * -(-len(found) // 4)), layout="constrained")
    panels = figure.subplots(-(-len(found) // 4), min(4, len(found)), squeeze=False).flat
    for axes, (name, case) in zip(panels, found.items(), strict=False):
        if "missing" in case:
            axes.set_title(f"{name}: {case['missing'][:40]}", fontsize=9)
            continue
        sizes = [point["value"] for point in case["points"]]
        axes.loglog(sizes, [statistics.median(point["seconds"]) for point in case["points"]], "o-", color="tab:blue")
        slope = case["slopes"]["seconds"]
        axes.set_title(name if slope is None else f"{name}: slope {slope:.2f}", fontsize=9)
        axes.set_ylabel("seconds", color="tab:blue")
        memory = axes.twinx()
        memory.loglog(sizes, [point["peak_bytes"] / 1e6 for point in case["points"]], "s--", color="tab:orange")
        memory.set_ylabel("MB", color="tab:orange")
    for axes in list(panels):
        axes.set_axis_off()
    return figure
