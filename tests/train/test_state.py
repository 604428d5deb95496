"""The plain state of a run: what a checkpoint may hold, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from nntrain.train.state import Best, EpochSums, TrainState

STATE = TrainState(
    epoch=2, update=3, step=19, sums=EpochSums(1.5, 12.0, 0.25, 3), best=Best(1, 0.5), learning_rate=0.01
)


def test_a_state_comes_back() -> None:
    assert TrainState.from_json(STATE.as_json()) == STATE
    assert TrainState.from_json(TrainState().as_json()) == TrainState()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 2.0}, "2.0 is no count"),
        ({"epoch": 10**30}, "is no count"),
        ({"step": -1}, "-1 is no count"),
        ({"update": True}, "true is no count"),
        ({"best": {"epoch": "1", "value": 0.5}}, "'1' is no count"),
        ({"sums": {"loss": "a", "weight": 1.0, "gradient_norm": 1.0, "updates": 1}}, "'a' is no number"),
        ({"learning_rate": 10**400}, "is no number"),
        ({"rate_factor": None}, "null is no number"),
    ],
)
def test_what_no_run_of_ours_writes_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainState.from_json({**STATE.as_json(), **change})
