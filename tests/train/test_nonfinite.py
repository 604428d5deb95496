"""What happens where numbers overflow: the run stops before the weights are touched, and says where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.errors import NumericError

RELU = [{"name": "dense", "units": 6}, "relu"]


def failure(trainer: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(NumericError) as raised:
        trainer.fit()
    problem = raised.value.problems[0]
    assert raised.value.exit_code == 5
    assert problem.help is not None and "learning_rate" in problem.help
    return problem.message, problem.notes


@pytest.mark.parametrize("rate", [1e6, 1e300])
@pytest.mark.parametrize("scale", [1.0, 1e6])
@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam", "rmsprop"])
def test_learning_rate_too_high(make_trainer: Any, rate: float, scale: float, validation: bool, rule: str) -> None:
    trainer, memory = make_trainer(
        RELU,
        loss="mse",
        optimizer={"name": rule, "learning_rate": rate},
        scale=scale,
        dtype=np.float32,
        validation=validation,
        epochs=60,
    )
    message, notes = failure(trainer)
    assert "epoch " in message and ("batch " in message or "after epoch" in message or "validation" in message)
    assert any(f"{rate:.3g}" in note for note in notes)
    assert trainer.state.status == "diverged"
    assert trainer.state.stop_reason == message
    for arrays, state in memory.saved:
        assert all(np.isfinite(array).all() for array in arrays.values())
        assert state["train"]["status"] == "running"


def test_weights_stay_untouched_where_a_batch_holds_the_fault(make_trainer: Any) -> None:
    trainer, memory = make_trainer([*RELU, "batch_norm"], rows=20, epochs=2, metrics=("accuracy",))
    trainer.loader.begin(1)
    row = trainer.loader.order[12]  # in batch 3 of epoch 1
    trainer.loader.dataset.x[row] = np.nan
    seen: list[Any] = []
    update = trainer.step.update

    def watched(*arguments: Any) -> Any:
        seen.append({name: value.copy() for name, value in trainer.step.network.state().items()})
        return update(*arguments)

    trainer.step.update = watched
    message, notes = failure(trainer)
    assert message == "the features hold nan at epoch 1, batch 3"
    assert notes[0].startswith("the rows: rows ") and f"{row}" in notes[0]
    for name, value in trainer.step.network.state().items():
        np.testing.assert_array_equal(value, seen[2][name])  # batch norm's statistics too
    arrays, state = memory.saved[-1]
    assert (state["train"]["epoch"], state["train"]["update"]) == (0, 2)
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("part", ["forward", "backward"])
def test_the_layer_is_named(make_trainer: Any, part: str) -> None:
    trainer, _ = make_trainer(["tanh", {"name": "dense", "units": 6}, "relu"], epochs=2)
    layer = type(trainer.step.network.layers[2])  # relu
    original = getattr(layer, part)

    def spoilt(self: Any, *arguments: Any) -> Any:
        return np.full_like(original(self, *arguments), np.inf)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, part, spoilt)
        message, _ = failure(trainer)
    assert "relu_1" in message and part in message and "epoch 1, batch 1" in message


def test_accumulated_batches_are_named(make_trainer: Any) -> None:
    trainer, _ = make_trainer([], accumulate=2, rows=20)
    trainer.loader.begin(1)
    trainer.loader.dataset.x[trainer.loader.order[10]] = np.inf  # batch 3
    assert failure(trainer)[0] == "the features hold inf at epoch 1, batches 3 to 4"


def test_validation_alone_not_finite(make_trainer: Any) -> None:
    trainer, memory = make_trainer([], loss="mse", every_epochs=1, epochs=4)
    calls: list[int] = []
    judge = trainer.evaluator.judge

    def judged(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            trainer.validation.x[0] = np.nan
        return judge(trainer.evaluator.outputs(trainer.validation), *arguments[1:])

    trainer.evaluator.judge = judged
    message, _ = failure(trainer)
    assert message == "the validation loss became nan at epoch 3"
    assert [row["epoch"] for row in memory.rows] == [1, 2]
    assert trainer.state.best.epoch in (1, 2)
    arrays, state = memory.saved[-1]
    assert state["train"]["epoch"] == 2  # as many as there are rows
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_the_validation_rows_to_blame_are_named(make_trainer: Any) -> None:
    trainer, _ = make_trainer([], loss="mse")
    trainer.validation.x[2] = np.inf
    message, notes = failure(trainer)
    assert message.startswith("the validation loss became ")
    assert f"the rows: rows {trainer.validation.rows[2]}" in notes


def test_spoilt_weights_are_never_saved(make_trainer: Any) -> None:
    trainer, memory = make_trainer([], loss="mse", every_seconds=0.0, epochs=3, validation=False)
    update = trainer.step.optimizer.update_lane

    def overflow(lane: int, value: Any, grad: Any, t: int, rate: float, scale: float) -> None:
        update(lane, value, grad, t, rate, scale)
        if t == 5:  # the last update of epoch 1
            value[0] = np.inf

    trainer.step.optimizer.update_lane = overflow
    message, _ = failure(trainer)
    assert message == "the weights dense_1.kernel hold inf after epoch 1"
    assert memory.rows == []
    assert memory.saved[-1][1]["train"]["step"] == 4
    assert len(memory.best_only) == 1
