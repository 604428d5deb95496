"""What a plug-in's name means: a file, or a module that an installed package offers."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from nntrain.errors import ConfigError, did_you_mean, enumerate_names, escape, quote
from nntrain.user_files import FileKind

GROUP = "nntrain.plugins"
"""The group of entry points by which an installed package offers its modules."""

PLUGIN_FILE = FileKind("plug-in", "Python", "Python file", (".py",), largest=4 << 20)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a plug-in, read once: what is hashed is what is executed.

    Attributes:
        name: of the file without its folders, or of the entry point.
        path: of the file as the user typed it.
        sha256: of the content.
        text: of the file.
        place: of the file, whatever folder is the current one.
        module: of an entry point, already imported; None where a file is to be executed.
    """

    name: str
    path: str
    sha256: str
    text: str
    place: str
    module: ModuleType | None = None


def is_file_name(name: str) -> bool:
    """Return whether a plug-in's name is that of a file, and not of an entry point.

    >>> is_file_name("my_layers.py"), is_file_name("shared/layers"), is_file_name("my_layers")
    (True, True, False)
    """
    return name.endswith(".py") or "/" in name or os.sep in name


def name_of(name: str) -> str:
    """Return what a plug-in is called, wherever its file is.

    >>> name_of("../shared/my_layers.py"), name_of("my_layers")
    ('my_layers.py', 'my_layers')
    """
    return Path(name).name if is_file_name(name) else name


def read_source(name: str, directory: Path) -> Source:
    """Return the source of the file of a name, which may be relative to ``directory``.

    Raises:
        ConfigError: there is no such file, or it is no text.
    """
    path = str(directory / name)
    content = PLUGIN_FILE.read(path)
    place = os.path.abspath(path)  # noqa: PTH100 - links stay what they are
    return Source(name_of(name), path, hashlib.sha256(content).hexdigest(), _decoded(content, path), place)


def source_of_module(name: str, module: ModuleType) -> Source:
    """Return the source of an entry point's module; of a package all its files count."""
    files = _files_of(module)
    digest = hashlib.sha256()
    for file in files:
        digest.update(PLUGIN_FILE.read(str(file)))
    first = str(files[0]) if files else name
    text = PLUGIN_FILE.read(first).decode("utf-8", "replace") if files else ""
    return Source(name, first, digest.hexdigest(), text, first, module)


def module_of_entry_point(name: str) -> str:
    """Return the name of the module that an entry point stands for.

    Raises:
        ConfigError: no installed package has such an entry point.
    """
    from importlib.metadata import entry_points

    points = {point.name: point.module for point in entry_points(group=GROUP)}
    if name not in points:
        known = f"installed are: {enumerate_names(sorted(points))}; " if points else ""
        message = f"no plug-in {quote(name)} is installed{did_you_mean(name, points)}"
        ending = "" if Path(name).suffix else f", {escape(name)}.py"
        raise ConfigError(message, help=f"{known}a file of your own is Python code, named with its ending .py{ending}")
    return points[name]


def _files_of(module: ModuleType) -> list[Path]:
    """Return a module's file, or all files of a package, its first one first."""
    file = getattr(module, "__file__", None)
    first = [Path(file)] if file else []
    folders = [Path(folder) for folder in getattr(module, "__path__", ())]
    others = sorted(file for folder in folders for file in folder.rglob("*.py"))
    return [*first, *(file for file in others if file not in first)]


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}"
        raise ConfigError(message, path=path, line=line, help="save it as UTF-8") from None
