"""Names to classes: what is listed is what is there, and a module is loaded when one of its names is used."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from collections import defaultdict

import pytest

from nntrain.errors import ConfigError
from nntrain.losses.base import LOSSES, Loss
from nntrain.optim.base import OPTIMIZERS
from nntrain.registry import Registry, kinds, registry_of

PACKAGES = ["layers", "losses", "optim", "metrics", "models", "train.callbacks"]


def imported_with(*names: str, kind: str) -> set[str]:
    """Return the modules of ours that are loaded once some names of a kind were got."""
    program = f"import sys; from nntrain.registry import registry_of\nfor n in {names}: registry_of({kind!r}).get(n)\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.removeprefix("nntrain.") for name in done.stdout.split() if name.startswith("nntrain.")}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_lists_what_its_modules_register(name: str) -> None:
    package = importlib.import_module(f"nntrain.{name}")
    modules = [found.name for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    for module in modules:
        importlib.import_module(module)
    registered: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for kind in kinds():
        for entry in registry_of(kind)._entries.values():
            home, _, module_name = entry.factory.__module__.rpartition(".")
            if home == package.__name__:
                registered[kind][module_name].append(entry.name)
    listed = {kind: {module: sorted(names) for module, names in found.items()} for kind, found in package.NAMES.items()}
    assert listed == {kind: {m: sorted(names) for m, names in found.items()} for kind, found in registered.items()}


@pytest.mark.parametrize("kind", kinds())
def test_every_listed_name_can_be_got(kind: str) -> None:
    registry = registry_of(kind)
    assert registry.names() == sorted(registry.names())
    for name in registry.names():
        assert name in registry
        assert registry.get(name).name == name
        assert issubclass(registry.get(name).factory, registry.base)


def test_a_name_loads_its_module_and_no_other() -> None:
    found = imported_with("adamw", "momentum", kind="optimizer")
    assert {"optim.adam", "optim.sgd"} <= found
    assert not {"optim.lion", "optim.rmsprop", "optim.annealing"} & found


def test_listing_the_names_loads_none() -> None:
    program = "import sys; from nntrain.registry import *\nprint(*registry_of('layer').names(), '|', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names, _, modules = done.stdout.partition("|")
    assert {"dense", "lstm"} <= set(names.split())
    assert not {"nntrain.layers.dense", "nntrain.layers.lstm"} & set(modules.split())


def test_an_unknown_name_is_told_with_all_that_are_known() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown optimizer 'adan'; did you mean 'adam'\? \(known: adadelta, adagrad"
    ):
        OPTIMIZERS.get("adan")


def test_a_name_is_registered_once_though_its_module_is_not_loaded_yet() -> None:
    program = """
from nntrain.errors import ConfigError
from nntrain.losses.base import LOSSES, Loss
try:
    @LOSSES.register("poisson")
    class Mine(Loss): pass
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "loss 'poisson' is registered already, by nntrain.losses.counts.Poisson" in done.stdout


def test_what_a_plug_in_registers_stands_beside_what_is_listed() -> None:
    @LOSSES.register("of_a_plug_in")
    class OfAPlugIn(Loss):
        """A loss of a user's."""

    try:
        assert "of_a_plug_in" in LOSSES
        assert "of_a_plug_in" in LOSSES.names()
        assert LOSSES.get("of_a_plug_in").factory is OfAPlugIn
        assert LOSSES.name_of(OfAPlugIn) == "of_a_plug_in"
    finally:
        del LOSSES._entries["of_a_plug_in"]


def test_a_registry_whose_package_lists_nothing_has_what_was_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    from nntrain import registry

    monkeypatch.setattr(registry, "_REGISTRIES", {})
    numbers: Registry[object] = Registry("number", object, "numbers")

    @numbers.register("one", value=1)
    class One:
        """The first number."""

    assert numbers.names() == ["one"]
    assert numbers.get("one").preset == {"value": 1}
    assert numbers.get("one").summary == "The first number."
    assert numbers.name_of(One()) == "one"
