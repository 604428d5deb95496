"""The plug-ins whose names a config may use at the moment."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from nntrain.errors import ConfigError, NntrainError, enumerate_names, quote
from nntrain.plugins.faults import fault_of, is_signal
from nntrain.plugins.plugin import Plugin
from nntrain.plugins.source import (
    Source,
    is_file_name,
    module_of_entry_point,
    name_of,
    read_source,
    source_of_module,
)
from nntrain.registry import Entry, kinds, registry_of

_ACTIVE: list[Plugin] = []

_EXECUTED: dict[tuple[str, str, str], Plugin] = {}
"""All plug-ins that this process has executed: the same content in the same file is not executed twice."""


def active_plugins() -> tuple[Plugin, ...]:
    """Return the plug-ins whose names are known, in the order they were added."""
    return tuple(_ACTIVE)


def forget_plugins() -> None:
    """Make the names of all plug-ins unknown."""
    for plugin in _ACTIVE:
        _withdraw(plugin.entries)
    _ACTIVE.clear()


def add_plugin(name: str, directory: Path) -> Plugin:
    """Make the names known that a plug-in registers; one that is active already stays as it is.

    Args:
        name: of a file, or of an entry point of the group ``nntrain.plugins``.
        directory: what a file's name is relative to.

    Raises:
        ConfigError: there is no such plug-in, or it cannot be used; placed at a line of it wherever there is one.
    """
    source = read_source(name, directory) if is_file_name(name) else _import_entry_point(name)
    for plugin in _ACTIVE:
        if (plugin.source.place, plugin.source.sha256) == (source.place, source.sha256):
            return plugin
    key = (source.place, source.path, source.sha256)
    known = _EXECUTED.get(key)
    if known is None:
        known = _EXECUTED[key] = _execute(source)
    else:
        _enter(known)
    _ACTIVE.append(known)
    return known


def plugin_of(factory: type) -> Plugin | None:
    """Return the active plug-in that a class is defined in, or None."""
    home = f"{factory.__module__}."
    return next((plugin for plugin in _ACTIVE if home.startswith(f"{plugin.module.__name__}.")), None)


def place_of_method(factory: type, method: str) -> dict[str, Any]:
    """Return path and line of a method of an active plug-in's class, as errors take them; nothing of other classes."""
    plugin = plugin_of(factory)
    if plugin is None:
        return {}
    code = getattr(inspect.unwrap(getattr(factory, method)), "__code__", None)
    if code is None or not plugin.owns(code.co_filename):
        return plugin.place_of(factory)
    return {"path": code.co_filename, "line": code.co_firstlineno}


def records(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what a run remembers of the active plug-ins that a config names, in the config's order."""
    wanted = [name_of(name) for name in names]
    named = [plugin for plugin in _ACTIVE if plugin.source.name in wanted]
    return [plugin.record() for plugin in sorted(named, key=lambda plugin: wanted.index(plugin.source.name))]


def _execute(source: Source) -> Plugin:
    """Execute a plug-in and take note of what it registers; nothing stays registered where it fails."""
    before = _all_entries()
    try:
        module = source.module or _run(source)
        entries = tuple(found for found in _all_entries() if found not in before or _is_within(found[1], source))
        plugin = Plugin(source, module, entries)
        _check(plugin)
    except BaseException:
        _withdraw([found for found in _all_entries() if found not in before])
        raise
    return plugin


def _run(source: Source) -> ModuleType:
    """Execute a file as a module of its own; what it prints does not reach stdout, which is for results."""
    digest = hashlib.sha256(f"{source.place}\0{source.sha256}".encode("utf-8", "replace")).hexdigest()
    spec = ModuleSpec(f"nntrain_plugin_{digest[:16]}", None, origin=source.path)
    module = module_from_spec(spec)
    module.__file__ = source.path
    sys.modules[spec.name] = module
    try:
        with contextlib.redirect_stdout(sys.stderr):
            exec(compile(source.text, source.path, "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        del sys.modules[spec.name]
        _raise_told(error, source.path)
    return module


_INSTALLED: dict[str, Source] = {}
"""Sources of entry points by name: what is imported stays as it was, whatever becomes of its files."""


def _import_entry_point(name: str) -> Source:
    """Return the source of an entry point's module, imported as any other: its package is installed."""
    if name in _INSTALLED:
        return _INSTALLED[name]
    module_name = module_of_entry_point(name)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(module_name)
    except BaseException as error:
        _raise_told(error, f"plug-in {name}")
    return _INSTALLED.setdefault(name, source_of_module(name, module))


def _raise_told(error: BaseException, path: str) -> NoReturn:
    """Raise what the user is told of a plug-in that cannot be executed; a signal goes its own way."""
    if is_signal(error):
        raise error
    raise fault_of(error, path.__eq__, path) from None


def _all_entries() -> list[tuple[str, Entry[Any]]]:
    """Return what is registered beside what comes with nntrain."""
    registries = [registry_of(kind) for kind in kinds()]
    return [
        (registry.kind, entry)
        for registry in registries
        for name, entry in registry.entries().items()
        if not registry.is_of_nntrain(name)
    ]


def _is_within(entry: Entry[Any], source: Source) -> bool:
    """Return whether a class is of an entry point's module, which the program may have imported before."""
    home = source.module.__name__ if source.module else None
    return home is not None and (entry.factory.__module__ == home or entry.factory.__module__.startswith(f"{home}."))


def _check(plugin: Plugin) -> None:
    if not plugin.entries:
        raise ConfigError(
            f"it registers nothing: no {', no '.join(kinds())}",
            path=plugin.source.path,
            line=1,
            help="a layer is registered by @LAYERS.register('its_name') above its class",
        )
    for kind, entry in plugin.entries:
        reason = _fault_of_constructor(entry)
        if reason is not None:
            raise ConfigError(f"{kind} {quote(entry.name)}: {reason}", **plugin.place_of(entry.factory))


def _fault_of_constructor(entry: Entry[Any]) -> str | None:
    """Return why a config cannot give a constructor its arguments, or None."""
    try:
        names = [argument.name for argument in entry.arguments]
    except Exception as error:
        return f"the annotations of its constructor cannot be read: {type(error).__name__}: {error}"
    parameters = inspect.signature(entry.factory).parameters.values()
    nameless = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY or p.name == "name"]
    if nameless:
        return f"a config cannot give the argument {quote(nameless[0])} of its constructor; call it another name"
    strange = [name for name in entry.preset if name not in names]
    return f"its constructor has no argument {enumerate_names(strange)}" if strange else None


def _enter(plugin: Plugin) -> None:
    """Register again what a plug-in registered when it was executed."""
    entered: list[tuple[str, Entry[Any]]] = []
    for kind, entry in plugin.entries:
        try:
            registry_of(kind).enter(entry)
        except NntrainError as error:
            _withdraw(entered)
            raise ConfigError(error.problems[0].message, **plugin.place_of(entry.factory)) from None
        entered.append((kind, entry))


def _withdraw(entries: Sequence[tuple[str, Entry[Any]]]) -> None:
    for kind, entry in entries:
        registry_of(kind).forget(entry.name)
