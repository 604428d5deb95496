"""A plug-in that has been executed, and what it has registered."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from nntrain.plugins.source import Source
from nntrain.registry import Entry


@dataclass(frozen=True, slots=True, eq=False)
class Plugin:
    """A plug-in that has been executed.

    Attributes:
        source: what was executed.
        module: that it became.
        entries: what it registered, with the kind of each.
    """

    source: Source
    module: ModuleType
    entries: tuple[tuple[str, Entry[Any]], ...]

    @property
    def registers(self) -> list[str]:
        """What the plug-in registers, in words: ``layer scale``."""
        return [f"{kind} {entry.name}" for kind, entry in self.entries]

    @property
    def named(self) -> str:
        """The name by which a command line gives it."""
        return self.source.path if self.source.module is None else self.source.name

    def record(self) -> dict[str, Any]:
        """Return what a run remembers of the plug-in."""
        source = self.source
        return {"name": source.name, "path": source.place, "sha256": source.sha256, "registers": self.registers}

    def owns(self, file: str) -> bool:
        """Return whether a file of code, as a frame names it, is the plug-in's."""
        if file == self.source.path:
            return True
        return any(file.startswith(f"{folder}{os.sep}") for folder in getattr(self.module, "__path__", ()))

    def line_of(self, factory: type) -> int | None:
        """Return the line on which a class begins, or None where it is no class of the plug-in's own."""
        found = re.search(rf"^[ \t]*class {re.escape(factory.__name__)}\b", self.source.text, re.MULTILINE)
        return None if found is None else self.source.text.count("\n", 0, found.start()) + 1

    def place_of(self, factory: type) -> dict[str, Any]:
        """Return path and line of a class, as errors take them."""
        return {"path": self.source.path, "line": self.line_of(factory)}
