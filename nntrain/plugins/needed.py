"""The plug-ins that a run was trained with, against those that are active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nntrain.errors import RunError, enumerate_names, escape, quote
from nntrain.plugins.active import active_plugins
from nntrain.plugins.plugin import Plugin


def refuse_missing(remembered: Any, path: str) -> None:
    """Refuse a run that needs a plug-in which is not active.

    Args:
        remembered: plug-ins as a run or a checkpoint holds them, which may be anything.
        path: of the run or the checkpoint.

    Raises:
        RunError: naming the plug-in.
    """
    there = {plugin.source.name for plugin in active_plugins()}
    same = {plugin.source.sha256 for plugin in active_plugins()}
    for found in _read(remembered, path):
        if found["name"] not in there and found["sha256"] not in same:
            raise missing(found["name"], path, found["registers"])


def missing(name: str, path: str, registers: Sequence[str] = (), line: int | None = None) -> RunError:
    """Return the error for a plug-in that was not given; its code is never looked for beside the run."""
    return RunError(
        f"it needs the plug-in {quote(name)}, which is loaded only where you name it",
        path=path,
        line=line,
        help=f"pass --plugin {escape(name)}, if you trust it",
        notes=[f"it registers {enumerate_names(registers)}"]
        if registers
        else ["no file of a run's loads code by itself"],
    )


def changed_plugins(remembered: Any, path: str) -> list[tuple[Plugin, str]]:
    """Return the active plug-ins that are not what a run was trained with, with the SHA-256 of what they were.

    Raises:
        RunError: what the run remembers cannot be read.
    """
    same = {plugin.source.sha256 for plugin in active_plugins()}
    other = {found["name"]: found["sha256"] for found in _read(remembered, path) if found["sha256"] not in same}
    return [(plugin, other[plugin.source.name]) for plugin in active_plugins() if plugin.source.name in other]


def told_changed(plugin: Plugin, before: str) -> str:
    """Return in words that a plug-in has changed."""
    return (
        f"the plug-in has changed since the run was trained (SHA-256 {escape(before[:16])}... then,"
        f" {plugin.source.sha256[:16]}... now)"
    )


def _read(remembered: Any, path: str) -> list[dict[str, Any]]:
    """Return the records of plug-ins, of sound form."""
    records = remembered if isinstance(remembered, list) else [remembered]
    for record in records:
        texts = [record.get("name"), record.get("sha256")] if isinstance(record, dict) else [None]
        registers = record.get("registers") if isinstance(record, dict) else None
        if not all(isinstance(text, str) for text in texts) or not isinstance(registers, list):
            raise RunError("what it says of its plug-ins cannot be read", path=path)
    return [{**record, "registers": [str(name) for name in record["registers"]]} for record in records]
