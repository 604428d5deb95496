"""The rooms of docs/architecture.md: imports go downwards, modules stay small, nothing is named utils."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import nntrain

ROOT = Path(nntrain.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

LEVELS: dict[str, float] = {
    "errors": 0, "explaining": 0.2, "__init__": 0,
    "registry": 0.5, "blas": 0.5, "gathering": 0.5, "user_files": 0.5, "plugins": 0.8,
    "core": 1,
    "layers": 2, "losses": 2, "optim": 2, "metrics": 2, "data": 2, "testing": 3.5,
    "models": 3, "train": 3, "config": 3, "runs": 3, "graph": 3,
    "planning": 3.7, "trial": 3.7, "footprint": 3.7, "agreement": 3.8, "idle": 3.8,
    "experiment": 4, "inference": 4, "fitting": 5, "evaluating": 5, "starter": 5,
    "replaying": 6, "repeats": 6, "cli": 7, "__main__": 8,
}  # fmt: skip

# The recipes of models name layers and ask losses for the number of outputs; the training step holds a loss, an
# optimizer, metrics and data: that is the level below. Within a level only these may meet.
WITHIN_LEVEL = {("inference", "experiment")}


def room(module: Path) -> str:
    first = module.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported_rooms(module: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "nntrain":
                names = [f"nntrain.{alias.name}" for alias in node.names if (ROOT / alias.name).exists()]
                names += [f"nntrain.{alias.name}" for alias in node.names if (ROOT / f"{alias.name}.py").exists()]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("nntrain.")}
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_imports_go_downwards(module: Path) -> None:
    own = room(module)
    for other in imported_rooms(module) - {own}:
        allowed = LEVELS[other] < LEVELS[own] or (own, other) in WITHIN_LEVEL
        assert allowed, f"{module.relative_to(ROOT)} of {own} imports {other}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_modules_are_small(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 350
    assert module.stem not in {"utils", "helpers", "common", "misc", "manager"}


def test_every_module_has_a_room() -> None:
    assert {room(module) for module in MODULES} <= set(LEVELS)
