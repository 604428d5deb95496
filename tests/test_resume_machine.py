"""Whatever is done to a run, in any order, it ends with the bytes of the run that nothing was done to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nntrain.cli.fitting import new_run
from nntrain.cli.resuming import assemble_again
from nntrain.config import load_config
from nntrain.errors import RunError
from nntrain.evaluating import evaluate_csv
from nntrain.experiment import Experiment, assemble
from nntrain.fitting import train
from nntrain.runs import checkpoint
from nntrain.runs.run import Run
from tests.trainings import Unseen, after, digest, fit

MOST_EPOCHS = 7


class Killed(BaseException):
    """Stands for kill -9: nothing more is written."""


class Runs(RuleBasedStateMachine):
    """A small run that is stopped, killed, damaged, judged and prolonged."""

    wholes: dict[int, dict[str, bytes]]
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=self.folder)) / "run"
        self.epochs = 3
        self.committed = 0

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.train(lambda: None)
            assert Run.open(self.place).status == "finished"
            assert digest(self.place) == self.whole(self.epochs)

    def whole(self, epochs: int) -> dict[str, bytes]:
        """Return the bytes of a run of so many epochs that nothing was done to."""
        if epochs not in self.wholes:
            fit(self.folder / "small.yaml", self.folder / f"whole-{epochs}", overrides=(f"epochs={epochs}",))
            self.wholes[epochs] = digest(self.folder / f"whole-{epochs}")
        return self.wholes[epochs]

    def train(self, interrupted: Callable[[], str | None], saves: int | None = None) -> None:
        """Train from the start or on; killed where it would save once more than ``saves``."""
        if self.place.exists():
            run = Run.open(self.place)
            config = load_config(str(self.place / "config.yaml"), [f"epochs={self.epochs}"])
            experiment = assemble_again(config, run)
            with run.locked():
                run.notices()
                self.train_in(run, experiment, interrupted, saves)
        else:
            experiment = assemble(load_config(str(self.folder / "small.yaml"), [f"epochs={self.epochs}"]))
            with new_run(experiment, "", str(self.place)) as run:
                self.train_in(run, experiment, interrupted, saves)

    def train_in(
        self, run: Run, experiment: Experiment, interrupted: Callable[[], str | None], saves: int | None
    ) -> None:
        left, save_last = [saves], run.checkpoints.save_last

        def save(arrays: Any, state: Any) -> None:
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
            save_last(arrays, state)

        run.checkpoints.save_last = save  # type: ignore[method-assign]
        try:
            train(experiment, run, lambda trainer: Unseen(), interrupted)
        except Killed:
            run._say_how_it_ended = lambda error: None  # type: ignore[method-assign]
        finally:
            self.committed = max(self.committed, self.sound_epoch())

    def sound_epoch(self) -> int:
        """Return the epoch that the newest sound checkpoint stands in."""
        for name in ("last", "previous"):
            try:
                return int(checkpoint.load(self.place / "checkpoints" / f"{name}.safetensors")[1]["epoch"])
            except RunError:
                continue
        return 0

    @rule(updates=st.integers(0, 9))
    def stop_after(self, updates: int) -> None:
        self.train(after(updates))

    @rule(saves=st.integers(0, 6))
    def kill_before_a_save(self, saves: int) -> None:
        self.train(lambda: None, saves)

    @precondition(lambda self: self.has("last") and self.has("previous"))
    @rule(share=st.floats(0, 0.999), bit=st.integers(0, 7), cut=st.booleans())
    def damage_the_newest(self, share: float, bit: int, cut: bool) -> None:
        path = self.place / "checkpoints" / "last.safetensors"
        previous = self.place / "checkpoints" / "previous.safetensors"
        try:
            checkpoint.load(previous)
            checkpoint.load(path)
        except RunError:
            return  # one of the two is left, as ever
        content = bytearray(path.read_bytes())
        at = int(share * len(content))
        content[at] ^= 1 << bit
        path.unlink()  # it may be a second name of the previous one
        path.write_bytes(content[:at] if cut else content)
        self.committed = self.sound_epoch()

    @precondition(lambda self: self.place.exists())
    @rule(name=st.sampled_from([".last.safetensors.tmp-0123abcd", "checkpoints/.last.safetensors.tmp-89abcdef"]))
    def leave_a_temporary_file(self, name: str) -> None:
        (self.place / name).write_bytes(b"half")

    @precondition(lambda self: self.has("best"))
    @rule()
    def judge(self) -> None:
        before = digest(self.place)
        first, again = (
            evaluate_csv(Run.open(self.place), str(self.folder / "data.csv"), "best", "error") for _ in "ab"
        )
        assert first.document == again.document
        assert digest(self.place) == before

    @precondition(lambda self: self.epochs < MOST_EPOCHS)
    @rule(more=st.integers(1, 2))
    def prolong(self, more: int) -> None:
        self.epochs = min(MOST_EPOCHS, self.epochs + more)

    def has(self, name: str) -> bool:
        return (self.place / "checkpoints" / f"{name}.safetensors").exists()

    @invariant()
    def nothing_committed_is_lost(self) -> None:
        if not hasattr(self, "place") or not self.place.exists():
            return
        assert self.sound_epoch() >= self.committed
        epochs = [row["epoch"] for row in Run.open(self.place).read_metrics()]
        assert epochs == list(range(1, len(epochs) + 1))
        assert len(epochs) >= self.committed


def test_nothing_done_to_a_run_changes_how_it_ends(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = [[*(f"{value:.4f}" for value in generator.standard_normal(2) + i % 2), "xy"[i % 2]] for i in range(24)]
    (tmp_path / "data.csv").write_text("\n".join(",".join(row) for row in [["a", "b", "kind"], *rows]) + "\n")
    config: dict[str, Any] = {
        "data": {"train": "data.csv", "target": "kind", "validation": 0.25},
        "architecture": {"name": "mlp", "hidden": [3], "dropout": 0.2},
        "optimizer": {"name": "adam", "learning_rate": 0.05},
        "batch_size": 8,
        "checkpoint": {"every_seconds": 0.0},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    class Machine(Runs):
        folder = tmp_path
        wholes: dict[int, dict[str, bytes]] = {}  # noqa: RUF012 - shared by all runs of this test

    case = Machine.TestCase()
    case.settings = settings(
        max_examples=12, stateful_step_count=8, deadline=None, derandomize=True, phases=[Phase.generate]
    )
    case.runTest()
