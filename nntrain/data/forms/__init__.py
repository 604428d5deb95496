"""The forms an example can have, by name; a form's module is imported when a data section or a checkpoint needs it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from nntrain.data.forms.base import Form
from nntrain.data.options import DataOptions

FORMS = {
    "rows": "RowForm",
    "image": "ImageForm",
    "text": "TextForm",
    "long_sequences": "LongSequences",
    "wide_sequences": "WideSequences",
    "series": "SeriesForm",
}
"""The class of each form; it stands in a module of the form's name."""


def form_of(options: DataOptions) -> type[Form]:
    """Return the form that a data section asks for; rows of a table take what is left."""
    if options.image is not None:
        return form_named("image")
    if options.sequence is not None:
        return form_named("wide_sequences" if options.sequence.group is None else "long_sequences")
    if options.series is not None:
        return form_named("series")
    return form_named("text" if options.text is not None or _declares_text(options) else "rows")


def form_from(state: Mapping[str, Any]) -> Form:
    """Return the form that :meth:`Form.state` described, whose name stands beside it."""
    return form_named(state["form"]).load(state)


def form_named(name: str) -> type[Form]:
    """Return the form of a name.

    >>> form_named("series").unit
    'windows'
    """
    found = FORMS[name]  # before anything is imported: the name may come from a checkpoint
    form: type[Form] = getattr(importlib.import_module(f"nntrain.data.forms.{name}"), found)
    return form


def _declares_text(options: DataOptions) -> bool:
    """Return whether a feature column is declared as text."""
    others = {*options.targets, *options.ignore, options.weight, options.group, options.order}
    declared = [name for name, own in options.columns.items() if own.type == "text"]
    return any(name not in others if options.features is None else name in options.features for name in declared)
