"""What faults are put on: a small training, the files it leaves when nothing happens to it, and its commands."""

from __future__ import annotations

import json
import shutil
import time
from functools import cached_property
from pathlib import Path

from process import NNTRAIN, Ended, run

ROOT = Path(__file__).resolve().parent.parent

CONFIG = """
data: {{train: iris.csv, target: species, validation: 0.2}}
architecture: {{name: mlp, hidden: [8, 8], dropout: 0.2, batch_norm: true}}
optimizer: {{name: adam, learning_rate: {{name: cosine, initial: 0.02, warmup_epochs: 1}}}}
metrics: [accuracy, f1_macro]
batch_size: {batch_size}
epochs: {epochs}
checkpoint: {{every_seconds: 0, every_epochs: 1}}
"""
"""With everything that has a state, and a checkpoint after every update."""

COMPARED = ("metrics.jsonl", "checkpoints/last.safetensors", "checkpoints/best.safetensors")
"""Files that are the same after any fault."""


class Lab:
    """A folder with a config, its data, and the run that nothing happened to.

    Args:
        folder: made where it is missing; one that is there is taken as it is.
        epochs: of the training.
        batch_size: of the training.
    """

    def __init__(self, folder: Path, epochs: int, batch_size: int) -> None:
        self.folder, self.epochs, self.batch_size = folder, epochs, batch_size
        self.reference = folder / "reference"
        self.config = folder / "config.yaml"
        if not self.reference.exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "datasets" / "iris.csv", folder)
            self.config.write_text(CONFIG.format(epochs=epochs, batch_size=batch_size), encoding="utf-8")
            self._train(self.reference)

    def _train(self, place: Path) -> None:
        done = run(self.fit(place))
        if done.code:
            raise SystemExit(f"the training that nothing happens to failed:\n{done.stderr}")

    @cached_property
    def seconds(self) -> float:
        """How long the training takes, from the start of the process to its end."""
        place = self.case(999_999) / "run"
        started = time.monotonic()
        self._train(place)
        return time.monotonic() - started

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Content of the files that are compared."""
        return {name: (self.reference / name).read_bytes() for name in COMPARED}

    def fit(self, place: Path) -> list[str]:
        """Return the command that trains."""
        return [*NNTRAIN, "fit", str(self.config), "--run-dir", str(place)]

    def resume(self, place: Path) -> list[str]:
        """Return the command that goes on."""
        return [*NNTRAIN, "fit", "--resume", str(place)]

    def case(self, number: int) -> Path:
        """Return a fresh folder for a case; all have paths of the same length."""
        folder = self.folder / f"case-{number:06}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def judge(self, place: Path) -> list[str]:
        """Return what is wrong after a fault, which is nothing: it can be shown, and goes on to the same bytes."""
        if not place.is_dir():  # it had not begun: the same command again
            return self._judge_end(place, run(self.fit(place)))
        shown = run([*NNTRAIN, "show", str(place)])
        problems = [f"show: {problem}" for problem in shown.problems(0, 4)]
        return problems + self._judge_end(place, run(self.resume(place)))

    def _judge_end(self, place: Path, done: Ended) -> list[str]:
        problems = [f"resume: {problem}" for problem in done.problems(0)]
        return problems or self.differences(place) + leftovers(place)

    def differences(self, place: Path) -> list[str]:
        """Return in what the files of a finished run differ from those of the run that nothing happened to."""
        found = []
        for name, content in self.files.items():
            path = place / name
            if not path.is_file() or path.read_bytes() != content:
                found.append(f"{name} differs from that of the run without a fault")
        rows = (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines() if not found else []
        if not found and [json.loads(row)["epoch"] for row in rows] != list(range(1, self.epochs + 1)):
            found.append("metrics.jsonl does not hold each epoch once")
        return found


def leftovers(place: Path) -> list[str]:
    """Return the temporary files in a run directory."""
    return [f"left behind: {path.name}" for path in sorted(place.rglob("*")) if ".tmp" in path.name]


class Unseen:
    """Watches a training of this very process that nobody looks at."""

    def updated(self) -> None:
        pass

    def epoch_ended(self, row: object) -> None:
        pass
