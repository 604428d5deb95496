"""Trainings that no memory holds are refused in words, at their place in the config, before any memory is taken."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nntrain import footprint
from nntrain.cli.entry import run
from nntrain.config import load_config
from nntrain.core.network import Network
from nntrain.errors import ConfigError, ResourceError
from nntrain.experiment import Experiment, assemble

ROOT = Path(__file__).parent.parent
MACHINE = 16 * 10**9
MOST = 30_000_000
"""Bytes that a refusal may take; the configs ask for at least a hundred times as much."""

ROWS = "data: {train: table.csv, target: kind}\n"
IMAGES = "data: {train: table.csv, target: kind, image: {height: 4, width: 4}}\n"
SEQUENCES = "data: {train: table.csv, target: kind, sequence: {steps: 8, channels: 2}}\n"
TEXTS = "data: {train: texts.csv, target: kind, columns: {words: {type: text}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a table of 16 numbers a row, and one of texts."""
    values = np.random.default_rng(0).integers(0, 9, (60, 16))
    names = ",".join(f"p{i}" for i in range(16))
    lines = [f"{','.join(map(str, row))},{'abc'[i % 3]}" for i, row in enumerate(values.tolist())]
    (tmp_path / "table.csv").write_text("\n".join([f"{names},kind", *lines]) + "\n")
    texts = [f"a word and {['one', 'two', 'three', 'four'][i % 4]} more,{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "texts.csv").write_text("\n".join(["words,kind", *texts]) + "\n")
    return tmp_path


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every machine that runs these tests be one of 16 GB."""
    memory(monkeypatch, MACHINE)


def memory(monkeypatch: pytest.MonkeyPatch, there: int, limit: int | None = None) -> None:
    monkeypatch.setattr("nntrain.core.memory.memory_bytes", lambda: there)
    monkeypatch.setattr("nntrain.core.memory.memory_limit", lambda: limit)


def experiment_of(folder: Path, text: str) -> Experiment:
    (folder / "c.yaml").write_text(text)
    return assemble(load_config(str(folder / "c.yaml")))


def layers(data: str, *specs: str) -> str:
    return data + "architecture:\n  layers:\n" + "".join(f"    - {spec}\n" for spec in specs)


def network(data: str, spec: str) -> str:
    return f"{data}architecture: {spec}\n"


HUGE = "1" + "0" * 31
POOLED = "global_average_pool"

# Config -> line, and how the message begins behind the place.
TOO_LARGE: dict[str, tuple[str, int, str]] = {
    "upsample": (
        layers(IMAGES, "{name: upsample, factor: 100000}", "flatten"),
        4,
        "architecture.layers.0.factor: upsample_1: an output of 400000 x 400000 x 1 for each row needs 640.0 GB, and"
        " this machine has 16.0 GB",
    ),
    "upsample, pooled again": (
        layers(IMAGES, "relu", "{name: upsample, factor: [3000, 30000]}", POOLED),
        5,
        "architecture.layers.1.factor: what the layers keep of 32 rows of a batch (5.8 GB a row in upsample_1)",
    ),
    "upsample of sequences": (
        layers(SEQUENCES, "{name: upsample, factor: 1000000000}", "last_step"),
        4,
        "architecture.layers.0.factor: upsample_1: an output of 8000000000 x 2 for each row needs 64.0 GB",
    ),
    "upsample by a number that fits no word": (
        layers(IMAGES, f"{{name: upsample, factor: {HUGE}}}", POOLED),
        4,
        f"architecture.layers.0.factor: upsample_1: an output of 4{HUGE[1:]} x 4{HUGE[1:]} x 1 for each row needs more"
        " than 1,000,000 TB",
    ),
    "filters of conv1d": (
        layers(SEQUENCES, "{name: conv1d, filters: 20000000, kernel: 1}", "last_step"),
        4,
        "architecture.layers.0.filters: what the layers keep of 32 rows of a batch (640.0 MB a row in conv1d_1)",
    ),
    "filters of conv2d": (
        layers(IMAGES, "{name: conv2d, filters: 10000000, kernel: 3}", POOLED),
        4,
        "architecture.layers.0.filters: what the layers keep of 256 rows of a batch (160.0 MB a row in conv2d_1)",
    ),
    "stride of conv2d_transpose": (
        layers(IMAGES, "{name: conv2d_transpose, filters: 2, kernel: 3, stride: 30000}", POOLED),
        4,
        "architecture.layers.0.stride: conv2d_transpose_1: an output of 90003 x 90003 x 2 for each row needs 64.8 GB",
    ),
    "kernel of conv2d": (
        layers(IMAGES, "{name: conv2d, filters: 4, kernel: 100000, padding: same}", POOLED),
        4,
        "architecture.layers.0.kernel: conv2d_1: a kernel of 100000 x 100000 x 1 x 4 with its gradient needs 320.0 GB",
    ),
    "filters behind an upsample": (
        layers(IMAGES, "{name: upsample, factor: 1000}", "{name: conv2d, filters: 20, kernel: 5}", POOLED),
        5,
        "architecture.layers.1.filters: what the layers keep of 32 rows of a batch (1.3 GB a row in conv2d_1)",
    ),
    "stride and kernel of conv2d_transpose": (
        layers(IMAGES, "{name: conv2d_transpose, filters: 2, kernel: 30000, stride: 30000}", POOLED),
        4,
        "architecture.layers.0.stride: conv2d_transpose_1: an output of 120000 x 120000 x 2 for each row needs",
    ),
    "windows of conv1d": (
        layers(SEQUENCES, "{name: conv1d, filters: 1, kernel: 300000000, padding: same}", POOLED),
        4,
        "architecture.layers.0.kernel: conv1d_1: a matrix of 8 windows of 600,000,000 numbers for each row",
    ),
    "dilation of conv2d": (
        layers(IMAGES, "{name: conv2d, filters: 2, kernel: 3, padding: same, dilation: 1000000000}", POOLED),
        4,
        "architecture.layers.0.dilation: conv2d_1: an input of 2000000004 x 2000000004 x 1 with its padding needs more",
    ),
    "dilation of 31 digits": (
        layers(SEQUENCES, f"{{name: conv1d, filters: 2, kernel: 3, padding: same, dilation: {HUGE}}}", POOLED),
        4,
        f"architecture.layers.0.dilation: conv1d_1: an input of 2{HUGE[1:-1]}8 x 2 with its padding needs more",
    ),
    "repeats in repeats": (
        layers(IMAGES, "{repeat: 10, layers: [relu, {repeat: 10, layers: [{name: upsample}]}]}", POOLED),
        4,
        "architecture.layers.0.layers.1.layers.0: repeat_1.repeat_2.upsample_4: an output of 65536 x 65536 x 1",
    ),
    "a layer of a branch": (
        layers(ROWS, "{branch: [[relu], [tanh, {name: dense, units: 10000000000}]]}"),
        4,
        "architecture.layers.0.branch.1.1.units: branch_1.sequential_2.dense_1: a kernel of 16 x 10000000000 with its"
        " gradient needs 1.3 TB",
    ),
    "a layer of a residual": (
        layers(ROWS, "relu", "{residual: {layers: [relu], shortcut: [{name: dense, units: 10000000000}]}}"),
        5,
        "architecture.layers.1.residual.shortcut.0.units: residual_1.sequential_1.dense_1: a kernel of 16 x 1000",
    ),
    "dense of one input": (
        layers(ROWS, "{name: dense, units: 1}", "{name: dense, units: 600000000}"),
        3,
        "architecture: a network of 3,000,000,020 parameters (1,800,000,003 of them in dense_3) with their"
        " gradients needs 24.0 GB",
    ),
    "hidden of mlp": (
        network(ROWS, "{name: mlp, hidden: [8, 100000000]}"),
        2,
        "architecture.hidden.1: what the layers keep of one row of a batch (400.0 MB a row in dense_2) beside weights"
        " and gradients needs 24.8 GB",
    ),
    "hidden of autoencoder": (
        network(ROWS, "{name: autoencoder, hidden: [8, 10000000000]}").replace(", target: kind", ", ignore: [kind]"),
        2,
        "architecture.hidden.1: dense_2: a kernel of 8 x 10000000000",
    ),
    "hidden_factor of resnet": (
        network(ROWS, "{name: resnet, width: 16, hidden_factor: 1.0e+300}"),
        2,
        "architecture.hidden_factor: residual_1.dense_1: a kernel of 16 x a number of about 301 digits with its"
        " gradient needs more than 1,000,000 TB, and this machine has 16.0 GB",
    ),
    "hidden_factor times width": (
        network(ROWS, f"{{name: resnet, width: {HUGE}, hidden_factor: 1.0e+300}}"),
        2,
        f"architecture.width: dense_1: a kernel of 16 x {HUGE}",
    ),
    "filters of resnet": (
        network(IMAGES, "{name: resnet, filters: [100000000]}"),
        2,
        "architecture.filters: residual_1.conv2d_1: a kernel of 3 x 3 x 100000000 x 100000000",
    ),
    "dense of cnn": (
        network(IMAGES, "{name: cnn, filters: [2], dense: [4, 10000000000]}"),
        2,
        "architecture.dense.1: dense_2: a kernel of 4 x 10000000000",
    ),
    "kernel of cnn": (
        network(IMAGES, "{name: cnn, filters: [2], kernel: 100000}"),
        2,
        "architecture.kernel: conv2d_1: a kernel of 100000 x 100000 x 1 x 2",
    ),
    "filters of fcn": (
        network(SEQUENCES, "{name: fcn, filters: [2, 100000000000], kernels: [3, 3]}"),
        2,
        "architecture.filters.1: conv1d_2: a kernel of 3 x 2 x 100000000000",
    ),
    "hidden of lstm": (
        network(SEQUENCES, "{name: lstm, hidden: [4, 1000000], bidirectional: true}"),
        2,
        "architecture.hidden.1: bidirectional_2.lstm_1: a recurrent_kernel of 1000000 x 4000000",
    ),
    "units of a gru": (
        layers(SEQUENCES, "{name: bidirectional, layer: {name: gru, units: 1000000}}"),
        4,
        "architecture.layers.0.layer.units: bidirectional_1.gru_1: a recurrent_kernel of 1000000 x 3000000",
    ),
    "hidden of transformer": (
        network(SEQUENCES, "{name: transformer, hidden: 1000000000}"),
        2,
        "architecture.hidden: transformer_block_1.residual_2.dense_1: a kernel of 64 x 1000000000",
    ),
    "width of transformer": (
        network(SEQUENCES, "{name: transformer, width: 1000000}"),
        2,
        "architecture.width: transformer_block_1.residual_1.multi_head_attention_1: a kernel of 1000000 x 3000000",
    ),
    "attention between many steps": (
        layers(SEQUENCES, "{name: upsample, factor: 12500}", "{name: multi_head_attention, heads: 1, causal: true}"),
        5,
        "architecture.layers.1: multi_head_attention_1: attention between all pairs of 100,000 steps in 1 head for"
        " each row needs 40.0 GB",
    ),
    "attention between steps of a batch": (
        layers(SEQUENCES, "{name: upsample, factor: 1500}", "{name: multi_head_attention, heads: 1}", "last_step"),
        5,
        "architecture.layers.1: what the layers keep of 32 rows of a batch (576.5 MB a row in multi_head_attention_1)",
    ),
    "embedding": (
        network(TEXTS, "{name: gru, embedding: 1000000000}"),
        2,
        "architecture.embedding: category_embedding_1: a table_1 of 9 x 1000000000 with its gradient needs 72.0 GB",
    ),
    "a vocabulary": (
        layers(SEQUENCES, "{name: dense, units: 1}", "{name: embedding, vocabulary: 9000000000, dimensions: 4}"),
        5,
        "architecture.layers.1.vocabulary: embedding_1: a table of 9000000000 x 4",
    ),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_at_its_place(folder: Path, name: str) -> None:
    text, line, message = TOO_LARGE[name]
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError) as raised:
            experiment_of(folder, text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    [problem] = raised.value.problems
    assert problem.message.startswith(message)
    assert (problem.path, problem.line) == (str(folder / "c.yaml"), line)
    assert problem.help is not None and "smaller" in problem.help
    assert peak < MOST


WIDE = "{name: mlp, hidden: [64]}"


def needed_by(experiment: Experiment, rows: int, training: bool) -> int:
    """Return the bytes that are certain for so many rows: weights, gradients and adam's slots, and what layers keep."""
    network = experiment.network
    kept = sum(size for _, size in network.kept_by_layer(training))
    return 4 * (1 + experiment.shards + 2) * network.store.size + rows * kept


@pytest.mark.parametrize(
    ("more", "rows", "training", "key"),
    [
        ("batch_size: full\n", 48, True, "batch_size"),
        ("batch_size: 40\ndata: {train: table.csv, target: kind, validation: none}\n", 40, True, "batch_size"),
        ("", 256, False, "architecture.hidden.0"),
    ],
)
def test_what_just_fits_is_not_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, more: str, rows: int, training: bool, key: str
) -> None:
    text = f"architecture: {WIDE}\n{more}" if "data:" in more else f"{network(ROWS, WIDE)}{more}"
    needed = needed_by(experiment_of(folder, text), rows, training)
    if training:
        monkeypatch.setattr("nntrain.train.evaluation.BATCH", 1)
    memory(monkeypatch, needed)
    experiment_of(folder, text)
    memory(monkeypatch, needed - 1)
    with pytest.raises(ConfigError) as raised:
        experiment_of(folder, text)
    [problem] = raised.value.problems
    assert problem.message.startswith(f"{key}: what the layers keep of {rows} rows of a batch (")
    assert problem.line is not None


def test_rows_that_are_not_trained_or_judged_are_not_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for more in ("epochs: 0\n", "data: {train: table.csv, target: kind, validation: none}\n"):
        text = f"architecture: {WIDE}\n{more}" if "data:" in more else f"{network(ROWS, WIDE)}{more}"
        needed = needed_by(experiment_of(folder, text), 32, training=True)
        memory(monkeypatch, needed if "data:" in more else 2 * 4 * 1283)
        experiment_of(folder, text)
        memory(monkeypatch, MACHINE)


def test_what_this_process_may_take_is_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, MACHINE, limit=10**9)
    with pytest.raises(ResourceError) as raised:
        experiment_of(folder, layers(ROWS, "relu", "{name: dense, units: 20000000}"))
    [problem] = raised.value.problems
    assert (problem.line, problem.column) == (5, 28)
    assert problem.message == (
        "architecture.layers.1.units: dense_1: a kernel of 16 x 20000000 with its gradient needs 2.6 GB,"
        " and this process may take 1.0 GB"
    )
    assert problem.help == "raise the limit (ulimit -v), or make it smaller, or the layers before it"


def test_a_batch_that_is_cut_is_shared_by_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = network(ROWS, WIDE) + "batch_size: 40\nshards: 4\nthreads: 2\n"
    needed = needed_by(experiment_of(folder, text), 20, training=True)
    monkeypatch.setattr("nntrain.train.evaluation.BATCH", 1)
    memory(monkeypatch, MACHINE, limit=needed)
    experiment_of(folder, text)
    memory(monkeypatch, MACHINE, limit=needed - 1)
    with pytest.raises(ResourceError, match="batch_size: what the layers keep of 40 rows"):
        experiment_of(folder, text)


def test_memory_that_runs_out_all_the_same_is_told_with_a_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def initialize(network: Network, seed: int) -> None:
        raise MemoryError("Unable to allocate 3 GiB")

    monkeypatch.setattr(Network, "initialize", initialize)
    with pytest.raises(ResourceError) as raised:
        experiment_of(folder, network(ROWS, WIDE))
    [problem] = raised.value.problems
    assert (problem.line, problem.message) == (2, "architecture: out of memory: Unable to allocate 3 GiB")


def test_check_passes_no_more_rows_than_there_is_memory_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "c.yaml").write_text(layers(IMAGES, "relu", "{name: upsample, factor: 100}", POOLED) + "batch_size: 1\n")
    monkeypatch.setattr("nntrain.train.evaluation.BATCH", 1)
    each = 4 * (16 + 400 * 400 + 1 + 3)
    for there, code, message in (
        (100 * each, 0, ""),
        (
            2 * each,
            2,
            "c.yaml:5:32: architecture.layers.1.factor: what the layers keep of 3 rows of a batch (640.0 kB a row",
        ),
        (4 * each, 6, "c.yaml:5:32: architecture.layers.1.factor: upsample_1: out of memory: Unable to allocate"),
    ):
        memory(monkeypatch, there)
        assert run(["check", str(folder / "c.yaml")]) == code
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("large", "small"),
    [
        ("{name: max_pool2d, pool: %s, padding: same}", 9),
        ("{name: average_pool2d, pool: [2, %s], padding: same}", 9),
        ("{name: max_pool2d, pool: 2, stride: %s}", 9),
        ("{name: average_pool2d, pool: 3, stride: [1, %s], padding: same}", 9),
        ("{name: conv2d, filters: 2, kernel: 2, stride: %s}", 9),
        ("{name: conv2d, filters: 2, kernel: [1, 3], dilation: [%s, 1], padding: same}", 1),
    ],
)
def test_numbers_beyond_the_input_are_as_good_as_smaller_ones(folder: Path, large: str, small: int) -> None:
    outputs = []
    for number in (small, 10**9, HUGE):
        experiment = experiment_of(folder, layers(IMAGES, large % number, "flatten"))
        experiment.memory_bytes()
        outputs.append(experiment.network.forward(experiment.prepared.train.inputs()[:5]))
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_array_equal(outputs[2], outputs[0])


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            layers(ROWS, "relu", "{name: reshape, shape: [3]}"),
            (5, 7),
            "architecture.layers.1: reshape_1: reshape",
        ),
        (
            layers(ROWS, "{branch: [[relu], [tanh, last_step]]}"),
            (4, 32),
            "architecture.layers.0.branch.1.1: branch_1.sequential_2.last_step_1: last_step needs sequences",
        ),
        (
            layers(ROWS, "{repeat: 3, layers: [{repeat: 9999, layers: [relu]}]}"),
            (4, 7),
            "architecture.layers.0: repeat: 3 times the block are 30,000 layers",
        ),
        (
            layers(ROWS, "{branch: [[{name: dense, units: 3}], []], merge: add}"),
            (4, 7),
            "architecture.layers.0: branch_1: branch with merge 'add' needs branches of one shape",
        ),
        (network(IMAGES, "{name: cnn, filters: [2], pool: 9}"), (2, 47), "architecture.pool: max_pool2d_1: max_pool2d"),
        (
            network(ROWS, "{name: mlp, activation: last_step}"),
            (2, 39),
            "architecture.activation: last_step_1: last",
        ),
        (
            network(ROWS.replace("kind", "kind, task: classification"), "mlp")
            + "output_activation: last_step\nloss: mse\n",
            (3, 20),
            "output_activation: last_step_1: last_step needs sequences",
        ),
    ],
)
def test_errors_of_a_layer_stand_at_the_layer(folder: Path, text: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        experiment_of(folder, text)
    [problem] = raised.value.problems
    assert problem.message.startswith(message)
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_configs_of_the_project_are_not_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 500_000_000, limit=500_000_000)
    if "mnist" not in config.stem:  # its data are not part of the project
        assert run(["check", str(config)]) == 0


def test_an_estimate_is_no_less_than_what_is_certain(folder: Path) -> None:
    experiment = experiment_of(folder, network(ROWS, WIDE))
    assert experiment.memory_bytes() > needed_by(experiment, 32, training=True)
    assert footprint.largest_batch(experiment.config, 20) == 20
