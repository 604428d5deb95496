"""What all tests share."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# One BLAS thread: results do not depend on the machine's cores, and workers of a parallel run do not fight for them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a first example pays for imports, and other processes may hold the processor.
settings.register_profile("nntrain", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nntrain")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the cache of all tests, and of the commands they start, apart from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNTRAIN_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture
def scripts() -> str:
    """Return the folder whose modules :func:`load` imports."""
    return "reliability"


@pytest.fixture
def load(scripts: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Import a module of a folder of scripts, which is no package; nothing of them is left behind."""
    tool = Path(__file__).parent.parent / scripts
    monkeypatch.syspath_prepend(str(tool))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and tool in Path(file).parents:
            del sys.modules[name]
