"""A config file to a checked, complete, typed config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import PrivateAttr, ValidationError

from nntrain.config.data_section import SPLITS
from nntrain.config.issues import Issue, Level, issues_of
from nntrain.config.load import Document, load_document
from nntrain.config.overrides import apply_overrides
from nntrain.config.place import dotted
from nntrain.config.plugging import load_named, refuse_missing
from nntrain.config.problems import as_written, locate, place_of, problem_of
from nntrain.config.sections import Settings, name_from
from nntrain.config.specs import plain
from nntrain.config.syntax import no_space_hint
from nntrain.errors import ConfigError, KeyPath, Problem, shorten
from nntrain.user_files import path_of, text_of

_TOP = Level("section", "", tuple(Settings.model_fields))

_DEFAULTS = {"optimizer": "adam"}
"""What an override such as ``optimizer.learning_rate=0.1`` refines where the file names nothing."""

_WORDS_FOR_FILES = {"validation": ("none",), "test": (), "split": SPLITS}
"""Keys of ``data`` that name a file where they are no such word."""

_MOST_PROBLEMS = 30
_Order: TypeAlias = tuple[bool, int, int]

_REQUIRED = "data.train, data.target and architecture"


class Config(Settings):
    """A checked config: a typed attribute for each key of the file, and where each stands.

    Attributes:
        path: the file as the user typed it.
        directory: what relative paths in the config are relative to.
        source: the file's text.
    """

    _document: Document = PrivateAttr()
    _directory: Path = PrivateAttr()

    @property
    def path(self) -> str:
        return self._document.path

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def source(self) -> str:
        return self._document.text

    def resolve_path(self, text: str) -> Path:
        """Return the path that a text in the config means: relative ones start at the config's directory."""
        return self._directory / path_of(text)

    def resolved(self, absolute_paths: bool = False) -> dict[str, Any]:
        """Return all keys with all values, as plain values; as a file they give an equal config.

        Args:
            absolute_paths: whether relative paths are made absolute, for a file that stands elsewhere.

        Raises:
            ConfigError: an absolute path is none that a config can hold.
        """
        values = {key: plain(value) for key, value in self.model_dump().items()}
        if absolute_paths:
            values["plugins"] = [self._absolute_plugin(name) for name in self.plugins]
            values["data"]["train"] = [self._absolute(file) for file in self.data.train]
            for key, words in _WORDS_FOR_FILES.items():
                text = values["data"][key]
                if isinstance(text, str) and text not in words:
                    values["data"][key] = self._absolute(text)
        return values

    def _absolute(self, text: str) -> str:
        # Not Path.resolve, which would follow links and so move data that a link keeps in place.
        return text_of(os.path.abspath(self.resolve_path(text)))  # noqa: PTH100

    def _absolute_plugin(self, name: str) -> str:
        from nntrain.plugins import is_file_name

        return self._absolute(name) if is_file_name(name) else name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.resolved() == other.resolved()

    __hash__ = None  # type: ignore[assignment]

    @property
    def defaulted(self) -> list[str]:
        """Dotted keys whose value is a default other than null, for the banner of ``fit``."""
        return [dotted(path) for path in _defaulted(self._document.values, self.resolved(), ())]

    def place(self, key_path: Sequence[str | int], at_key: bool = False) -> tuple[str, int | None, int | None]:
        """Return path, line and column of a value or its key, or of the nearest mapping around it in the file."""
        return locate(self._document, tuple(key_path), at_key)

    def known_part(self, key_path: KeyPath) -> KeyPath:
        """Return the longest part of a key path that the file holds a value of, one key at the least."""
        written = as_written(self._document, key_path)
        lengths = range(len(written), 1, -1)
        return next((written[:length] for length in lengths if written[:length] in self._document.places), written[:1])

    def error(
        self, key_path: Sequence[str | int], message: str, help: str | None = None, notes: Iterable[str] = ()
    ) -> ConfigError:
        """Return the error of a later check, at the place of the value it is about."""
        return ConfigError([self.problem(key_path, message, help, notes)])

    def problem(
        self, key_path: Sequence[str | int], message: str, help: str | None = None, notes: Iterable[str] = ()
    ) -> Problem:
        """Return the problem of a later check; its message gets the key path in front."""
        path, line, column = self.place(key_path)
        written = as_written(self._document, tuple(key_path))
        prefix = f"{dotted(written)}: " if written else ""
        return Problem(f"{prefix}{message}", path, line, column, help, tuple(notes))


def _defaulted(written: Any, complete: dict[str, Any], above: KeyPath) -> list[KeyPath]:
    if isinstance(written, str):
        written = {"name": written}
    found: list[KeyPath] = []
    for key, value in complete.items():
        if not isinstance(written, dict) or key not in written:
            found.extend([(*above, key)] if value is not None and value != [] and value != {} else [])
        elif isinstance(value, dict) and len(above) < 1:
            found.extend(_defaulted(written[key], value, (*above, key)))
    return found


def load_config(path: str, overrides: Sequence[str] = (), plugins: Sequence[str] | None = ()) -> Config:
    """Read, override, check and complete the config at ``path``.

    Args:
        path: of the YAML file.
        overrides: ``KEY=VALUE`` texts of ``--set``.
        plugins: to be loaded beside those that the config names; None for a run's own config, which loads none.

    Raises:
        ConfigError: with all problems there are.
        RunError: a run's own config names a plug-in that is not loaded.
    """
    document = load_document(path)  # first, for it tells why a path that cannot be looked at is none
    # Relative paths in a config that comes through a pipe start where the user is.
    directory = Path(path).parent if Path(path).is_file() else Path()
    return config_from(document, overrides, directory, plugins)


def config_from(
    document: Document,
    overrides: Sequence[str] = (),
    directory: Path | None = None,
    plugins: Sequence[str] | None = (),
) -> Config:
    """Return the config a document holds; see :func:`load_config`."""
    directory = Path(document.path).parent if directory is None else directory
    if not isinstance(document.values, dict) and not (document.values is None and overrides):
        raise _no_mapping(document)
    unread: list[Problem] = []
    try:
        apply_overrides(document, overrides, _DEFAULTS)
    except ConfigError as error:
        if not isinstance(document.values, dict):
            raise
        unread = [*error.problems]  # told together with what is wrong in the file
    unloaded = None
    if plugins is None:
        refuse_missing(document)
    else:
        try:
            load_named(document, directory, plugins)
        except ConfigError as error:
            unloaded = error
    return _checked(document, directory, unread, unloaded)


def _checked(document: Document, directory: Path, unread: list[Problem], unloaded: ConfigError | None) -> Config:
    """Return the config of a document, some of whose overrides and plug-ins may have been unreadable."""
    values = {"name": name_from(Path(document.path).stem), **document.values}
    issues: list[Issue] = []
    config = None
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        issues = issues_of(error, Config, _TOP)
    if unloaded is not None or any(at[:1] == ("plugins",) for at in document.spoiled):  # unknown names may be theirs
        issues = [issue for issue in issues if issue.kind != "unknown_name"]
    problems = [*unread, *(unloaded.problems if unloaded else ()), *_problems(issues, document)]
    if config is None or problems:
        raise ConfigError(problems)
    config._document, config._directory = document, directory
    return config


def _problems(issues: list[Issue], document: Document) -> list[Problem]:
    """Return the problems in the order of the file; messages, each of which costs a search, are made of those shown."""
    told = [issue for issue in issues if issue.kind == "unknown_key" or not _is_spoiled(issue, document)]
    placed: list[tuple[_Order, Problem | Issue]] = [(_order(p.line, p.column), p) for p in document.problems]
    placed += [(_order(*place_of(issue, document)[1:]), issue) for issue in told]
    placed.sort(key=lambda pair: pair[0])
    listed: set[str] = set()
    problems = [
        found if isinstance(found, Problem) else problem_of(found, document, listed)
        for _, found in placed[:_MOST_PROBLEMS]
    ]
    if len(placed) <= _MOST_PROBLEMS:
        return problems
    last = replace(problems[_MOST_PROBLEMS - 1], notes=(f"{len(placed) - _MOST_PROBLEMS} more problems like these",))
    return [*problems[: _MOST_PROBLEMS - 1], last]


def _is_spoiled(issue: Issue, document: Document) -> bool:
    return any(issue.at[:length] in document.spoiled for length in range(len(issue.at) + 1))


def _order(line: int | None, column: int | None) -> _Order:
    # What has no line stands in an override or is missing from the whole file.
    return (line is None, line or 0, column or 0)


def _no_mapping(document: Document) -> ConfigError:
    if document.problems:
        return ConfigError(document.problems)
    if document.values is None:
        message = f"the file is empty; a config needs {_REQUIRED}"
        return ConfigError(message, path=document.path, line=1)
    path, line, column = locate(document, ())
    if isinstance(document.values, list):
        return ConfigError("expected a mapping of keys to values, got a list", path=path, line=line, column=column)
    hint = no_space_hint(document.text.splitlines()[(line or 1) - 1]) if document.text else None
    shown = shorten(str(document.values))
    message = f"expected a mapping of keys to values, got the text '{shown}'"
    return ConfigError(message, path=path, line=line, column=column, help=hint or "write 'key: value' lines")
