"""What ``run.json`` must hold for a command that goes on from it; who only shows a run takes it as it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nntrain.errors import Problem, RunError, quote
from nntrain.runs.parent import KINDS

Check: TypeAlias = Callable[[Any], bool]


def is_count(value: Any) -> bool:
    """Whether a value is a whole number of at least 0.

    >>> is_count(3), is_count(True), is_count(-1)
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_file(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("sha256"), str)


def _are_files(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_file, value.values()))


def _is_repeats(value: Any) -> bool:
    is_known = isinstance(value, Mapping) and value.get("kind") in KINDS
    return is_known and _or_none(is_count)(value.get("seeds"))


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(cell, Mapping) if name == "undefined" else _is_value(cell) for name, cell in value.items()
    )


def _is_value(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _are_rows(value: Any) -> bool:
    return isinstance(value, Mapping) and _is_row(value.get("best")) and _is_row(value.get("last"))


_EVERY_RUN: dict[str, tuple[Check, str]] = {
    "seed": (is_count, "a whole number of at least 0"),
    "epochs": (is_count, "a whole number of at least 0"),
    "data": (_are_files, "a mapping of files with their sha256"),
}
_WHERE_THERE: dict[str, tuple[Check, str]] = {
    "repeats": (_is_repeats, f"a mapping with kind {' or '.join(KINDS)}, and seeds"),
    "fold": (_or_none(is_count), "a whole number of at least 0, or null"),
    "failed_step": (_or_none(is_count), "a whole number of at least 0, or null"),
    "config_changed_after": (lambda value: isinstance(value, list) and all(map(is_count, value)), "a list of epochs"),
    "members": (lambda value: isinstance(value, list) and all(map(_is_text, value)), "a list of names"),
}
_ENDED: dict[str, tuple[Check, str]] = {
    "stop_reason": (_or_none(_is_text), "a text or null"),
    "epoch": (is_count, "a whole number of at least 0"),
    "best_epoch": (_or_none(is_count), "a whole number of at least 0, or null"),
    "metrics": (_are_rows, "a mapping with the rows best and last"),
    "test": (_or_none(_is_row), "a mapping of numbers, or null"),
}


def check_record(info: Mapping[str, Any], path: Path) -> None:
    """Refuse a record that a command cannot go on from.

    Args:
        info: what ``run.json`` holds.
        path: of the file.

    Raises:
        RunError: with every key that is missing or holds something else than it must.
    """
    is_parent = "repeats" in info
    needed = dict(_EVERY_RUN)
    if info.get("status") in ("finished", "early_stopped") and not is_parent:
        needed |= _ENDED
    needed |= {key: rule for key, rule in _WHERE_THERE.items() if key in info}
    wrong = [
        f"{key}: expected {words}, got {quote(str(info[key])) if key in info else 'nothing'}"
        for key, (check, words) in needed.items()
        if key not in info or not check(info[key])
    ]
    if wrong:
        help = "the file was damaged or changed: restore it, or train a new run with nntrain fit"
        raise RunError(Problem(message, path=str(path), help=help) for message in wrong)


def origin_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint keeps of its run, so that it is not taken for another's: the seed and the data.

    >>> origin_of({"seed": 1, "data": {"b.csv": {"sha256": "22"}, "a.csv": {"sha256": "11"}}})
    {'seed': 1, 'data': ['11', '22']}
    """
    return {"seed": info["seed"], "data": sorted({file["sha256"] for file in info["data"].values()})}


def refuse_foreign(info: Mapping[str, Any], state: Mapping[str, Any], path: Path) -> None:
    """Refuse a checkpoint that a run with another seed or other data has written.

    Args:
        info: what the run's ``run.json`` holds; where it is damaged nothing is compared.
        state: of the checkpoint; those of before there was an origin are any run's.
        path: of the checkpoint.

    Raises:
        RunError: it is another run's.
    """
    origin = state.get("origin")
    if origin is None or not (is_count(info.get("seed")) and _are_files(info.get("data"))):
        return
    own = origin_of(info)
    if origin != own:
        seeds = origin.get("seed") if isinstance(origin, Mapping) else None, own["seed"]
        what = f"of seed {seeds[0]}, this run has {seeds[1]}" if seeds[0] != seeds[1] else "trained on other data"
        help = "put back the run's own file, or remove this one and go on with nntrain fit --resume"
        raise RunError(f"the checkpoint is another run's: {what}", path=str(path), help=help)
