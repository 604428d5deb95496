"""Asked to end: SIGINT, SIGTERM and SIGHUP at any time from nntrain's entry point on."""

from __future__ import annotations

import shutil
import signal
import time

from findings import Findings
from lab import Lab
from process import Ended, finish, start, takes_signals, wait_until
from settings import Settings

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


def measure(settings: Settings) -> Findings:
    """Send signals at times spread evenly over what follows the entry point."""
    lab, chance, findings = settings.timed_lab(), settings.random("signals"), Findings()
    entered = _seconds_to_entry(lab)
    if entered is None:
        findings.skip("SIGINT, SIGTERM, SIGHUP at a random time", "the system does not tell when the handlers stand")
        return findings
    names = list(CODES)
    rest = max(0.1, lab.seconds - entered)
    cases = [(number, names[number % 3], chance.uniform(0, rest)) for number in range(settings.count(51, 3))]
    answers = settings.spread("signals", cases, lambda case: _send(lab, *case))
    findings.add("SIGINT, SIGTERM, SIGHUP at a random time", {name: found for name, _, found in answers})
    ended = sum(code != 0 for _, code, _ in answers)
    findings.notes.append(f"{ended} of {len(answers)} runs were ended by the signal, the others had just finished")
    return findings


def _seconds_to_entry(lab: Lab) -> float | None:
    """Return how long Python takes until nntrain's handlers stand, None where that cannot be seen."""
    started = time.monotonic()
    process = start(lab.fit(lab.case(0) / "run"), preexec_fn=_take_none_for_ignored)
    entered = time.monotonic() - started if wait_until(lambda: takes_signals(process), process) else None
    finish(process)
    return entered


def _take_none_for_ignored() -> None:
    """Undo what ``nohup`` has done for this tool: nntrain leaves a signal ignored that is."""
    for name in CODES:
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def _send(lab: Lab, number: int, name: str, seconds: float) -> tuple[str, int | None, list[str]]:
    folder = lab.case(number)
    place = folder / "run"
    process = start(lab.fit(place), preexec_fn=_take_none_for_ignored)
    wait_until(lambda: takes_signals(process), process)
    time.sleep(seconds)
    process.send_signal(getattr(signal, name))
    ended = finish(process)
    problems = ended.problems(0, CODES[name]) + _untold(ended, place.is_dir()) + lab.judge(place)
    if not problems:
        shutil.rmtree(folder)
    return f"run {number}, {name} {seconds:.3f} seconds after its entry", ended.code, problems


def _untold(ended: Ended, has_run: bool) -> list[str]:
    told = "nntrain fit --resume" in ended.stderr
    return ["the resume command is not told"] if ended.code and has_run and not told else []
