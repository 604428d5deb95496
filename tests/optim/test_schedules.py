"""Schedules against PyTorch's, and what is true of all of them."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.optim.schedules import SCHEDULES, Schedule

torch = pytest.importorskip("torch")
peers = pytest.importorskip("torch.optim.lr_scheduler")

EPOCHS = 12

SPECS: list[dict[str, Any]] = [
    {"name": "constant", "initial": 0.1},
    {"name": "step", "initial": 0.1, "every_epochs": 3, "factor": 0.5},
    {"name": "multi_step", "initial": 0.1, "milestones": [2, 5], "factor": 0.5},
    {"name": "exponential", "initial": 0.1, "factor": 0.9},
    {"name": "exponential", "initial": 0.1, "factor": 0.9, "staircase": True},
    {"name": "inverse_time", "initial": 0.1, "decay": 0.5},
    {"name": "inverse_time", "initial": 0.1, "decay": 0.5, "staircase": True},
    {"name": "polynomial", "initial": 0.1, "power": 2.0},
    {"name": "polynomial", "initial": 0.1, "power": 0.5, "final": 0.01},
    {"name": "linear", "initial": 0.1, "final": 0.02},
    {"name": "cosine", "initial": 0.1},
    {"name": "cosine", "initial": 0.1, "final": 0.01},
    {"name": "cosine_restarts", "initial": 0.1, "period_epochs": 3},
    {"name": "cosine_restarts", "initial": 0.1, "period_epochs": 2, "multiplier": 2, "minimum": 0.01},
    {"name": "one_cycle", "maximum": 0.1},
    {"name": "one_cycle", "maximum": 0.1, "initial": 0.05, "final": 0.01, "shape": "linear"},
]


def made(spec: dict[str, Any], steps_per_epoch: int = 1, epochs: int = EPOCHS) -> Schedule:
    schedule = SCHEDULES.build(spec)
    schedule.bind(steps_per_epoch, epochs)
    return schedule


def torch_rates(peer: str, initial: float, steps: int, **arguments: Any) -> list[float]:
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=initial)
    scheduler = getattr(peers, peer)(rule, **arguments)
    rates = []
    for _ in range(steps):
        rates.append(float(rule.param_groups[0]["lr"]))
        rule.step()
        scheduler.step()
    return rates


def _keys(value: str | dict[str, Any]) -> str:
    return value if isinstance(value, str) else "-".join(value)


def _inverse_time(epoch: float) -> float:
    return 1 / (1 + 0.5 * epoch)


PEERS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (SPECS[0], "ConstantLR", {"factor": 1.0}),
    (SPECS[1], "StepLR", {"step_size": 3, "gamma": 0.5}),
    (SPECS[2], "MultiStepLR", {"milestones": [2, 5], "gamma": 0.5}),
    (SPECS[3], "ExponentialLR", {"gamma": 0.9}),
    (SPECS[4], "ExponentialLR", {"gamma": 0.9}),
    (SPECS[5], "LambdaLR", {"lr_lambda": _inverse_time}),
    (SPECS[7], "PolynomialLR", {"power": 2.0, "total_iters": EPOCHS}),
    (SPECS[9], "LinearLR", {"start_factor": 1.0, "end_factor": 0.2, "total_iters": EPOCHS}),
    (SPECS[10], "CosineAnnealingLR", {"T_max": EPOCHS}),
    (SPECS[11], "CosineAnnealingLR", {"T_max": EPOCHS, "eta_min": 0.01}),
    (SPECS[12], "CosineAnnealingWarmRestarts", {"T_0": 3}),
    (SPECS[13], "CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.01}),
]


@pytest.mark.parametrize(("spec", "peer", "arguments"), PEERS, ids=_keys)
@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_rates_at_the_start_of_each_epoch_equal_torch(
    spec: dict[str, Any], peer: str, arguments: dict[str, Any], steps_per_epoch: int
) -> None:
    schedule = made(spec, steps_per_epoch)
    ours = [schedule(epoch * steps_per_epoch) for epoch in range(EPOCHS)]
    assert ours == pytest.approx(torch_rates(peer, 0.1, EPOCHS, **arguments), rel=1e-12, abs=1e-17)


@pytest.mark.parametrize("steps_per_epoch", [1, 5])
@pytest.mark.parametrize("shape", ["cosine", "linear"])
@pytest.mark.parametrize("rise", [0.3, 0.5, 1.0])
def test_one_cycle_equals_torch_at_every_step(steps_per_epoch: int, shape: str, rise: float) -> None:
    spec = {"name": "one_cycle", "maximum": 0.1, "initial": 0.02, "final": 0.001, "shape": shape, "rise": rise}
    schedule, steps = made(spec, steps_per_epoch), EPOCHS * steps_per_epoch
    strategy = {"cosine": "cos", "linear": "linear"}[shape]
    arguments = {"max_lr": 0.1, "div_factor": 5.0, "final_div_factor": 20.0, "pct_start": rise}
    arguments |= {"total_steps": steps, "anneal_strategy": strategy, "cycle_momentum": False}
    theirs = torch_rates("OneCycleLR", 0.1, steps - 1, **arguments)
    assert [schedule(step) for step in range(steps - 1)] == pytest.approx(theirs, rel=1e-9)


def test_one_cycles_defaults_are_torchs() -> None:
    theirs = torch_rates("OneCycleLR", 0.1, 59, max_lr=0.1, total_steps=60, cycle_momentum=False)
    schedule = made({"name": "one_cycle", "maximum": 0.1}, 5)
    assert [schedule(step) for step in range(59)] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_schedule_is_a_function_of_the_step(spec: dict[str, Any]) -> None:
    forward, backward = made(spec, 3), made(spec, 3)
    steps = range(3 * EPOCHS)
    rates = [forward(step) for step in steps]
    assert [backward(step) for step in reversed(steps)] == rates[::-1]
    assert all(type(rate) is float for rate in rates)


def test_every_schedule_is_tested() -> None:
    assert {spec["name"] for spec in SPECS} == set(SCHEDULES.names())


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_every_argument_is_documented_and_an_attribute(name: str) -> None:
    schedule = made(next(spec for spec in SPECS if spec["name"] == name))
    arguments = SCHEDULES.get(name).arguments
    assert {"initial", "warmup_epochs"} <= {argument.name for argument in arguments}
    for argument in arguments:
        assert argument.doc, argument.name
        assert hasattr(schedule, argument.name)
        assert argument.name in ("staircase",) or get_args(argument.annotation)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("warmup", [1, 2.5])
def test_warm_up_rises_evenly_to_initial_and_the_schedule_follows(spec: dict[str, Any], warmup: float) -> None:
    steps_per_epoch = 4
    steps = int(warmup * steps_per_epoch)
    warm = made({**spec, "warmup_epochs": warmup}, steps_per_epoch)
    rates = [warm(step) for step in range(steps + 1)]
    assert rates[0] > 0
    assert np.diff(rates) == pytest.approx([rates[0]] * steps, rel=1e-9)
    assert rates[-1] == warm.initial
    # The whole of the schedule is passed through in the epochs that are left.
    plain = made(spec, 1, steps_per_epoch * EPOCHS - steps)
    if "period_epochs" not in spec and spec["name"] in ("polynomial", "linear", "cosine", "one_cycle"):
        assert [warm(steps + step) for step in range(38)] == pytest.approx([plain(step) for step in range(38)])
    else:
        unwarmed = made(spec, steps_per_epoch)
        assert [warm(steps + step) for step in range(38)] == [unwarmed(step) for step in range(38)]


@pytest.mark.parametrize(("steps_per_epoch", "warmup"), [(10, 0.7), (30, 0.1), (7, 1.1), (3, 1 / 3)])
def test_falls_happen_at_the_step_that_ends_an_epoch_in_spite_of_rounding(steps_per_epoch: int, warmup: float) -> None:
    schedule = made({"name": "step", "initial": 1.0, "every_epochs": 1, "warmup_epochs": warmup}, steps_per_epoch)
    begin = round(warmup * steps_per_epoch)
    for epoch in range(1, 9):
        boundary = begin + epoch * steps_per_epoch
        assert schedule(boundary) == pytest.approx(0.1 * schedule(boundary - 1))


FINISHES = [
    ({"name": "polynomial", "initial": 0.1, "final": 0.03}, 0.03),
    ({"name": "linear", "initial": 0.1, "final": 0.3}, 0.3),
    ({"name": "cosine", "initial": 0.1, "final": 0.03}, 0.03),
    ({"name": "cosine", "initial": 0.1}, 0.0),
    ({"name": "one_cycle", "maximum": 0.1, "final": 0.03}, 0.03),
]


@pytest.mark.parametrize(("spec", "final"), FINISHES, ids=str)
@pytest.mark.parametrize("warmup", [0.0, 2.0])
def test_the_final_rate_is_reached_at_the_end_and_kept(spec: dict[str, Any], final: float, warmup: float) -> None:
    schedule = made({**spec, "warmup_epochs": warmup}, 5)
    for step in (5 * EPOCHS, 5 * EPOCHS + 1, 10**6):
        assert schedule(step) == pytest.approx(final, abs=1e-17)
    assert schedule(5 * EPOCHS - 2) != pytest.approx(final)


def test_a_longer_run_stretches_the_schedule() -> None:
    schedule = made({"name": "cosine", "initial": 0.1}, 1, 10)
    assert schedule(5) == pytest.approx(0.05)
    schedule.bind(1, 20)
    assert schedule(10) == pytest.approx(0.05)
    lasting = made({"name": "exponential", "initial": 0.1, "factor": 0.9}, 1, 10)
    before = lasting(5)
    lasting.bind(1, 20)
    assert lasting(5) == before


@pytest.mark.parametrize("multiplier", [1, 1.5, 2, 3])
def test_restarts_begin_at_initial_however_late(multiplier: float) -> None:
    schedule = made({"name": "cosine_restarts", "initial": 1.0, "period_epochs": 2, "multiplier": multiplier}, 64)
    begin, period = 0.0, 2.0
    for _ in range(9):
        assert schedule(int(begin * 64)) == pytest.approx(1.0, abs=1e-3)
        assert schedule(int((begin + period) * 64) - 1) < 0.01
        begin, period = begin + period, period * multiplier


rates = st.floats(0.0, 1e6)
shares = st.floats(1e-3, 1.0)
warmups = st.floats(0.0, 30.0)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, float]:
    """Return any schedule and the largest rate it may give."""
    name = draw(st.sampled_from(SCHEDULES.names()))
    arguments: dict[str, Any] = {"warmup_epochs": draw(warmups)}
    own: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "constant": {},
        "step": {"every_epochs": st.floats(0.01, 100), "factor": shares},
        "multi_step": {"milestones": st.lists(st.floats(0.01, 50), max_size=5), "factor": shares},
        "exponential": {"factor": shares, "staircase": st.booleans()},
        "inverse_time": {"decay": st.floats(0, 100), "staircase": st.booleans()},
        "polynomial": {"power": st.floats(0.01, 10), "final": rates},
        "linear": {"final": rates},
        "cosine": {"final": rates},
        "cosine_restarts": {
            "period_epochs": st.floats(0.01, 100),
            "multiplier": st.one_of(st.just(1), st.floats(1, 5)),
            "minimum": rates,
        },
        "one_cycle": {
            "maximum": rates,
            "final": rates,
            "rise": st.floats(0, 1),
            "shape": st.sampled_from(["cosine", "linear"]),
        },
    }
    arguments |= {key: draw(strategy) for key, strategy in {"initial": rates, **own[name]}.items()}
    schedule = SCHEDULES.build({"name": name, **arguments})
    schedule.bind(draw(st.integers(1, 50)), draw(st.integers(0, 60)))
    return schedule, max(arguments.get(key, 0.0) for key in ("initial", "final", "minimum", "maximum"))


@given(schedules(), st.lists(st.integers(0, 10**7), max_size=20))
def test_rates_are_finite_never_negative_and_within_their_ends(made: tuple[Schedule, float], late: list[int]) -> None:
    schedule, largest = made
    for step in [*range(60), *late]:
        rate = schedule(step)
        assert math.isfinite(rate)
        assert 0.0 <= rate <= largest * (1 + 1e-12)


@given(schedules())
def test_the_warm_up_rises_to_initial(made: tuple[Schedule, float]) -> None:
    schedule, _ = made
    first = round(schedule.warmup_epochs * schedule.steps_per_epoch)
    peaked_at_once = type(schedule).__name__ == "OneCycle" and schedule(first) == schedule.maximum
    assert peaked_at_once or schedule(first) == schedule.initial
    rates = [schedule(step) for step in range(min(first, 50))]
    assert rates == sorted(rates)
    assert all(rate <= schedule.initial for rate in rates)
