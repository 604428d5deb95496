"""Cells and tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is text, all others are numbers.

    >>> print(table(["net", "ms"], [["mlp", "3"]]))
    | net | ms |
    |---|--:|
    | mlp | 3 |
    """
    marks = ["---", *["--:"] * (len(header) - 1)]
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(marks)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def number(value: float | None, unit: str = "", digits: int = 3) -> str:
    """Return a number with so many significant digits, without an exponent, or a dash for None.

    >>> number(1234.5), number(0.01234, " s"), number(None), number(12.04)
    ('1230', '0.0123 s', '-', '12.0')
    """
    if value is None:
        return "-"
    if value == 0:
        return f"0{unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = int(f"{rounded:e}".partition("e")[2])
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}{unit}"


def megabytes(count: float | None) -> str:
    """Return bytes as whole megabytes of a million bytes, or a dash for None.

    >>> megabytes(57_400_000)
    '57 MB'
    """
    return "-" if count is None else f"{count / 1e6:.0f} MB"
