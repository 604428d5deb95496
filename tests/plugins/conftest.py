"""Projects with a plug-in, which no test leaves known to another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nntrain.cli.entry import run as command
from nntrain.plugins import forget_plugins
from tests.plugged import project


@pytest.fixture(autouse=True)
def _no_plugins_left() -> Iterator[None]:
    forget_plugins()
    yield
    forget_plugins()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory, which holds the project."""
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a run, as the current directory."""
    (tmp_path / "ran").mkdir()
    monkeypatch.chdir(tmp_path / "ran")
    project(tmp_path / "ran")
    assert command(["fit", "config.yaml", "-q", "--run-dir", "run"]) == 0
    return tmp_path / "ran"
