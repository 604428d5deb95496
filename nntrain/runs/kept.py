"""Names of the checkpoints that ``checkpoint.keep`` keeps: ``step-N``, after N updates."""

from __future__ import annotations

import re

_NAME = re.compile(r"step-([0-9]{1,18})")


def kept_name(step: int) -> str:
    """Return the name of the checkpoint kept after an update.

    >>> kept_name(40)
    'step-40'
    """
    return f"step-{step}"


def kept_step(name: str) -> int | None:
    """Return the update after which the checkpoint of a name was kept, or None where it is no such name.

    >>> kept_step("step-40"), kept_step("last")
    (40, None)
    """
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1])
