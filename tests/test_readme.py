"""Every block of the README is executed: what it shows is what happens."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(mark: str) -> list[str]:
    """Return the fenced blocks that follow ``<!-- mark ... -->``."""
    return re.findall(rf"<!-- {mark}[^\n]*-->\n```\w+\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("readme")
    for name in ("configs", "datasets"):
        shutil.copytree(ROOT / name, place / name)
    return place


def nntrain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nntrain", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def masked(text: str) -> list[str]:
    """Return the words of each line with numbers masked: the last digits may differ between processors.

    The four hexadecimal digits that end the name of a run change each time, and one name in fifty has letters only.
    """
    without_names = re.sub(r"(runs/\S+-)[0-9a-f]{4}\b", r"\1#", text)
    return [re.sub(r"[0-9a-f]*[0-9][0-9a-f.]*", "#", line).split() for line in without_names.strip().splitlines()]


def test_names_of_runs_are_masked_whatever_their_digits() -> None:
    assert masked("run: runs/iris_mlp-20260101-101010-bcce") == masked("run: runs/iris_mlp-20261121-235959-07a2")


def test_the_shown_output_of_fit_is_real(folder: Path) -> None:
    (shown,) = blocks("output: nntrain fit configs/iris_mlp.yaml")
    done = nntrain(folder, "fit", "configs/iris_mlp.yaml")
    assert done.returncode == 0, done.stderr
    assert masked(done.stdout) == masked(shown)


def test_the_commands_run_one_after_the_other(folder: Path) -> None:
    (script,) = blocks("executed")
    for line in script.strip().splitlines():
        program = f'nntrain() {{ "{sys.executable}" -m nntrain "$@"; }}; set -e; {line}'
        done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.parametrize("number", range(len(blocks("config"))))
def test_the_configs_train(folder: Path, number: int) -> None:
    (folder / "shown.yaml").write_text(blocks("config")[number], encoding="utf-8")
    done = nntrain(folder, "fit", "shown.yaml", "--set", "epochs=2", "--quiet")
    assert done.returncode == 0, done.stderr


def test_the_shown_errors_are_real(folder: Path) -> None:
    (config,) = blocks("broken")
    (shown,) = blocks("errors")
    (folder / "broken.yaml").write_text(config, encoding="utf-8")
    done = nntrain(folder, "fit", "broken.yaml")
    assert done.returncode == 2
    assert done.stderr == shown


def test_the_plug_in_passes_its_checks_and_trains(folder: Path) -> None:
    (folder / "my_layers.py").write_text(blocks("own: plug-in")[0], encoding="utf-8")
    (folder / "own.yaml").write_text(blocks("own: config")[0], encoding="utf-8")
    checked = nntrain(folder, "check-plugin", "my_layers.py")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == blocks("own: report")[0]
    for line in blocks("own: commands")[0].strip().splitlines():
        done = nntrain(folder, *line.split()[1:])
        assert done.returncode == 0, done.stderr


def test_the_config_table_lists_every_config() -> None:
    listed = set(re.findall(r"\(configs/(\w+\.yaml)\)", README))
    assert listed == {path.name for path in (ROOT / "configs").glob("*.yaml")}


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
