"""Every system call on the run directory in turn: ended there by SIGKILL, or made to fail."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import strace
from findings import Findings
from lab import Lab, Unseen
from nntrain.cli.fitting import new_run
from nntrain.config import load_config
from nntrain.experiment import assemble
from nntrain.fitting import train
from process import Ended
from settings import Settings

WORD = "victim"
"""Name of the run directory, by which its calls are known."""

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EACCES")


@dataclass(frozen=True)
class Scenario:
    """A command on the run directory of a case: it can be done again and again, with the same calls."""

    name: str
    prepare: Callable[[Path], None]
    command: Callable[[Path], list[str]]


@dataclass(frozen=True)
class Tried:
    """A call with a fault.

    Attributes:
        case: in words.
        hit: whether the fault came to pass.
        problems: what was wrong after it.
    """

    case: str
    hit: bool
    problems: list[str]


def scenarios(lab: Lab) -> list[Scenario]:
    """Return a training from the start, and one that goes on and has something to mend."""
    base = interrupted_run(lab, lab.folder / "base")
    return [
        Scenario("fit", lambda place: None, lab.fit),
        Scenario("fit --resume", lambda place: _spoil(Path(shutil.copytree(base, place))), lab.resume),
    ]


def interrupted_run(lab: Lab, place: Path, saves: int = 3) -> Path:
    """Return a run that ended, as by a kill, when it was to save once more; its two checkpoints differ."""
    if place.exists():
        shutil.rmtree(place)
    experiment = assemble(load_config(str(lab.config)))
    with suppress(_Enough), new_run(experiment, "", str(place)) as made:
        save, left = made.checkpoints.save_last, [saves]

        def counted(arrays: Any, state: Any) -> None:
            if not left[0]:
                raise _Enough
            left[0] -= 1
            save(arrays, state)

        made.checkpoints.save_last = counted  # type: ignore[method-assign]
        train(experiment, made, lambda trainer: Unseen(), lambda: None)
    return place


class _Enough(BaseException):
    """Ends a training where it stands."""


def _spoil(place: Path) -> None:
    """Leave what crashes leave: rows after the checkpoint, a torn row, temporary files."""
    with (place / "metrics.jsonl").open("ab") as file:
        file.write(b'{"epoch": 99}\n{"epo')
    (place / ".run.json.tmp-0123abcd").write_bytes(b"half")
    (place / "checkpoints" / ".last.safetensors.tmp-0123abcd").write_bytes(b"half")


def measure_points(settings: Settings) -> Findings:
    """End the process at every call."""
    return _measure(settings, "points", ("KILL",))


def measure_errors(settings: Settings) -> Findings:
    """Make every call fail once; the errors take turns, so that each kind of call meets all of them."""
    return _measure(settings, "errors", ERRORS)


def _measure(settings: Settings, group: str, faults: tuple[str, ...]) -> Findings:
    findings = Findings()
    reason = strace.missing()
    if reason is not None:
        findings.skip(f"{group}: every system call on the run directory", reason)
        return findings
    lab = settings.stepped_lab()
    for scenario in scenarios(lab):
        _measure_scenario(settings, group, faults, lab, scenario, findings)
    return findings


def _measure_scenario(
    settings: Settings, group: str, faults: tuple[str, ...], lab: Lab, scenario: Scenario, findings: Findings
) -> None:
    chance = settings.random(f"{group} {scenario.name}")
    calls = points(lab, scenario)
    first = chance.randrange(len(faults))
    wanted = [(call, faults[(first + number) % len(faults)]) for number, call in enumerate(calls)]
    if settings.quick:
        wanted = chance.sample(wanted, min(2, len(wanted)))
    cases = [(number, call, fault) for number, (call, fault) in enumerate(wanted)]
    tried = settings.spread(f"{group}, {scenario.name}", cases, lambda case: _try(lab, scenario, *case))
    kind = "SIGKILL at a system call" if group == "points" else "a system call fails"
    covered = {one.case: [] if one.hit else ["the fault did not come to pass"] for one in tried}
    findings.add(f"{kind} of `{scenario.name}`: faults that came to pass", covered)
    findings.add(f"{kind} of `{scenario.name}`", {one.case: one.problems for one in tried if one.hit})
    findings.notes.append(f"`{scenario.name}` makes {len(calls)} system calls on the run directory")


def points(lab: Lab, scenario: Scenario) -> list[strace.Call]:
    """Return the calls of a scenario on its run directory, each once."""
    folder = lab.case(0)
    place = folder / WORD
    scenario.prepare(place)
    ended, calls = strace.trace(scenario.command(place), folder / "trace", WORD)
    if ended.code:
        raise SystemExit(f"a training under strace failed:\n{ended.stderr}")
    return list({(call.name, call.nth): call for call in calls}.values())


def _try(lab: Lab, scenario: Scenario, number: int, call: strace.Call, fault: str) -> Tried:
    folder = lab.case(number)
    place = folder / WORD
    scenario.prepare(place)
    kind = "signal" if fault == "KILL" else "error"
    ended, hit = strace.inject(scenario.command(place), folder / "trace", call, f"{kind}={fault}", WORD)
    problems = _of_error(ended, place, fault) if kind == "error" else []
    problems += lab.judge(place)
    if not problems and hit:
        shutil.rmtree(folder)
    where = Path(re.split(r"[\">]", call.text.split(WORD, 1)[1])[0]).name or "its folder"
    return Tried(f"{call.name} number {call.nth} ({where}), {fault}", hit, problems)


def _of_error(ended: Ended, place: Path, fault: str) -> list[str]:
    """Return what is wrong with how a command took a failing call: code 6, and the run directory named."""
    problems = ended.problems(0, 6)
    if ended.code == 6 and WORD not in ended.stderr:
        problems.append("the error does not name the run directory")
    return problems
