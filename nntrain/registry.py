"""Names of a config file to classes of the code: one registry per kind, kept beside the kind's base class.

The constructor of a registered class is its schema: the annotated arguments (``Annotated[float, Gt(0)]``) are the keys
the config may hold, their defaults are the config's defaults, and the ``Args:`` section of the class's docstring
documents them. ``nntrain list``, ``nntrain schema``, ``docs/config.md`` and the validation of a config all read the
same signature.

Of the things that come with nntrain only the names are known until one is asked for: the package that holds the classes
of a kind says in ``NAMES`` which module registers which names, and a module is imported when a name of it is used. So a
command loads the layers its config names, and a plug-in registers its own beside them.

An argument that is itself a registered thing is annotated with :class:`Registered`, by way of an alias that stands
beside the base class, such as ``InitializerLike``; the constructor passes it through ``INITIALIZERS.build``.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

from nntrain.errors import ConfigError, KeyPath, did_you_mean, enumerate_names, quote

T = TypeVar("T")

REQUIRED = inspect.Parameter.empty
"""Stands in :attr:`Argument.default` for an argument without a default."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Annotation mark: the argument is a name or a mapping of the registry of this ``kind``."""

    kind: str


class PlacedSpec(dict[str, Any]):
    """A spec that knows its key path in the config, which is told to what is built of it as the attribute ``at``.

    >>> from nntrain.core.layer import LAYERS
    >>> LAYERS.build(PlacedSpec({"name": "dense", "units": 3}, ("architecture", "hidden", 0))).at
    ('architecture', 'hidden', 0)
    """

    def __init__(self, spec: Mapping[str, Any], at: KeyPath) -> None:
        super().__init__(spec)
        self.at = at


def placed_specs(value: Any, at: KeyPath) -> Any:
    """Return a value of the config whose specs, those within it too, know their key paths.

    >>> placed_specs({"layers": [{"name": "relu"}]}, ("architecture",))["layers"][0].at
    ('architecture', 'layers', 0)
    """
    if isinstance(value, list):
        return [placed_specs(item, (*at, i)) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return PlacedSpec({key: placed_specs(item, (*at, key)) for key, item in value.items()}, at)
    return value


@dataclass(frozen=True, slots=True)
class Argument:
    """One constructor argument: its name, annotation (with ``Annotated`` kept), default and documentation."""

    name: str
    annotation: Any
    default: Any
    doc: str

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True, eq=False)
class Entry(Generic[T]):
    """A registered name: the class it builds, and arguments preset by this name (``momentum`` is ``sgd`` with some).

    Two entries are never equal, so that what is made of one (a schema, say) is not taken for another's of its name.
    """

    name: str
    factory: type[T]
    preset: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first sentence of the class's docstring."""
        return (inspect.getdoc(self.factory) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The constructor's arguments, those preset by this name with the preset as default."""
        return tuple(
            Argument(a.name, a.annotation, self.preset[a.name], a.doc) if a.name in self.preset else a
            for a in arguments_of(self.factory)  # type: ignore[arg-type]
        )


@cache
def arguments_of(factory: Callable[..., Any]) -> tuple[Argument, ...]:
    """Return the keyword-usable arguments of a constructor, in order."""
    constructor = factory.__init__ if isinstance(factory, type) else factory  # type: ignore[misc]
    if constructor is object.__init__:
        return ()
    hints = typing.get_type_hints(constructor, include_extras=True)
    documented = documented_arguments(inspect.getdoc(factory) or "")
    return tuple(
        Argument(p.name, hints.get(p.name, Any), p.default, documented.get(p.name, ""))
        for p in inspect.signature(constructor).parameters.values()
        if p.name != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    )


def documented_arguments(docstring: str) -> dict[str, str]:
    """Return ``{argument: text}`` from the ``Args:`` section of a docstring.

    >>> documented_arguments("A layer.\\n\\nArgs:\\n    units: how many outputs,\\n        at least one.\\n")
    {'units': 'how many outputs, at least one.'}
    """
    found = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring + "\n", re.MULTILINE)
    if not found:
        return {}
    body = inspect.cleandoc("\n" + found[1])
    items = re.findall(r"^(\w+): *(.*(?:\n[ \t]+.*)*)", body, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text).strip() for name, text in items}


class Registry(Generic[T]):
    """The names of one kind of thing.

    Args:
        kind: singular, as it is written in messages: ``optimizer``.
        base: what every registered class derives from.
        package: holds the classes; its ``NAMES`` lists, by kind, the names that each of its modules registers. One
            without ``NAMES`` registers all it has when it is imported, on first use.

    >>> from nntrain.optim.base import OPTIMIZERS
    >>> OPTIMIZERS.build({"name": "sgd", "learning_rate": 0.1}).learning_rate
    0.1
    """

    def __init__(self, kind: str, base: type[T], package: str) -> None:
        self.kind = kind
        self.base = base
        self._package = package
        self._entries: dict[str, Entry[T]] = {}
        self._found: dict[str, str] | None = None
        _REGISTRIES[kind] = self

    def register(self, name: str, **preset: Any) -> Callable[[type[T]], type[T]]:
        """Return a class decorator that enters the class under ``name``; ``preset`` arguments differ from its own.

        Raises:
            ConfigError: the name cannot be one, is taken, or the class is none of this kind.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"expected a name such as 'my_{self.kind}' to register, got {_shown(name)}")

        def enter(factory: type[T]) -> type[T]:
            self.enter(Entry(name, factory, preset))
            return factory

        return enter

    def enter(self, entry: Entry[T]) -> None:
        """Make an entry known.

        Raises:
            ConfigError: the name is taken, or the class is none of this kind.
        """
        name, factory = entry.name, entry.factory
        if not (isinstance(factory, type) and issubclass(factory, self.base)):
            needed = f"{self.base.__module__}.{self.base.__name__}"
            raise ConfigError(
                f"{self.kind} {quote(name)}: expected a class derived from {needed}, got {_shown(factory)}"
            )
        if name in self._entries or self._modules.get(name, factory.__module__) != factory.__module__:
            raise ConfigError(f"{self.kind} {quote(name)} is registered already, by {_shown(self.get(name).factory)}")
        self._entries[name] = entry

    def forget(self, name: str) -> None:
        """Make a name of a user's unknown again."""
        self._entries.pop(name, None)

    def entries(self) -> dict[str, Entry[T]]:
        """Return the entries by name that are loaded."""
        return dict(self._entries)

    def is_of_nntrain(self, name: str) -> bool:
        """Return whether a name comes with nntrain."""
        return name in self._modules

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        return sorted({*self._modules, *self._entries})

    def __contains__(self, name: object) -> bool:
        return name in self._modules or name in self._entries

    def get(self, name: str) -> Entry[T]:
        """Return the entry of a name.

        Raises:
            ConfigError: no such name; the message holds the closest one and all there are.
        """
        if name not in self._entries:
            if name not in self._modules:
                raise ConfigError(f"{self.unknown(name)} (known: {enumerate_names(self.names(), 60)})")
            importlib.import_module(self._modules[name])
        return self._entries[name]

    def unknown(self, name: str) -> str:
        """Return the message for a name that is not registered."""
        return f"unknown {self.kind} {quote(name)}{did_you_mean(name, self.names())}"

    def build(self, spec: str | Mapping[str, Any] | T, **defaults: Any) -> T:
        """Return the thing a spec describes: a name, a mapping with ``name`` and arguments, or the thing itself."""
        if isinstance(spec, self.base):
            return spec
        name, arguments = split_spec(typing.cast("str | Mapping[str, Any]", spec))
        entry = self.get(name)
        arguments = {**defaults, **entry.preset, **arguments}
        try:
            thing = entry.factory(**arguments)
            if not isinstance(thing, self.base):  # a user's class may make anything
                made = f"made {type(thing).__name__}, expected a {self.kind}"
                raise ConfigError(f"{self.kind} {quote(name)}: {_shown(entry.factory)} {made}")
        except ConfigError as error:
            if isinstance(spec, PlacedSpec):
                error.stands_at(spec.at)
            raise
        if isinstance(spec, PlacedSpec):
            vars(thing)["at"] = spec.at
        return thing

    def name_of(self, thing: T | type[T]) -> str:
        """Return the first name a thing's class is registered under (not one with a preset, where there is another)."""
        factory = thing if isinstance(thing, type) else type(thing)
        names = [entry.name for entry in self._entries.values() if entry.factory is factory]
        plain = [name for name in names if not self._entries[name].preset]
        return (plain or names or [factory.__name__])[0]

    @property
    def _modules(self) -> dict[str, str]:
        """The modules that come with nntrain, by the names they register."""
        if self._found is None:
            self._found = {}
            listed = getattr(importlib.import_module(self._package), "NAMES", {}).get(self.kind, {})
            self._found = {name: f"{self._package}.{module}" for module, names in listed.items() for name in names}
        return self._found


def _shown(thing: object) -> str:
    """Return a class as messages name it: by its module, or by the file of a user's."""
    name, module = getattr(thing, "__qualname__", None), str(getattr(thing, "__module__", ""))
    if name is None:
        return quote(thing)
    file = None if module.startswith("nntrain.") else getattr(sys.modules.get(module), "__file__", None)
    return f"{module}.{name}" if file is None else f"{name} of {file}"


def split_spec(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of a spec.

    >>> split_spec({"name": "sgd", "momentum": 0.9})
    ('sgd', {'momentum': 0.9})
    """
    if isinstance(spec, str):
        return spec, {}
    arguments = dict(spec)
    return arguments.pop("name"), arguments


_REGISTRIES: dict[str, Registry[Any]] = {}

_HOMES = {
    "layer": "nntrain.core.layer",
    "initializer": "nntrain.core.initializers",
    "loss": "nntrain.losses.base",
    "optimizer": "nntrain.optim.base",
    "schedule": "nntrain.optim.schedules",
    "metric": "nntrain.metrics.base",
    "callback": "nntrain.train.callbacks.base",
    "architecture": "nntrain.models.base",
}


def registry_of(kind: str) -> Registry[Any]:
    """Return the registry of a kind, importing the module it lives in."""
    if kind not in _REGISTRIES:
        importlib.import_module(_HOMES[kind])
    return _REGISTRIES[kind]


def kinds() -> list[str]:
    """Return the kinds there are, in the order ``nntrain list`` shows them."""
    return ["architecture", "layer", "loss", "optimizer", "schedule", "metric", "initializer", "callback"]
