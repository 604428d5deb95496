"""What plug-ins' losses and metrics do otherwise than they may, told at their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugged import project_of, told

LOSS = """
@LOSSES.register("mine")
class Mine(Loss):
    tasks = frozenset({"regression"})
    def rows(self, prediction, target):
        return np.square(prediction - target).sum(axis=1)
    def gradient(self, prediction, target):
        return 2 * (prediction - target.astype(prediction.dtype))
    def link(self, prediction):
        return prediction.copy()
    def outputs(self, task):
        return task.width
"""

LOSING: dict[str, tuple[str, str, str]] = {
    "one loss": ("rows(", "return prediction[:1, 0]", "rows returned losses of shape (1,), expected (2,)"),
    "no array": ("rows(", "return 1.0", "rows returned float, expected an array"),
    "columns": ("rows(", "return prediction", "rows returned losses of shape (2, 1), expected (2,)"),
    "another type": (
        "gradient(",
        "return prediction.astype(float)",
        "gradient returned a gradient of float64, expected",
    ),
    "another shape": (
        "gradient(",
        "return prediction[:, 0]",
        "gradient returned a gradient of shape (2,), expected (2, 1)",
    ),
    "a list": ("gradient(", "return [[0.0]]", "gradient returned list, expected an array"),
    "somebody's": (
        "gradient(",
        "return np.broadcast_to(np.float32(0), prediction.shape)",
        "gradient returned a gradient that is read-only, expected one of its own",
    ),
    "locks": ("rows(", "target.flags.writeable = False", "rows makes target read-only, which belongs to others"),
    "no link": ("link(", "return None", "link returned NoneType, expected an array"),
    "narrow link": ("link(", "return prediction[:, :0]", "link returned shape (2, 0), expected (2, 1)"),
    "no outputs": ("outputs(", "return None", "outputs returned null, expected a whole number of at least 1"),
    "few outputs": ("outputs(", "return 0", "outputs returned 0, expected a whole number of at least 1"),
}


@pytest.mark.parametrize("name", LOSING)
def test_a_loss_that_gives_what_is_none(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    method, statement, expected = LOSING[name]
    lines = LOSS.splitlines()
    at = next(i for i, line in enumerate(lines) if f"def {method}" in line)
    lines[at : at + 1] = [f"{lines[at]}  # here", f"        {statement}"]
    line = project_of(folder, "\n".join(lines), "loss: mine")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: loss 'mine': {expected}" in err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("statement", ["prediction -= target", "target[0] = 0", "np.exp(prediction, out=prediction)"])
def test_a_loss_that_writes_what_it_is_given(folder: Path, statement: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = LOSS.replace("        return np.square", f"        {statement}  # here\n        return np.square")
    line = project_of(folder, text, "loss: mine")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"error: my_layers.py:{line}: loss 'mine': " in err and "writes where it may not: " in err
    assert "help: its arguments belong to others: write into self.scratch(...), or into a new array" in err


def test_a_loss_whose_task_is_none_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = LOSS.replace("regression", "classification").replace("task.width", "len(task.classes)")
    project_of(folder, text, "loss: mine")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert "loss 'mine': implied_task is 'regression', which is none of its tasks: classification" in err
    assert "help: set implied_task in the class, or data.task in the config" in err


METRIC = """
@METRICS.register("mine")
class Mine(Metric):
    tasks = frozenset({"regression"})
    def __call__(self, predictions):
        {statement}  # here
"""


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("predictions.output.sort()", "ValueError: sort array is read-only"),
        ("predictions.target[...] = 0", "ValueError: assignment destination is read-only"),
        ("predictions.output = None", "FrozenInstanceError: cannot assign to field 'output'"),
    ],
)
def test_a_metric_that_writes_what_all_of_them_see(
    folder: Path, statement: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = project_of(folder, METRIC.replace("{statement}", statement), "metrics: [mine, rmse]")
    assert f"error: my_layers.py:{line}: {expected}" in told(capsys, "fit", "config.yaml", "-q", code=2)


def test_a_metric_beyond_all_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = project_of(folder, METRIC.replace("{statement}", "return 10**400"), "metrics: [mine]")
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert f"my_layers.py:{line - 1}: metric mine gave 1000" in err and "expected a number" in err
