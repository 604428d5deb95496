"""A training on a disk that is too small, in a mount namespace of its own, which is gone with this process.

Started by the group ``disks`` under ``unshare -m``; prints the problems as a JSON list.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lab import Lab
from process import Ended, run


def mount(folder: Path, options: str, remount: bool = False) -> None:
    """Put a file system in memory at a folder, or change the one that is there."""
    what = ["-o", f"remount,{options}"] if remount else ["-t", "tmpfs", "-o", options, "tmpfs"]
    subprocess.run(["mount", *what, str(folder)], check=True, capture_output=True)


def try_disk(lab: Lab, folder: Path, options: str, cure: str, word: str) -> list[str]:
    """Train until the disk refuses, see what is left, give it room, and go on.

    Args:
        lab: tells what a training without a fault leaves.
        folder: where the disk is mounted.
        options: of the disk that is too small.
        cure: options of the disk that is not.
        word: that the error must hold.
    """
    mount(folder, options)
    place = folder / "run"
    failed = run(lab.fit(place))
    problems = [*refused(failed, place, word), *left_half(folder)]
    mount(folder, cure, remount=True)
    return problems + lab.judge(place)


def refused(failed: Ended, place: Path, word: str) -> list[str]:
    """Return what is wrong with how a training was refused by the disk."""
    problems = failed.problems(6)
    named = str(place) in failed.stderr or str(place.parent) in failed.stderr
    if word not in failed.stderr or not named:
        problems.append(f"reason or path are not told: {failed.stderr.strip()[-200:]}")
    return problems


def left_half(folder: Path) -> list[str]:
    """Return what a refused training has left of its files half written."""
    return [f"left half written: {path.name}" for path in folder.rglob(".*.tmp-*")]


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    lab = Lab(Path(given.pop("lab")), given.pop("epochs"), given.pop("batch_size"))
    print(json.dumps(try_disk(lab, Path(given.pop("folder")), **given)))
