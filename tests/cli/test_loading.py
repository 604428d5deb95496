"""The collector and the environment while a command loads its modules."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nntrain.cli.loading import loading

PROGRAM = """
import gc, sys
from nntrain.cli import main
sys.argv = ["nntrain", "list", "schedule"]
import nntrain.cli.list_command as command
seen = []
kept = command.command.callback
def watched(*arguments, **options):
    seen.append(gc.isenabled())
    kept(*arguments, **options)
    seen.append(gc.isenabled() and gc.get_freeze_count() > 10_000)
command.command.callback = watched
try:
    main()
finally:
    print(seen, file=sys.stderr)
"""


@pytest.fixture
def collector() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_a_collector_that_is_off_comes_back_and_passes_over_what_was_loaded() -> None:
    gc.disable()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000


@pytest.mark.usefixtures("collector")
def test_the_collector_of_another_program_is_left_alone() -> None:
    gc.unfreeze()
    with loading():
        assert gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_command_loads_without_the_collector_and_works_with_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "[False, True]"


def test_a_setting_of_the_users_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "logfire-plugin")
    with loading():
        pass
    assert os.environ["PYDANTIC_DISABLE_PLUGINS"] == "logfire-plugin"
