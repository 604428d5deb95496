"""What pydantic found, as issues in plain words at key paths of the config."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from nntrain.config.annotations import TAG, describe, step, unwrap
from nntrain.errors import KeyPath


@dataclass(frozen=True, slots=True)
class Level:
    """A mapping of the config whose keys are known.

    Attributes:
        kind: of the registered thing, or ``section``.
        name: of the thing (``adam``) or of the section (``data``; empty at the top).
        allowed: its keys.
    """

    kind: str
    name: str
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with a value.

    Attributes:
        at: key path, from the mapping that was checked.
        kind: ``unknown_key``, ``unknown_name``, ``missing``, ``type`` (the message says what was expected) or
            ``message``, which is complete. The messages of the first two take a search, and are made when shown.
        text: what was expected, or the message.
        level: the mapping that does not know the key or misses it; of an unknown name its kind and the name itself.
        help: remedy.
    """

    at: tuple[str | int, ...]
    kind: str
    text: str = ""
    level: Level | None = None
    help: str | None = None

    def below(self, renamed: Mapping[str, tuple[str, ...]]) -> Issue:
        """Return the issue with the first key as it was written in the file."""
        if not self.at or self.at[0] not in renamed:
            return self
        return replace(self, at=(*renamed[str(self.at[0])], *self.at[1:]))


def issues_of(error: ValidationError, model: type[BaseModel], level: Level) -> list[Issue]:
    """Return the issues of a validation error, those nested in registered things too.

    Args:
        error: as raised.
        model: that raised it.
        level: of the model's own keys.
    """
    issues: list[Issue] = []
    for found in error.errors(include_url=False):
        location = found["loc"]
        at: KeyPath = tuple(part for part in location if not (isinstance(part, str) and part.startswith(TAG)))
        context: dict[str, Any] = found.get("ctx") or {}
        if found["type"] == "nested":
            issues.extend(replace(issue, at=at + issue.at) for issue in context["issues"])
        elif found["type"] == "check":
            issues.append(Issue(at + tuple(context["at"]), "message", context["message"], help=context.get("help")))
        else:
            issues.append(_issue(found["type"], at, location, model, level))
    return issues


def _issue(kind: str, at: KeyPath, location: tuple[Any, ...], model: type[BaseModel], level: Level) -> Issue:
    if kind == "missing" and isinstance(location[-1], int):  # a list that is too short for a tuple
        at, location, kind = at[:-1], location[:-1], "type"
    if kind in ("extra_forbidden", "missing"):
        text = _needs(location, model) if kind == "missing" else ""
        name = "missing" if kind == "missing" else "unknown_key"
        return Issue(at, name, text, level=_level(location, model, level))
    return Issue(at, "type", _type_at(location, model))


def _needs(location: tuple[Any, ...], model: type[BaseModel]) -> str:
    """Return the keys that a missing section must have, or an empty text where no section is missing."""
    section = _model_in(_by_alias(model, location[0])) if len(location) == 1 else None
    return ", ".join(name for name, info in section.model_fields.items() if info.is_required()) if section else ""


def _level(location: tuple[Any, ...], model: type[BaseModel], level: Level) -> Level:
    """Return the section a key is unknown in: the model's own level, or that of a section within it."""
    annotation: Any = model
    names: list[str] = []
    for part in location[:-1]:
        annotation = step(annotation, part)
        names.extend([] if str(part).startswith(TAG) else [str(part)])
    section = _model_in(annotation)
    if not names or section is None:
        return level
    return Level("section", ".".join(names), tuple(info.alias or n for n, info in section.model_fields.items()))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    base, _ = unwrap(annotation)
    for candidate in (base, *typing.get_args(base)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type_at(location: tuple[Any, ...], model: type[BaseModel]) -> str:
    """Return the type expected at a place, in plain words."""
    annotation: Any = _by_alias(model, location[0])
    whole = annotation
    for part in location[1:]:
        annotation = step(annotation, part)
        # A value of the right kind but out of range is told all that could stand there, not one member of a union.
        whole = whole if isinstance(part, str) and part.startswith(TAG) else annotation
    return describe(whole)


def _by_alias(model: type[BaseModel], key: Any) -> Any:
    names = {info.alias or name: name for name, info in model.model_fields.items()}
    return step(model, names.get(key, key))
