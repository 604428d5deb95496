"""The page of what was found: one table, one line for each thing that was done, and each failure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from place import sentence

TEXT = """# Reliability

What nntrain survived when [reliability/](../reliability/README.md) last put each group of faults on it; below the table
stand machine, date and revision:

```sh
python reliability/run.py && python reliability/run.py --page
```

Faults are put on a training of iris with dropout, batch norm, Adam, a cosine schedule, validation and metrics, and a
checkpoint after every update, so that nearly all of its time is spent where a fault can hurt. After each fault
`nntrain show` must end with code 0 or 4, `nntrain fit --resume` (`fit` where there was no run yet) with code 0, and
then `metrics.jsonl`, `last.safetensors` and `best.safetensors` must be byte for byte those of the training that nothing
happened to, with each epoch once and no temporary file left.

{table}

{places}

{failures}

## What the lines mean

- **SIGKILL at a random time**: the process is killed at a time drawn evenly from how long a training takes. In a chain
  what goes on with the run is killed as well, up to five times.
- **SIGKILL at a system call**: strace names every call that opens, makes, writes, syncs, renames, links or removes
  something in the run directory, and the process is killed at each of them in turn; once for a training from its start,
  once for one that goes on with a run that has torn rows and temporary files to tidy up.
- **A system call fails**: the same calls, each failing once with one of ENOSPC, EIO, EDQUOT, EROFS and EACCES. The
  command must end with code 6 and name a file of the run, or with code 0 where it could do without; no traceback. The
  line above each of the two counts the faults that came to pass.
- **Renames**: a SIGKILL cannot show a missing sync, as the kernel keeps what was written. So the trace is read: what
  is renamed must have been synced, rows before the checkpoint that has them, and the folder after it.
- **Signals**: SIGINT, SIGTERM and SIGHUP at a time drawn evenly from what follows the moment at which nntrain's
  handlers stand. The exit code must be 130, 143 or 129 (or 0 for a training that had just finished), with no
  traceback, and with the command that goes on where there is a run. Before that moment Python starts, and ends in its
  own way.
- **Disks** are file systems in memory, from too small for anything to just too small; the run goes on when there is
  room.
- **Flipped bits** are found in `last.safetensors`; what is then used must equal `previous.safetensors`.
- **Bad files** are those of `tests/faults` and `reliability/configs`, each with its own place and words.
- **Changed files** are changed by chance: bits, spans, tokens that readers stumble over; checkpoints mostly with a
  right checksum. Each must be read or refused with an error of ours within 2 seconds and 300 MB. Any
  other exception, and a warning, counts as a failure.

Not shown here: what a loss of power does to a disk that acknowledges a sync without doing it, file systems other than
the ones named above, and other systems than Linux.
"""


def page(stored: Mapping[str, dict[str, Any]]) -> str:
    """Return the page of what the groups found."""
    places: dict[str, list[str]] = {}
    for name, found in stored.items():
        places.setdefault(sentence(found), []).append(f"{name} (a sample)" if found.get("quick") else name)
    told = [f"{place}." if len(places) == 1 else f"- {', '.join(names)}: {place}." for place, names in places.items()]
    return TEXT.format(table=table(stored), places="\n".join(told), failures=failures(stored))


def table(stored: Mapping[str, dict[str, Any]]) -> str:
    """Return the table of all groups.

    >>> print(table({"kills": {"rows": [{"what": "a kill", "good": 3, "of": 4, "missing": None}]}}))
    | what | survived, found | of | share |
    |---|--:|--:|--:|
    | a kill | 3 | 4 | 75 % |
    """
    lines = ["| what | survived, found | of | share |", "|---|--:|--:|--:|"]
    for found in stored.values():
        for row in found["rows"]:
            if row["missing"]:
                lines.append(f"| {row['what']} | not measured: {row['missing']} |  |  |")
            else:
                lines.append(f"| {row['what']} | {row['good']:,} | {row['of']:,} | {_share(row['good'], row['of'])} |")
    return "\n".join(lines)


def _share(good: int, of: int) -> str:
    """Return a share that is 100 % only where nothing is missing."""
    if not of:
        return "-"
    return "100 %" if good == of else f"{min(99.99, 100 * good / of):.4g} %"


def failures(stored: Mapping[str, dict[str, Any]]) -> str:
    """Return the failures, or that there are none."""
    found = [f"- {name}: {failure}" for name, content in stored.items() for failure in content["failures"]]
    notes = [f"- {name}: {note}" for name, content in stored.items() for note in content["notes"]]
    told = "\n".join(["Failures:", "", *found]) if found else "Failures: none."
    return "\n".join([told, "", "In numbers:", "", *notes])


def write(path: Path, stored: Mapping[str, dict[str, Any]]) -> None:
    """Write the page."""
    path.write_text(page(stored), encoding="utf-8")
