"""Whole trainings in run directories, stopped and gone on with: what tests of exact resume share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nntrain.cli.fitting import new_run
from nntrain.cli.rerunning import COMPARED
from nntrain.cli.resuming import assemble_again
from nntrain.config import load_config
from nntrain.experiment import assemble
from nntrain.fitting import Outcome, train
from nntrain.runs.run import Run


class Unseen:
    def updated(self) -> None:
        pass

    def epoch_ended(self, row: Any) -> None:
        pass


def fit(
    path: Path,
    run_dir: Path,
    interrupted: Callable[[], str | None] = lambda: None,
    fold: int | None = None,
    overrides: tuple[str, ...] = (),
) -> Run:
    experiment = assemble(load_config(str(path), overrides), fold)
    with new_run(experiment, "", str(run_dir), fold=fold) as run:
        train(experiment, run, lambda trainer: Unseen(), interrupted)
    return run


def go_on(run_dir: Path, interrupted: Callable[[], str | None] = lambda: None) -> Outcome:
    run = Run.open(run_dir)
    experiment = assemble_again(load_config(str(run_dir / "config.yaml")), run)
    with run.locked():
        run.notices()
        return train(experiment, run, lambda trainer: Unseen(), interrupted)


def after(updates: int) -> Callable[[], str | None]:
    """Return what asks to stop after so many updates."""
    left = [updates]

    def interrupted() -> str | None:
        left[0] -= 1
        return "SIGINT" if left[0] < 0 else None

    return interrupted


def digest(run_dir: Path) -> dict[str, bytes]:
    return {name: (run_dir / name).read_bytes() for name in COMPARED}


def stop_at_every_update(place: Path, path: Path, fold: int | None = None) -> None:
    """Train once through, and once stopped after every single update; both must end with the same bytes."""
    fit(path, place / "whole", fold=fold)
    fit(path, place / "pieces", after(1), fold)
    for _ in range(200):
        if go_on(place / "pieces", after(1)).state.status != "interrupted":
            break
    assert Run.open(place / "pieces").status in ("finished", "early_stopped")
    assert digest(place / "pieces") == digest(place / "whole")
    whole, pieces = Run.open(place / "whole").info, Run.open(place / "pieces").info
    for key in ("status", "stop_reason", "epoch", "best_epoch", "metrics", "test"):
        assert whole[key] == pieces[key], key
