"""From a config to an experiment: what is refused, when, and with which place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nntrain.config import load_config
from nntrain.core.memory import refuse_too_large
from nntrain.errors import ConfigError, DataError
from nntrain.experiment import Experiment, assemble, direction_of
from nntrain.losses.base import default_loss
from nntrain.metrics.base import METRICS
from nntrain.planning import plan


def config_of(folder: Path, text: str, target: str = "kind") -> Any:
    data = f"data: {{train: nosuch.csv, target: {target}}}\n"
    (folder / "c.yaml").write_text(data + text)
    return load_config(str(folder / "c.yaml"))


MLP = "architecture: {name: mlp, hidden: [4]}\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (MLP + "optimizer: {name: sgd, nesterov: true}\n", 3, "optimizer.nesterov"),
        (MLP + "loss: cross_entropy\noutput_activation: tanh\n", 4, "output_activation: tanh does not go with"),
        (MLP + "metrics: [accuracy]\nearly_stopping: {monitor: val_acuracy}\n", 4, "did you mean 'val_accuracy'"),
        (MLP + "metrics: [accuracy]\ncheckpoint: {monitor: val_f1}\n", 4, "no column 'val_f1'"),
        (
            MLP + "metrics: [accuracy]\ncallbacks:\n  - {name: reduce_on_plateau, monitor: loss}\n",
            5,
            "callbacks.0.monitor",
        ),
    ],
)
def test_refused_before_any_data_is_read(tmp_path: Path, text: str, line: int, message: str) -> None:
    config = config_of(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        plan(config)
    (problem,) = raised.value.problems
    assert problem.line == line
    assert message in problem.message
    assert problem.path is not None and problem.path.endswith("c.yaml")
    with pytest.raises(ConfigError):  # and not the missing file
        assemble(config)


def test_everything_that_is_wrong_before_data_are_read_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "here.csv").write_text("a,b\n1,2\n")
    (tmp_path / "c.yaml").write_text(
        "data:\n"
        "  train: [there.csv, here.csv]\n"
        "  validation: '0.2'\n"
        "  test: '*.parquet'\n"
        "  split: rows.npz\n"
        "  target: b\n"
        "architecture: mlp\n"
        "loss: cross_entropy\n"
        "metrics: [accuracy, accuracy]\n"
        "output_activation: softplus\n"
        "checkpoint: {monitor: val_los}\n"
        "early_stopping: {monitor: val_acc}\n"
    )
    with pytest.raises(ConfigError) as raised:
        assemble(load_config(str(tmp_path / "c.yaml")))
    found = [(problem.line, problem.message.partition(";")[0]) for problem in raised.value.problems]
    assert found == [
        (2, "data.train.0: 'there.csv': file not found"),
        (3, "data.validation: '0.2': file not found"),
        (4, "data.test: '*.parquet': no file matches this pattern"),
        (5, "data.split: 'rows.npz' cannot be combined with data.validation"),
        (5, "data.split: 'rows.npz': file not found"),
        (9, "metrics.1: 'accuracy' is listed twice"),
        (10, "output_activation: softplus does not go with loss cross_entropy, which takes the plain outputs, and"
         " applies softmax itself"),
        (11, "checkpoint.monitor: no column 'val_los' in metrics.jsonl"),
        (12, "early_stopping.monitor: no column 'val_acc' in metrics.jsonl"),
    ]  # fmt: skip
    assert raised.value.problems[1].help == "a share is written without quotes: 0.2"


def test_missing_files_alone_are_an_error_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"c\.yaml:1:15: data\.train: 'nosuch\.csv': file not found"):
        assemble(config_of(tmp_path, MLP))


@pytest.fixture
def make(tmp_path: Path) -> Any:
    generator = np.random.default_rng(0)
    lines = [
        "a,b,kind,y",
        *(f"{x:.4f},{y:.4f},{'pqr'[i % 3]},{x - y:.4f}" for i, (x, y) in enumerate(generator.normal(size=(40, 2)))),
    ]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")

    def build(target: str = "kind", **changes: Any) -> Experiment:
        other = {"kind": "y", "y": "kind"}[target]
        data = {"train": "data.csv", "target": target, "ignore": [other], **changes.pop("data", {})}
        config = {"data": data, "architecture": {"name": "mlp", "hidden": [4]}, **changes}
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
        return assemble(load_config(str(tmp_path / "c.yaml")))

    return build


def test_all_columns_that_are_not_there_are_told_at_once_where_the_config_names_them(make: Any, tmp_path: Path) -> None:
    data = {"features": ["a", "bb"], "weight": "w", "columns": {"aa": {"type": "numeric"}}, "ignore": ["k"]}
    with pytest.raises(DataError) as raised:
        make(data=data)
    lines = (tmp_path / "c.yaml").read_text().splitlines()
    told = {problem.message.partition(";")[0]: problem for problem in raised.value.problems}
    assert sorted(told) == [
        "data.columns: column 'aa' not found",
        "data.features: column 'bb' not found",
        "data.ignore: column 'k' not found",
        "data.weight: column 'w' not found",
    ]
    for message, problem in told.items():
        assert message.split("'")[1] in lines[(problem.line or 0) - 1]
    assert [note for problem in told.values() for note in problem.notes] == [
        f"columns found in data.csv: {note}" for note in ["a, b, kind, y"]
    ]


def test_files_of_parts_that_lack_columns_are_told_where_the_config_names_them(make: Any, tmp_path: Path) -> None:
    (tmp_path / "without_a.csv").write_text("b,y,kind\n1,2,p\n")
    with pytest.raises(DataError) as raised:
        make(data={"validation": "without_a.csv", "test": "without_a.csv"})
    lines = (tmp_path / "c.yaml").read_text().splitlines()
    for problem, part in zip(raised.value.problems, ("test", "validation"), strict=True):
        assert problem.message.startswith(f"data.{part}: ")
        assert "without_a.csv': column 'a' is missing" in problem.message
        assert f"{part}: without_a.csv" in lines[(problem.line or 0) - 1]
    (tmp_path / "odd.csv").write_text("a,b,y,kind\nfive,1,2,p\n")
    with pytest.raises(DataError, match=r"odd\.csv:2: column 'a': expected a number, got 'five'") as raised:
        make(data={"validation": "odd.csv", "test": "odd.csv"})
    assert len(raised.value.problems) == 1


def test_texts_to_fill_numbers_with_are_told_at_once(make: Any) -> None:
    columns = {"a": {"fill": "none"}, "b": {"fill": "none"}}
    with pytest.raises(ConfigError) as raised:
        make(data={"columns": columns})
    told = sorted(problem.message.partition(":")[0] for problem in raised.value.problems)
    assert told == ["data.columns.a.fill", "data.columns.b.fill"]


def test_all_classes_that_are_not_there_are_told_at_once(make: Any) -> None:
    with pytest.raises(DataError) as raised:
        make(class_weight={"x": 1.0, "p": 2.0, "s": 3.0})
    told = [(problem.line, problem.message[:44]) for problem in raised.value.problems]
    assert sorted(message for _, message in told) == [f"class_weight: column 'kind' has no class '{c}'" for c in "sx"]
    assert None not in dict(told)


@pytest.mark.parametrize("activation", ["softmax", "log_softmax"])
def test_an_activation_across_units_needs_more_than_one(make: Any, activation: str) -> None:
    with pytest.raises(ConfigError, match=f"output_activation: {activation} of a single output is the same for every"):
        make(target="y", loss="mse", output_activation=activation)


def test_an_activation_before_the_loss_that_follows_the_task_is_refused_as_before_a_named_one(make: Any) -> None:
    # The run's config.yaml names the loss, so that neither a second fit nor --resume would have taken it.
    for activation in ("tanh", "sigmoid"):
        with pytest.raises(ConfigError, match=f"output_activation: {activation} does not go with loss cross_entropy"):
            make(output_activation=activation)
    make(output_activation="softmax")  # what the loss applies itself
    make(target="y", output_activation="tanh")


def test_an_embedding_takes_whole_numbers(make: Any) -> None:
    layers = [{"name": "embedding", "vocabulary": 4, "dimensions": 2}, "flatten"]
    with pytest.raises(ConfigError, match=r"architecture\.layers\.0: embedding takes codes 0, 1, 2"):
        make(architecture={"layers": layers})


def test_folds_in_an_order_are_told_to_look_back(make: Any) -> None:
    data = {"folds": 4, "order": "b", "validation": "none"}
    made = make(data=data)
    assert not any("data.folds" in notice for notice in made.notices)  # as a whole nothing is judged
    folded = assemble(made.config, fold=1)
    assert any("data.folds with data.order: all folds but the last" in notice for notice in folded.notices)


def test_a_text_that_fills_numbers_is_told_where_it_stands(make: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        make(data={"columns": {"a": {"fill": "none", "missing": "constant"}}})
    (problem,) = raised.value.problems
    assert problem.message == "data.columns.a.fill: expected a number for a numeric column, got 'none'"
    assert "fill" in (tmp_path / "c.yaml").read_text().splitlines()[(problem.line or 0) - 1]


def test_what_the_data_show_to_be_wrong_is_told_at_once(make: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        make(loss="cross_entropy", target="y", data={"task": "regression"}, metrics=["f1"])
    assert [problem.message[:20] for problem in raised.value.problems] == [
        "loss: cross_entropy ",
        "metrics.0: f1 does n",
    ]


def test_loss_and_metrics_follow_the_task(make: Any) -> None:
    assert make().loss_spec == {"name": "cross_entropy", "label_smoothing": 0.0}
    assert make("y").loss_spec["name"] == "mse"
    assert make().network.out_shape == (3,)
    assert make("y").network.out_shape == (1,)
    assert list(make(metrics=["accuracy", {"name": "top_k", "k": 2}]).metrics) == ["accuracy", "top_k"]


@pytest.mark.parametrize(
    ("target", "changes", "message"),
    [
        ("kind", {"loss": "binary_cross_entropy"}, "does not fit the target"),
        ("kind", {"metrics": ["rmse"]}, "rmse does not fit the target"),
        ("y", {"metrics": ["accuracy"]}, "accuracy does not fit the target"),
        ("kind", {"early_stopping": {"monitor": "val_loss"}, "data": {"validation": "none"}}, "no column 'val_loss'"),
        (
            "kind",
            {"architecture": {"layers": [{"name": "dense", "units": 10**9}]}},
            "GB, and this machine has 16.0 GB",
        ),
        ("kind", {"architecture": {"name": "mlp", "hidden": [10**10, 10**10]}}, "and this machine has 16.0 GB"),
    ],
)
def test_refused_with_a_place(
    make: Any, target: str, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nntrain.core.memory.memory_bytes", lambda: 16 * 10**9)
    with pytest.raises(ConfigError) as raised:
        make(target, **changes)
    problem = raised.value.problems[0]
    assert message in problem.message
    assert problem.line is not None


def test_memory_is_refused_before_it_is_taken() -> None:
    with pytest.raises(ConfigError, match=r"a network needs 8,000\.0 TB, and this machine has"):
        refuse_too_large("a network", 8 * 10**15, "make it smaller")


def test_a_batch_larger_than_the_rows_is_all_rows(make: Any) -> None:
    experiment = make(batch_size=10_000)
    loader = experiment.prepared.loader(10_000, 0)
    assert (loader.batch_count, loader.batch_size) == (1, len(experiment.prepared.train))
    *_, told = experiment.notices
    assert told.startswith("warning: batch_size 10,000 is more than the 32 training rows, so an epoch is one batch")
    assert experiment.memory_bytes() == make(batch_size="full").memory_bytes()


@pytest.mark.parametrize("choice", [{}, {"batch_size": 30}, {"batch_size": "full"}])
def test_a_batch_size_that_fits_or_that_nobody_chose_is_not_told_of(make: Any, choice: dict[str, Any]) -> None:
    experiment = make(**choice, data={"validation": 0.25})
    assert len(experiment.prepared.train) == 30  # fewer than the default batch size
    assert not any("batch_size" in notice for notice in experiment.notices)


@pytest.mark.parametrize(("validation", "monitor"), [(0.2, "val_loss"), ("none", "train_loss")])
def test_monitors_default_to_what_there_is(make: Any, validation: Any, monitor: str) -> None:
    experiment = make(
        data={"validation": validation},
        early_stopping={},
        callbacks=[{"name": "reduce_on_plateau"}],
        metrics=["accuracy"],
    )
    assert experiment.default_monitor == monitor
    assert [callback.monitor for callback in experiment.callbacks()] == [monitor, monitor]
    assert [callback.mode for callback in experiment.callbacks()] == ["min", "min"]


def test_directions_follow_the_metric(make: Any) -> None:
    experiment = make(early_stopping={"monitor": "val_accuracy"}, metrics=["accuracy"])
    assert experiment.callbacks()[0].mode == "max"
    experiment = make(early_stopping={"monitor": "val_accuracy", "mode": "min"}, metrics=["accuracy"])
    assert experiment.callbacks()[0].mode == "min"
    for name in METRICS.names():
        metric = METRICS.build(name)
        for part in ("train", "val"):
            assert direction_of(f"{part}_{name}", {name: metric}) == ("max" if metric.higher_is_better else "min")


def test_the_first_batch_alone(make: Any) -> None:
    experiment = make(batch_size=7, early_stopping={}, accumulate=2, callbacks=[{"name": "reduce_on_plateau"}])
    loader = experiment.prepared.loader(7, 0)
    loader.begin(1)
    alone = experiment.first_batch_alone()
    np.testing.assert_array_equal(alone.prepared.train.x, loader.batch(0).x)
    assert alone.prepared.validation is None and alone.callbacks() == []
    assert alone.config.accumulate == 1 and experiment.config.accumulate == 2
    again = alone.first_batch_alone()
    np.testing.assert_array_equal(again.prepared.train.x, alone.prepared.train.x)


def test_defaults_by_task() -> None:
    from nntrain.core.task import Task

    assert default_loss(Task("classification", ("y",), ("a", "b"), 1)) == "binary_cross_entropy"
    assert default_loss(Task("multilabel", ("y", "z"))) == "binary_cross_entropy"
    assert default_loss(Task("regression", ("y",))) == "mse"
