"""One small tree of errors: where, what, how to mend it, and the exit code.

Everything a user can cause ends as an :class:`NntrainError`; it is printed at one point, ``nntrain.cli``.
Text that comes from a file or the command line passes through :func:`escape` before it is shown, so that no control
byte, no bidirectional mark and no escape sequence of a data file reaches a terminal.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and list indices that lead to a value of the config: ``("optimizer", "learning_rate")``."""

LONGEST_SHOWN = 60
"""Values are cut at this many characters in messages."""
LONGEST_PART = 2000
"""A message, a remedy, a note and a path are cut at this many: no file name or list of names fills the screen."""

_SHOWN_CATEGORIES = frozenset("LMNPSZ")
_BLANK_LETTERS = frozenset(
    map(chr, [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, 0xFFA0])
) | frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
"""Letters and marks that show nothing: fillers and variation selectors (Default_Ignorable_Code_Point of Unicode), and
the braille pattern without dots."""


def reason_of(error: OSError) -> str:
    """Return what the system says went wrong, as the end of a sentence.

    >>> reason_of(PermissionError(13, "Permission denied"))
    'permission denied'
    """
    return (os.strerror(error.errno) if error.errno else error.strerror or str(error)).lower()


def escape(text: str) -> str:
    """Return ``text`` with everything invisible or terminal-controlling written as an escape sequence.

    Letters, marks, numbers, punctuation, symbols and the plain blank stay; control bytes, format characters (bidi
    marks, zero-width characters), fillers, surrogates and separators other than the blank become ``\\x1b``,
    ``\\u202e``, ...
    Backslashes stay as they are, so escaping twice changes nothing.

    >>> escape("a\\x1b[31mb\\u202e")
    'a\\\\x1b[31mb\\\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_shown(character) else _escaped(character) for character in text)


def _is_shown(character: str) -> bool:
    category = unicodedata.category(character)
    is_usual = category[0] in _SHOWN_CATEGORIES and category[0] != "Z" and character not in _BLANK_LETTERS
    return character == " " or is_usual


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Return ``text`` escaped and cut at ``longest`` characters.

    >>> shorten("x" * 100, 5)
    'xxxxx... (100 characters)'
    """
    if len(text) <= longest:
        return escape(text)
    return f"{escape(text[:longest])}... ({len(text)} characters)"


def quote(value: object) -> str:
    """Return a value as it is shown in a message: text in single quotes, everything escaped and cut.

    >>> quote("five"), quote(True), quote(None), quote(0.5)
    ("'five'", 'true', 'null', '0.5')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"'{shorten(value)}'"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of about {int(value.bit_length() * 0.30103)} digits"
    return shorten(str(value))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty text.

    >>> did_you_mean("epocs", ["epochs", "seed"])
    "; did you mean 'epochs'?"
    """
    close = closest(name, known)
    return f"; did you mean {quote(close)}?" if close else ""


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name most like ``name``, ignoring case, or None where none is like it.

    Args:
        name: as it was given.
        known: what it may have been meant for.
        cutoff: how like it a name must be, from 0 to 1.

    >>> closest("adma", ["adamax", "adam"])
    'adam'
    """
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in known}
    typed = name.lower()[:LONGEST_SHOWN]
    found = difflib.get_close_matches(typed, by_lower, n=5, cutoff=cutoff)
    return by_lower[min(found, key=lambda candidate: _edits(typed, candidate))] if found else None


def _edits(a: str, b: str) -> int:
    """Return how many characters were left out, put in, changed or swapped with their neighbour."""
    before, above, row = [0] * (len(b) + 1), list(range(len(b) + 1)), [0]
    for i, letter in enumerate(a):
        row = [i + 1]
        for j, other in enumerate(b):
            cost = min(above[j + 1] + 1, row[j] + 1, above[j] + (letter != other))
            if i and j and (letter, other) == (b[j - 1], a[i - 1]):
                cost = min(cost, before[j - 1] + 1)
            row.append(cost)
        before, above = above, row
    return row[-1]


def enumerate_names(names: Sequence[str], most: int = 20) -> str:
    """Return names as one comma-separated, escaped text of at most ``most`` names.

    >>> enumerate_names(["a", "b", "c"], most=2)
    'a, b, ... (3 in all)'
    """
    shown = ", ".join(shorten(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"


def _bounded(text: str) -> str:
    return shorten(text, LONGEST_PART)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a message, the place it was found at, one remedy and further facts.

    ``path`` is the file as the user typed it; ``line`` and ``column`` count from 1 (a CSV's header is line 1). ``at``
    is the key path in the config of what is wrong, for whoever knows on which line that stands.

    >>> print(Problem("epocs: unknown key", path="iris.yaml", line=3, column=1, help="write 'epochs'").render())
    error: iris.yaml:3:1: epocs: unknown key
      help: write 'epochs'
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()
    at: KeyPath | None = None

    @property
    def place(self) -> str:
        """``path[:line[:column]]``, or an empty text where there is no file."""
        if self.path is None:
            return ""
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        return ":".join([_bounded(self.path), *numbers])

    @property
    def line_of_text(self) -> str:
        """The place and the message."""
        return ": ".join(part for part in (self.place, _bounded(self.message)) if part)

    def render(self, label: str = "error") -> str:
        """Return the printed form: one line for the error, then one for the remedy and one for each note."""
        lines = [f"{label}: {self.line_of_text}"]
        if self.help:
            lines.append(f"  help: {_bounded(self.help)}")
        lines.extend(f"  note: {_bounded(note)}" for note in self.notes)
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Return the problem as it stands in the ``errors`` list of a ``--json`` document."""
        return {
            "message": _bounded(self.message),
            "path": None if self.path is None else escape(self.path),
            "line": self.line,
            "column": self.column,
            "help": None if self.help is None else escape(self.help),
            "notes": [escape(note) for note in self.notes],
        }


class NntrainError(Exception):
    """Base of all errors a user can cause; holds one or more :class:`Problem` and the exit code.

    >>> error = DataError("column 'x': expected a number, got 'five'", path="iris.csv", line=42)
    >>> error.exit_code, str(error)
    (3, "error: iris.csv:42: column 'x': expected a number, got 'five'")
    """

    exit_code = 1

    def __init__(
        self,
        message: str | Iterable[Problem],
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        help: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        self.problems: tuple[Problem, ...]
        if isinstance(message, str):
            self.problems = (Problem(message, path, line, column, help, tuple(notes)),)
        else:
            self.problems = tuple(message)
        super().__init__(self.render())

    def stands_at(self, key_path: KeyPath) -> None:
        """Note where in the config the problems stand that have no place yet.

        >>> error = ConfigError("conv2d_1: conv2d needs images")
        >>> error.stands_at(("architecture", "layers", 1))
        >>> error.problems[0].at
        ('architecture', 'layers', 1)
        """
        self.problems = tuple(
            replace(problem, at=key_path) if problem.at is None and problem.path is None else problem
            for problem in self.problems
        )

    def render(self) -> str:
        """Return all problems in printed form."""
        return "\n".join(problem.render() for problem in self.problems)


class ConfigError(NntrainError):
    """The command line or the config is wrong."""

    exit_code = 2


class DataError(NntrainError):
    """A file or a column named by the config is missing or unusable."""

    exit_code = 3


class RunError(NntrainError):
    """A run directory or checkpoint is corrupt, incompatible or changed."""

    exit_code = 4


class NumericError(NntrainError):
    """Training failed numerically: a loss, gradient or weight is not finite.

    Attributes:
        step: number of the update that failed, from 1; None where it was none.
    """

    exit_code = 5
    step: int | None = None


class ResourceError(NntrainError):
    """The disk, a permission, the memory or a lock stands in the way."""

    exit_code = 6


class PartialError(NntrainError):
    """Part of what was asked for is done, part is not."""

    exit_code = 7
