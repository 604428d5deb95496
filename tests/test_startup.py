"""What each command loads, module by module: an import that need not be there is a failure that says who brought it in.

Never by time: a list of modules says the same on every machine.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import nntrain
from nntrain.registry import kinds, registry_of

ROOT = Path(__file__).parent.parent
PACKAGE = Path(nntrain.__file__).parent
IRIS = str(ROOT / "configs" / "iris_mlp.yaml")
CSV = str(ROOT / "datasets" / "iris.csv")

PYDANTIC = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
CONFIG = {"yaml", "_yaml"} | PYDANTIC
ANNOTATIONS = {"annotated_types", "typing_extensions"}  # of the constructors' arguments

# Of the standard library, what costs most and a short command has no use for.
LARGE = {
    "asyncio", "cProfile", "doctest", "ensurepip", "http", "multiprocessing", "pdb", "pydoc", "smtplib", "sqlite3",
    "ssl", "tkinter", "unittest", "urllib.request", "wsgiref", "xml", "xmlrpc",
}  # fmt: skip
# Of NumPy, what its own __init__ leaves out; numpy.random is the one of these that a training needs.
NUMPY_EXTRAS = {f"numpy.{name}" for name in ("ma", "testing", "polynomial", "fft", "f2py", "ctypeslib", "char", "rec")}

ROOMS_OF_NETWORKS = {
    "cli",
    "errors",
    "explaining",
    "gathering",
    "blas",
    "registry",
    "core",
    "data",
    "layers",
    "losses",
    "metrics",
    "models",
    "train",
    "user_files",
}
ROOMS_OF_CHECKS = {"planning", "agreement", "idle", "footprint", "experiment"}
ROOMS_OF_EXPERIMENTS = {*ROOMS_OF_NETWORKS, "config", "optim", *ROOMS_OF_CHECKS}
ROOMS_OF_CONFIGS = ROOMS_OF_EXPERIMENTS - ROOMS_OF_CHECKS - {"data"}
ROOMS_OF_RUNS = {"cli", "errors", "explaining", "blas", "runs", "core", "user_files"}

# What a command may load: third-party packages, and rooms of ours.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "--help": ({"click"}, {"cli", "errors", "explaining"}),
    "--version": ({"click"}, {"cli", "errors", "explaining"}),
    "fit --help": ({"click"}, {"cli", "errors", "explaining", "blas"}),
    "eval -h": ({"click"}, {"cli", "errors", "explaining", "blas"}),
    "check CONFIG": ({"click", "numpy"} | CONFIG, ROOMS_OF_EXPERIMENTS),
    "fit CONFIG -q --dry-run": ({"click", "numpy"} | CONFIG, ROOMS_OF_EXPERIMENTS | {"runs", "inference", "fitting"}),
    "fit CONFIG -q --set epochs=2 --run-dir NEW": (
        {"click", "numpy", "threadpoolctl", "filelock"} | CONFIG,
        ROOMS_OF_EXPERIMENTS | {"runs", "inference", "fitting"},
    ),
    "eval RUN CSV": ({"click", "numpy"} | ANNOTATIONS, ROOMS_OF_NETWORKS | {"runs", "inference", "evaluating"}),
    "predict RUN CSV": ({"click", "numpy"} | ANNOTATIONS, ROOMS_OF_NETWORKS | {"runs", "inference", "evaluating"}),
    "show RUN": ({"click", "numpy"} | ANNOTATIONS, ROOMS_OF_NETWORKS | {"runs", "inference", "evaluating"}),
    "runs": ({"click"}, ROOMS_OF_RUNS),
    "compare RUN RUN": ({"click", "numpy", "yaml", "_yaml"}, ROOMS_OF_RUNS | {"config"}),
    "new CSV --target species -o NEW": ({"click", "numpy"} | ANNOTATIONS, {*ROOMS_OF_NETWORKS, "starter", "runs"}),
    "list": ({"click", "numpy"} | PYDANTIC, ROOMS_OF_CONFIGS),
    "schema": ({"click", "numpy"} | PYDANTIC, ROOMS_OF_CONFIGS),
}

# Of the modules that register something, those that iris_mlp.yaml names, and those that the code itself asks for.
NAMED = {
    "models.mlp", "layers.sequential", "layers.dense", "layers.rectifiers", "losses.classification", "optim.adam",
    "optim.schedules", "metrics.classification", "train.callbacks.early_stopping",
}  # fmt: skip
STANDARD_METRICS = {"metrics.probability", "metrics.ranking", "metrics.agreement"}


@cache
def loaded(*arguments: str) -> frozenset[str]:
    """Return the modules that a command imports, as ``-X importtime`` lists them."""
    lines = run(sys.executable, "-X", "importtime", "-m", "nntrain", *arguments).splitlines()
    found = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    # What was looked for and is not there is listed too, as well as the header.
    there = {name for name in {name.split(".")[0] for name in found} if importlib.util.find_spec(name) is not None}
    return frozenset(name for name in found if name.split(".")[0] in there)


def run(*command: str) -> str:
    """Return what a command tells on stderr, with the BLAS as it comes: another would be told of, and looked up."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stderr


@cache
def of_python() -> frozenset[str]:
    """Return what Python itself loads here, and what is installed beside it to be loaded with it."""
    lines = run(sys.executable, "-X", "importtime", "-c", "import runpy").splitlines()
    return frozenset(line.rpartition("|")[2].strip() for line in lines)


def is_of_python(name: str) -> bool:
    top = name.split(".")[0]
    return top in sys.stdlib_module_names or top.startswith("_sysconfigdata") or name in of_python()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("startup") / "run"
    run(sys.executable, "-m", "nntrain", "fit", IRIS, "-q", "--set", "epochs=1", "--run-dir", str(folder))
    return folder


@pytest.fixture(params=ALLOWED)
def command(request: pytest.FixtureRequest, trained: Path) -> tuple[str, tuple[str, ...]]:
    """A command line of the table above, and the same with the names of files."""
    return request.param, with_files(request.param, trained)


def with_files(line: str, trained: Path) -> tuple[str, ...]:
    new = trained.parent / f"new-{line.replace(' ', '')}"
    words = {"CONFIG": IRIS, "CSV": CSV, "RUN": str(trained), "NEW": str(new)}
    return tuple(words.get(word, word) for word in line.split())


# Tells of each module that is asked for who asks first, by the files and lines of ours and of packages on the way.
_WATCH = """
import runpy, sys, traceback
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in WANTED:
            way = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_stack()]
            way = [step for step in way if not any(part in step for part in ("importlib", "runpy", "<string>"))]
            print("WAY", name, "came in through", " > ".join(way[-6:]), file=sys.__stderr__)
WANTED, sys.argv = set(sys.argv[1].split(",")), ["nntrain", *sys.argv[2:]]
sys.meta_path.insert(0, Watch())
runpy.run_module("nntrain", run_name="__main__", alter_sys=True)
"""


def brought_in(names: set[str], arguments: tuple[str, ...]) -> str:
    """Return one line for each module that came in and should not have, with its way."""
    if not names:
        return ""
    arguments = tuple(f"{word}-again" if f"{os.sep}new-" in word else word for word in arguments)
    done = subprocess.run([sys.executable, "-c", _WATCH, ",".join(names), *arguments], capture_output=True, text=True)
    return "\n".join(line[4:] for line in done.stderr.splitlines() if line.startswith("WAY "))


def test_only_the_packages_that_a_command_needs(command: tuple[str, tuple[str, ...]]) -> None:
    line, arguments = command
    allowed = {*ALLOWED[line][0], "nntrain"}
    strangers = {name for name in loaded(*arguments) if name.split(".")[0] not in allowed and not is_of_python(name)}
    assert not strangers, brought_in(strangers, arguments)


def test_only_the_rooms_that_a_command_needs(command: tuple[str, tuple[str, ...]]) -> None:
    line, arguments = command
    ours = {name for name in loaded(*arguments) if name.startswith("nntrain.")}
    strangers = {name for name in ours if name.split(".")[1] not in ALLOWED[line][1]}
    assert not strangers, brought_in(strangers, arguments)


def test_nothing_large_of_the_standard_library_and_of_numpy(command: tuple[str, tuple[str, ...]]) -> None:
    large = (loaded(*command[1]) & (LARGE | NUMPY_EXTRAS)) - of_python()
    assert not large, brought_in(large, command[1])


@pytest.mark.parametrize("line", ALLOWED)
def test_no_package_is_allowed_for_nothing(line: str, trained: Path) -> None:
    tops = {name.split(".")[0] for name in loaded(*with_files(line, trained))}
    assert ALLOWED[line][0] - {"_yaml"} <= tops


@pytest.mark.parametrize(
    ("line", "also"),
    [
        ("check CONFIG", set()),
        ("fit CONFIG -q --set epochs=2 --run-dir NEW", set()),
        ("eval RUN CSV", STANDARD_METRICS),
        ("predict RUN CSV", set()),
    ],
)
def test_only_what_the_config_names(line: str, also: set[str], trained: Path) -> None:
    arguments = with_files(line, trained)
    registering = {f"nntrain.{name}" for name in registering_modules()}
    strangers = (registering & loaded(*arguments)) - {f"nntrain.{name}" for name in NAMED | also}
    assert not strangers, brought_in(strangers, arguments)


def test_an_import_that_should_not_be_is_told_with_its_way() -> None:
    told = brought_in({"click.core"}, ("--help",))
    assert told.startswith("click.core came in through ")
    assert "cli/entry.py:" in told


def registering_modules() -> dict[str, list[str]]:
    """Return the names that modules register, by module, as their packages list them."""
    listed: dict[str, list[str]] = {}
    for kind in kinds():
        package = registry_of(kind)._package
        names = getattr(importlib.import_module(package), "NAMES", {})
        listed |= {f"{package}.{module}".removeprefix("nntrain."): [] for module in names.get(kind, {})}
        for module, registered in names.get(kind, {}).items():
            listed[f"{package}.{module}".removeprefix("nntrain.")] += registered
    return listed


def test_a_mistake_in_the_command_is_told_before_anything_heavy_is_loaded() -> None:
    program = "import sys; from nntrain.cli.entry import run; run(['fti']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "pydantic", "yaml", "safetensors", "tqdm", "filelock", "threadpoolctl", "pyarrow"}
    assert not set(done.stdout.split()) & heavy
