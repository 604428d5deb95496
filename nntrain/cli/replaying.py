"""``nntrain replay``: one update, with the ranges of its numbers."""

from __future__ import annotations

from nntrain.cli.configs import run_config
from nntrain.cli.output import Output
from nntrain.cli.progress import Progress, number
from nntrain.cli.rerunning import Countdown, cut_short
from nntrain.cli.resuming import assemble_again
from nntrain.cli.signals import INTERRUPTION
from nntrain.cli.tables import table
from nntrain.errors import RunError
from nntrain.evaluating import refuse_parent
from nntrain.inference import notices_of_plugins
from nntrain.replaying import Replay, replay
from nntrain.runs.run import Run
from nntrain.train.ranges import Range
from nntrain.train.trainer import Trainer


def show_update(output: Output, run: Run, step: int | None) -> int:
    """Make an update of a run again and show it; return the exit code."""
    refuse_parent(run)
    wanted = _deciding_step(run) if step is None else step
    config = run_config(run)
    for notice in notices_of_plugins(run.info.get("plugins"), str(run.path)):  # a mended one may be of interest
        output.tell(notice)
    experiment = assemble_again(config, run)
    bars: list[Progress] = []

    def observer(trainer: Trainer) -> Progress:
        output.notice(_way(wanted, trainer.state.step))
        bars.append(Progress(output, trainer.epochs, trainer.updates_per_epoch, trainer.state.step))
        return bars[0]

    with INTERRUPTION.deferred():
        try:
            found = replay(experiment, run, wanted, observer, Countdown)
        finally:
            for bar in bars:
                bar.close()
    if found is None:
        return cut_short(output, "the update was not reached")
    output.result(_text(run, found), {"run": str(run.path), **found.as_json()})
    return 0


def _deciding_step(run: Run) -> int:
    """Return the update that failed, or the last one of the newest checkpoint."""
    failed = run.info.get("failed_step")
    if isinstance(failed, int):
        return failed
    state = run.checkpoints.look()
    step = 0 if state is None else int(state["train"]["step"])
    if step < 1:
        raise RunError("the run has made no update yet", path=str(run.path), help="name one with --step")
    return step


def _way(step: int, resumed_at: int) -> str:
    begin = f"from the checkpoint after update {resumed_at:,}" if resumed_at else "from the start"
    again = step - 1 - resumed_at
    return f"update {step:,}: {begin}" + (
        f", {again:,} update{'s' if again > 1 else ''} made again first" if again else ""
    )


def _text(run: Run, found: Replay) -> str:
    first, last = found.batches
    batches = f"batch {first}" if first == last else f"batches {first} to {last}"
    lines = [
        f"{run.path}: update {found.step:,}, epoch {found.epoch:,}, {batches}",
        f"rows: {found.rows}",
        f"learning rate {number(found.learning_rate)}, loss {number(found.loss)},"
        f" norm of the gradient {number(found.gradient_norm)}",
        "",
        _layers(found),
        "",
        _parameters(found),
    ]
    if found.failure is not None:
        lines += ["", f"the update fails: {found.failure}"]
    return "\n".join(lines)


_RANGE = ["least", "largest", "rms", "not finite"]


def _layers(found: Replay) -> str:
    header = ["layer", "output", *_RANGE, "zeros", "| gradient behind it: least", *_RANGE[1:]]
    rows = [
        [
            each.layer or each.kind,
            " x ".join(map(str, each.out_shape)),
            *_cells(each.output),
            f"{each.output.zeros / max(1, each.output.count):.0%}",
            *_cells(each.gradient),
        ]
        for each in found.layers
    ]
    return table(header, rows, numeric=range(2, len(header)))


def _parameters(found: Replay) -> str:
    ratios = {row["layer"]: row.get("update_ratio") for row in found.watched}
    header = ["parameter", "values", *_RANGE, "| gradient: least", *_RANGE[1:], "update/weights of the layer"]
    rows = [
        [
            each.parameter,
            f"{each.value.count:,}",
            *_cells(each.value),
            *_cells(each.gradient),
            number(ratios.get(each.parameter.rpartition(".")[0])),
        ]
        for each in found.parameters
    ]
    return table(header, rows, numeric=range(1, len(header)))


def _cells(found: Range) -> list[str]:
    if not found.count:
        return ["-"] * 4
    return [number(found.least), number(found.largest), number(found.root_mean_square), f"{found.not_finite:,}"]
