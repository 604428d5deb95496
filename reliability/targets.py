"""What is fuzzed: each reader of files that come from elsewhere, and the files its inputs are made of.

A target's ``read`` gets bytes and shall return, or raise an error of ours. It works in a folder of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lab import Unseen
from mutations import mutated, mutated_plain

ROOT = Path(__file__).resolve().parent.parent
FAULTS = ROOT / "tests" / "faults"
SMALL = 20_000
"""Bytes of a data set's head that mutations start from."""


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        seeds: returns the files that inputs are made of.
        read: reads an input, with a folder that it may use.
        make: returns an input, from the seeds.
        ending: of the files that findings are kept as.
    """

    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes, Path], object]
    make: Callable[[Sequence[bytes], random.Random], bytes]
    ending: str


def of_bytes(seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Return a seed with its bytes changed."""
    return mutated(source.choice(seeds), seeds, source)


def of_values(seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Return a seed, which is JSON, with its values changed, or one time in four with its bytes changed."""
    seed = source.choice(seeds)
    if source.random() < 0.25:
        return mutated(seed, seeds, source)
    return json.dumps(mutated_plain(json.loads(seed), source)).encode()


def read_config(content: bytes, folder: Path) -> object:
    """Read a config, and what it writes about itself."""
    from nntrain.config.dump import dump_yaml
    from nntrain.config.load import parse_document
    from nntrain.config.schema import config_from

    return dump_yaml(config_from(parse_document(content, "fuzz.yaml")).resolved())


def read_csv(content: bytes, folder: Path) -> object:
    """Read a table, each column of it in each way."""
    from nntrain.data.cache import reading_anew
    from nntrain.data.table import read_table
    from nntrain.errors import DataError

    (folder / "fuzz.csv").write_bytes(content)
    with reading_anew():
        table = read_table([str(folder / "fuzz.csv")], None, ["fuzz.csv"])
    for column in table:
        column.text()
        column.missing(numeric=True)
        try:
            column.numbers()
        except DataError:
            continue
        column.integers()
    return table.line(table.rows - 1)


def read_data(content: bytes, folder: Path) -> object:
    """Prepare a table for training: its last column is the target."""
    from nntrain.config.dump import dump_yaml
    from nntrain.config.load import parse_text
    from nntrain.config.schema import config_from
    from nntrain.data.cache import reading_anew
    from nntrain.data.table import read_table
    from nntrain.experiment import assemble

    (folder / "fuzz.csv").write_bytes(content)
    with reading_anew():
        names = read_table([str(folder / "fuzz.csv")], None, ["fuzz.csv"]).names
        values = {"data": {"train": "fuzz.csv", "target": names[-1]}, "architecture": {"name": "mlp", "hidden": [2]}}
        return assemble(config_from(parse_text(dump_yaml(values), "fuzz.yaml"), (), folder))


def read_checkpoint(content: bytes, folder: Path) -> object:
    """Read a checkpoint's layout and its arrays; its checksum is made right, as a forger would."""
    from nntrain.errors import RunError
    from nntrain.runs import checkpoint

    path = folder / "fuzz.safetensors"
    for bytes_ in (content, sealed(content)):
        path.write_bytes(bytes_)
        try:
            checkpoint.inspect(path)
            checkpoint.load(path)
        except RunError:
            continue
    return None


def sealed(content: bytes) -> bytes:
    """Return a checkpoint with the checksum that its bytes have."""
    import zlib

    from nntrain.runs.checkpoint_layout import CHECKSUM_AT, NO_CHECKSUM

    start = 8 + CHECKSUM_AT
    blank = content[:start] + NO_CHECKSUM.encode() + content[start + 8 :]
    return content[:start] + b"%08x" % zlib.crc32(blank) + content[start + 8 :]


def read_model(content: bytes, folder: Path) -> object:
    """Take a network from a checkpoint whose state is odd, and predict with it."""
    from nntrain.evaluating import evaluate_csv, predict_csv

    run = _run_with_state("best", content, folder)
    if run is None:
        return None
    csv = str(ROOT / "datasets" / "iris.csv")
    evaluate_csv(run, csv, "best", "error")
    return predict_csv(run, csv, "best")


def read_training(content: bytes, folder: Path) -> object:
    """Go on with a training from a checkpoint whose state is odd, as ``fit --resume`` does."""
    from nntrain.config import load_config
    from nntrain.experiment import assemble
    from nntrain.fitting import Checkpoints, resume

    run = _run_with_state("last", content, folder)
    if run is None:
        return None
    run.checkpoints.path("previous").unlink(missing_ok=True)  # else it would be used instead
    experiment = assemble(load_config(str(run.path / "config.yaml")))
    return resume(experiment.trainer(run.recorder, Checkpoints(run, experiment), Unseen(), lambda: None), run)


def _run_with_state(name: str, content: bytes, folder: Path) -> Any:
    """Return a run whose checkpoint of a name has the state that JSON holds, None where it holds none."""
    from nntrain.runs import checkpoint, plain_json
    from nntrain.runs.run import Run

    try:
        state = plain_json.parse(content)
    except ValueError:
        return None
    if not isinstance(state, dict):
        return None
    run = Run.open(_copy_of_run(folder))
    arrays, _ = checkpoint.load(_trained() / "checkpoints" / f"{name}.safetensors")
    checkpoint.save(run.checkpoints.path(name), arrays, state)
    return run


def read_run(content: bytes, folder: Path) -> object:
    """List, show and compare a run with an odd run.json."""
    return _read_run("run.json", content, folder)


def read_rows(content: bytes, folder: Path) -> object:
    """List, show and compare a run with an odd metrics.jsonl."""
    return _read_run("metrics.jsonl", content, folder)


def _read_run(name: str, content: bytes, folder: Path) -> object:
    from nntrain.cli.entry import run

    copy = _copy_of_run(folder)
    (copy / name).write_bytes(content)
    for arguments in (
        ["runs", "--runs-dir", str(folder)],
        ["show", str(copy)],
        ["compare", str(copy), str(_trained())],
    ):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = run(["--debug", *arguments])
        if code == 1:
            raise RuntimeError(f"{arguments[0]}: {said.getvalue().strip().splitlines()[-2]}")
    return None


def _copy_of_run(folder: Path) -> Path:
    copy = folder / "run"
    if not copy.exists():
        shutil.copytree(_trained(), copy)
    return copy


@cache
def _trained() -> Path:
    """Return a small run of iris, trained once."""
    import atexit
    import tempfile

    from nntrain.cli.entry import run

    folder = Path(tempfile.mkdtemp(prefix="nntrain-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = "data: {train: %s, target: species}\narchitecture: {name: mlp, hidden: [3]}\nepochs: 2\n"
    (folder / "iris.yaml").write_text(config % json.dumps(str(ROOT / "datasets" / "iris.csv")), encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        failed = run(
            ["fit", str(folder / "iris.yaml"), "--run-dir", str(folder / "trained"), "--quiet", "--threads", "1"]
        )
    if failed:
        raise RuntimeError("iris cannot be trained")
    return folder / "trained"


def _configs() -> list[bytes]:
    return [path.read_bytes() for path in (*ROOT.glob("configs/**/*.yaml"), *FAULTS.glob("*.yaml"))]


def _tables() -> list[bytes]:
    heads = [path.read_bytes()[:SMALL] for path in ROOT.glob("datasets/*.csv")]
    return [*heads, *(path.read_bytes()[:SMALL] for path in FAULTS.glob("*.csv"))]


def _checkpoints() -> list[bytes]:
    return [path.read_bytes() for path in (_trained() / "checkpoints").glob("*.safetensors")]


def _states() -> list[bytes]:
    from nntrain.runs import checkpoint

    return [json.dumps(checkpoint.inspect(_trained() / "checkpoints" / "best.safetensors")[1]).encode()]


def _training_states() -> list[bytes]:
    from nntrain.runs import checkpoint

    return [json.dumps(checkpoint.inspect(_trained() / "checkpoints" / "last.safetensors")[1]).encode()]


def _run_files() -> list[bytes]:
    return [(_trained() / "run.json").read_bytes()]


def _row_files() -> list[bytes]:
    return [(_trained() / "metrics.jsonl").read_bytes()]


TARGETS: dict[str, Target] = {
    "config": Target(_configs, read_config, of_bytes, ".yaml"),
    "csv": Target(_tables, read_csv, of_bytes, ".csv"),
    "data": Target(_tables, read_data, of_bytes, ".csv"),
    "checkpoint": Target(_checkpoints, read_checkpoint, of_bytes, ".safetensors"),
    "model": Target(_states, read_model, of_values, ".json"),
    "training": Target(_training_states, read_training, of_values, ".json"),
    "run": Target(_run_files, read_run, of_values, ".json"),
    "rows": Target(_row_files, read_rows, of_bytes, ".jsonl"),
}
"""Readers by name."""


def describe() -> dict[str, Any]:
    """Return what each target reads, in a sentence."""
    return {name: (target.read.__doc__ or "").splitlines()[0] for name, target in TARGETS.items()}
