"""Whether the feature columns of a table can be the pixels of an image, and what is likely wrong where they cannot."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from nntrain.data.column_types import NUMERIC_SHARE
from nntrain.data.options import ImageOptions
from nntrain.data.table import Table
from nntrain.errors import DataError, enumerate_names, quote

_DIGITS = re.compile(r"\d+")


def check_pixel_columns(table: Table, names: Sequence[str], image: ImageOptions) -> None:
    """Refuse feature columns that are not one number for each pixel and channel.

    Raises:
        DataError: there are more or fewer of them, or a cell is neither a number nor missing.
    """
    needed = image.height * image.width * image.channels
    if len(names) != needed:
        size = f"{image.height} x {image.width} x {image.channels}"
        raise DataError(
            f"data.image: {size} needs {needed} feature columns, found {len(names)}",
            path=table.path,
            help=_likely_cause(table, names, image),
            notes=[f"feature columns: {enumerate_names(names, 5)}"],
        )
    for name in names:
        if table.columns[name].number_share < 1.0:
            raise table.columns[name].not_numbers()


def _likely_cause(table: Table, names: Sequence[str], image: ImageOptions) -> str:
    """Return a remedy for a wrong number of columns."""
    count, area = len(names), image.height * image.width
    texts = [name for name in names if table.columns[name].number_share < NUMERIC_SHARE]
    odd = texts or odd_names(names)
    if count - len(odd) == area * image.channels:
        return f"leave {enumerate_names([quote(name) for name in odd])} out with data.ignore"
    pixels = count - len(odd)
    also = f", and leave {enumerate_names([quote(name) for name in odd], 3)} out with data.ignore" if odd else ""
    sizes = [f"data.image.channels: {pixels // area}"] if pixels % area == 0 else []
    side = math.isqrt(pixels // image.channels)
    if side * side * image.channels == pixels:
        sizes.append(f"data.image.height: {side} and data.image.width: {side}")
    if pixels and sizes:
        return f"set {', or '.join(sizes)}{also}"
    return "every pixel and channel is a column; check height, width and channels, data.features and data.ignore"


def odd_names(names: Sequence[str]) -> list[str]:
    """Return the names that are not like most others, where most are alike but for their numbers.

    >>> odd_names(["id", "p0", "p1", "p2"]), odd_names(["a", "b", "c"])
    (['id'], [])
    """
    kinds = [_DIGITS.sub("0", name) for name in names]
    common, count = Counter(kinds).most_common(1)[0]
    return [name for name, kind in zip(names, kinds, strict=True) if kind != common] if 2 * count > len(names) else []
