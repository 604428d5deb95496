"""Annotations of constructors to the types a config is checked against, and those types in plain words.

A config holds seven kinds of plain values (null, boolean, integer, float, text, list, mapping), so a union is decided
by the kind of the value alone: every mistake is then reported against the one member that was meant.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import annotated_types as at
from pydantic import BaseModel, Discriminator, GetCoreSchemaHandler, Strict, Tag

from nntrain.registry import Registered

TAG = "\0"
"""Begins the tags of union members, which pydantic puts into the places of errors."""


class Says(str):
    """Annotation mark: how a type is described, where its own description would not do."""

    __slots__ = ()


class SpecMark:
    """Base of the mark that stands for a registered thing of one kind; see :mod:`nntrain.config.specs`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Choice:
    """Annotation mark: the value is one of ``members``, decided as in :func:`choice`.

    For annotations that a type checker reads: ``Annotated[int | str, Choice(Annotated[int, Ge(1)], str)]``.
    """

    def __init__(self, *members: Any) -> None:
        self.annotation = choice(list(members))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(self.annotation)


def plain_type(annotation: Any, spec_of: Callable[[str], Any], default: Any) -> Any:
    """Return the type of the config's values for a constructor's argument.

    Args:
        annotation: of the argument; :class:`~nntrain.registry.Registered` marks become what ``spec_of`` gives.
        spec_of: the type of a registered thing, by its kind.
        default: of the argument; null is a value only where it is the default.
    """
    members = _members(annotation, spec_of)
    members = [member for member in members if member is not type(None)]
    if default is None:
        members.append(type(None))
    return choice(members)


def _members(annotation: Any, spec_of: Callable[[str], Any]) -> list[Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return [member for part in arguments for member in _members(part, spec_of)]
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:], spec_of)
    if origin in (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection):
        return [list[_item(arguments[0], spec_of)]]  # type: ignore[misc]
    if origin is tuple and arguments[1:] == (...,):
        return [list[_item(arguments[0], spec_of)]]  # type: ignore[misc]
    if origin is tuple:
        return [Annotated[tuple[tuple(_item(part, spec_of) for part in arguments)], Strict(False)]]  # type: ignore[misc]
    if origin in (dict, Mapping, collections.abc.Mapping):
        return [dict[str, _item(arguments[1], spec_of)]]  # type: ignore[misc]
    return [annotation]


def _item(annotation: Any, spec_of: Callable[[str], Any]) -> Any:
    return choice(_members(annotation, spec_of))


def _annotated(base: Any, marks: tuple[Any, ...], spec_of: Callable[[str], Any]) -> list[Any]:
    kinds = [mark.kind for mark in marks if isinstance(mark, Registered)]
    others = tuple(mark for mark in marks if not isinstance(mark, Registered))
    members = _members(base, spec_of)
    if kinds:
        # What stands beside the mark is the union of all that a constructor takes: a name, a mapping, the thing itself.
        members = [member for member in members if member in (int, float, bool, type(None))]
    if others:
        members = [m if m is type(None) else Annotated[(m, *others)] for m in members]
    return [*members, *(spec_of(kind) for kind in kinds)]


def choice(members: list[Any]) -> Any:
    """Return the type of a value that is one of ``members``, decided by the kind of plain value it is."""
    if not members:
        return Any
    if len(members) == 1:
        return members[0]
    if len(members) == 2 and members[1] in (None, type(None)):
        return members[0] | None
    tagged = tuple(Annotated[member, Tag(f"{TAG}{i}")] for i, member in enumerate(members))
    expected = describe(members)
    return Annotated[
        typing.Union[tagged],  # noqa: UP007 - made of a tuple
        Discriminator(_decision(members), custom_error_type="choice", custom_error_message=expected),
        Says(expected),
    ]


def _decision(members: list[Any]) -> Callable[[Any], str | None]:
    """Return what gives the tag of the first member that takes a value's kind, or None where none does."""

    def decide(value: Any) -> str | None:
        return next((f"{TAG}{i}" for i, member in enumerate(members) if accepts(member, value)), None)

    return decide


def accepts(member: Any, value: Any) -> bool:
    """Return whether a type takes plain values of the kind of ``value``; a literal takes only its own values."""
    base, marks = unwrap(member)
    if any(isinstance(mark, SpecMark) for mark in marks):
        return isinstance(value, (str, dict))
    origin = typing.get_origin(base) or base
    if origin is Literal:
        return any(value == known and type(value) is type(known) for known in typing.get_args(base))
    kinds: dict[Any, tuple[type, ...]] = {float: (int, float), tuple: (list, tuple)}
    if base is Any or base is None:
        return base is Any or value is None
    if isinstance(base, type) and issubclass(base, BaseModel):
        return isinstance(value, dict)
    return isinstance(value, kinds.get(origin, (origin,))) and (origin is bool or not isinstance(value, bool))


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return an annotation without ``Annotated``, and the marks it had."""
    if typing.get_origin(annotation) is not Annotated:
        return annotation, ()
    base, marks = annotation.__origin__, annotation.__metadata__
    for mark in marks:
        if isinstance(mark, Choice):
            base, of_choice = unwrap(mark.annotation)
            return base, (*of_choice, *marks)
    return base, marks


_WORDS: dict[Any, str] = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    None: "null",
    Any: "any value",
    dict: "a mapping",
}

_BOUNDS: tuple[tuple[type, str, str], ...] = (
    (at.Ge, "ge", "at least"),
    (at.Gt, "gt", "above"),
    (at.Le, "le", "at most"),
    (at.Lt, "lt", "below"),
)


def describe(annotation: Any) -> str:
    """Return a type in plain words, with its range; of a list of types, the alternatives.

    >>> describe(Annotated[float, at.Ge(0), at.Lt(1)])
    'a number of at least 0 and below 1'
    >>> describe([Annotated[int, at.Ge(1)], Literal["full"]])
    "an integer of at least 1 or 'full'"
    """
    if isinstance(annotation, list):
        return _alternatives([describe(member) for member in annotation])
    base, marks = unwrap(annotation)
    said = [str(mark) for mark in marks if isinstance(mark, Says)]
    if said:
        return said[-1]
    kinds = [mark.kind for mark in marks if isinstance(mark, SpecMark)]
    if kinds:
        return f"{_article(kinds[0])} (a name, or a mapping with 'name')"
    return _described(base) + _bounds(marks) + _length(base, marks)


def _described(base: Any) -> str:
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if origin is Literal:
        return _alternatives([f"'{value}'" if isinstance(value, str) else str(value).lower() for value in arguments])
    if origin in (typing.Union, types.UnionType):
        return _alternatives([describe(member) for member in arguments])
    if origin is list:
        return f"a list of {_plural(arguments[0])}"
    if origin is tuple:
        return f"a list of {len(arguments)} items"
    return _WORDS.get(origin or base, "a mapping")


def _plural(annotation: Any) -> str:
    base, marks = unwrap(annotation)
    kinds = [mark.kind for mark in marks if isinstance(mark, SpecMark)]
    plurals = {int: "integers", float: "numbers", str: "texts", bool: "true or false"}
    if kinds:
        return "losses" if kinds[0] == "loss" else f"{kinds[0]}s"
    if typing.get_origin(base) is list:
        return f"lists of {_plural(typing.get_args(base)[0])}"
    return plurals[base] + _bounds(marks) if base in plurals else f"items, each {describe(annotation)}"


def _bounds(marks: tuple[Any, ...]) -> str:
    parts = [
        f"{word} {getattr(mark, name)}" for mark in marks for kind, name, word in _BOUNDS if isinstance(mark, kind)
    ]
    if not parts:
        return ""
    return f"{' of ' if parts[0].startswith('at') else ' '}{' and '.join(parts)}"


def _length(base: Any, marks: tuple[Any, ...]) -> str:
    unit = "character" if base is str else "item"
    least = max((mark.min_length for mark in marks if isinstance(mark, (at.MinLen, at.Len))), default=0)
    most = min(
        (mark.max_length for mark in marks if isinstance(mark, (at.MaxLen, at.Len)) and mark.max_length), default=0
    )
    parts = [f"at least {least}"] if least else []
    parts += [f"at most {most}"] if most else []
    parts = [f"exactly {most}"] if least == most and most else parts
    return f" ({' and '.join(parts)} {unit}{'s' if max(least, most) > 1 else ''})" if parts else ""


def _alternatives(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def step(annotation: Any, part: Any) -> Any:
    """Return the type one part of an error's place leads to, or Any: a union's tag, an index, a key."""
    base, _ = unwrap(annotation)
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if origin in (typing.Union, types.UnionType) and not str(part).startswith(TAG):
        return step(arguments[0], part)  # a type or null
    if isinstance(part, str) and part.startswith(TAG):
        return arguments[int(part[1:])]
    if origin is list:
        return arguments[0]
    if origin is tuple and isinstance(part, int):
        return arguments[min(part, len(arguments) - 1)]
    if origin is dict:
        return arguments[1]
    if isinstance(base, type) and issubclass(base, BaseModel) and part in base.model_fields:
        return field_type(base, part)
    return Any


def field_type(model: type[BaseModel], name: str) -> Any:
    """Return the annotation of a model's field with its marks, which pydantic keeps apart."""
    info = model.model_fields[name]
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
