"""The forms an example can have, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nntrain.data.forms.base import Form
from nntrain.data.forms.image import ImageForm
from nntrain.data.forms.long_sequences import LongSequences
from nntrain.data.forms.rows import RowForm
from nntrain.data.forms.series import SeriesForm
from nntrain.data.forms.text import TextForm
from nntrain.data.forms.wide_sequences import WideSequences
from nntrain.data.options import DataOptions

FORMS: dict[str, type[Form]] = {
    form.name: form for form in (RowForm, ImageForm, TextForm, LongSequences, WideSequences, SeriesForm)
}
"""All forms. The first one that asks for an example's data section gets it; rows of a table take what is left."""


def form_of(options: DataOptions) -> type[Form]:
    """Return the form that a data section asks for."""
    asked = [form for form in FORMS.values() if form.is_asked_for(options)]
    return asked[0] if asked else RowForm


def form_from(state: Mapping[str, Any]) -> Form:
    """Return the form that :meth:`Form.state` described, whose name stands beside it."""
    return FORMS[state["form"]].load(state)
