"""Killed at any time: SIGKILL, once or again and again, as the kernel or a loss of power ends a process."""

from __future__ import annotations

import shutil
from random import Random

from findings import Findings
from lab import Lab
from process import killed_after
from settings import Settings

MOST_KILLS = 5


def measure_kills(settings: Settings) -> Findings:
    """Kill trainings once each, at times spread evenly over how long one takes."""
    return _measure(settings, "kills", settings.count(100, 3), 1)


def measure_chains(settings: Settings) -> Findings:
    """Kill the same run one to five times: the training, then what goes on with it."""
    return _measure(settings, "chains", settings.count(50, 1), MOST_KILLS)


def _measure(settings: Settings, group: str, count: int, most: int) -> Findings:
    lab, chance, findings = settings.timed_lab(), settings.random(group), Findings()
    seconds = lab.seconds
    seeds = [(number, chance.random(), seconds) for number in range(count)]
    answers = settings.spread(group, seeds, lambda case: _kill(lab, case[0], Random(case[1]), case[2], most))
    problems = {name: found for name, _, found in answers}
    kills = sum(made for _, made, _ in answers)
    what = "SIGKILL at a random time" if most == 1 else f"SIGKILL 1 to {most} times in the same run"
    findings.add(what, problems)
    findings.notes.append(f"{kills} kills in {count} runs of {seconds:.2f} seconds")
    return findings


def _kill(lab: Lab, number: int, chance: Random, seconds: float, most: int) -> tuple[str, int, list[str]]:
    """Kill a run, once at least; return the moments, how many they were, and what was wrong after them."""
    folder = lab.case(number)
    place = folder / "run"
    wanted = chance.randint(1, most)
    moments: list[str] = []
    while len(moments) < wanted:
        moment = chance.uniform(0, seconds)
        command = lab.resume(place) if place.is_dir() else lab.fit(place)
        if killed_after(command, moment):
            moments.append(f"{moment:.3f}")
        elif moments:  # it was resumed to its end before it could be killed
            break
        else:
            shutil.rmtree(place)
    problems = lab.judge(place)
    if not problems:
        shutil.rmtree(folder)
    return f"run {number} killed after {', '.join(moments)} seconds", len(moments), problems
