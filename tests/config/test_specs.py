"""Constructor signatures as schemas: every form of annotation, against a registry of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen
from hypothesis import given
from hypothesis import strategies as st

from nntrain.config.annotations import describe
from nntrain.config.specs import complete_spec, model_of
from nntrain.registry import Registered, Registry


class Gadget:
    """Base of the test's registered things."""


GADGETS: Registry[Gadget] = Registry("gadget", Gadget, "nntrain")
GadgetLike = Annotated[str | dict[str, Any] | Gadget, Registered("gadget")]


@GADGETS.register("plain")
class Plain(Gadget):
    """Nothing to set."""


@GADGETS.register("low", level=0.25)
@GADGETS.register("knob")
class Knob(Gadget):
    """One thing to set.

    Args:
        level: how far.
    """

    def __init__(self, level: Annotated[float, Ge(0), Lt(1)] = 0.5) -> None:
        self.level = level


@GADGETS.register("rack")
class Rack(Gadget):
    """Every form of annotation.

    Args:
        size: needed.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(1), Le(8)],
        inner: GadgetLike = "knob",
        maybe: GadgetLike | None = None,
        rate: Annotated[float, Gt(0)] | GadgetLike = 0.1,
        several: Sequence[GadgetLike] = (),
        nested: list[list[GadgetLike]] | None = None,
        mode: Literal["a", "b"] = "a",
        padding: Annotated[int, Ge(0)] | Literal["same"] = "same",
        shape: tuple[int, ...] = (1, 2),
        pair: tuple[int, float] = (1, 2.0),
        names: Annotated[list[str], MinLen(1)] | None = None,
        weights: dict[str, float] | None = None,
        flag: bool = False,
        copy: str = "x",
        loose: int = None,  # type: ignore[assignment]  # noqa: RUF013 - as plug-ins are written
    ) -> None:
        pass


def complete(**spec: Any) -> dict[str, Any]:
    found = complete_spec("gadget", spec)
    assert isinstance(found, dict), found
    return found


def issues(**spec: Any) -> list[tuple[tuple[str | int, ...], str]]:
    found = complete_spec("gadget", spec)
    assert isinstance(found, list), found
    return [(issue.at, issue.text) for issue in found]


def test_defaults_are_filled_in_all_the_way_down() -> None:
    assert complete(name="rack", size=2) == {
        "name": "rack",
        "size": 2,
        "inner": {"name": "knob", "level": 0.5},
        "maybe": None,
        "rate": 0.1,
        "several": [],
        "nested": None,
        "mode": "a",
        "padding": "same",
        "shape": [1, 2],
        "pair": [1, 2.0],
        "names": None,
        "weights": None,
        "flag": False,
        "copy": "x",
        "loose": None,
    }


def test_presets_are_defaults() -> None:
    assert complete(name="low") == {"name": "low", "level": 0.25}
    assert complete(name="knob") == {"name": "knob", "level": 0.5}


def test_registered_things_within_lists_and_unions() -> None:
    found = complete(
        name="rack",
        size=1,
        maybe="low",
        rate={"name": "knob"},
        several=["plain", {"name": "knob", "level": 0}],
        nested=[["plain"], []],
        padding=3,
        pair=[3, 4],
        weights={"a": 1},
    )
    assert found["rate"] == {"name": "knob", "level": 0.5}
    assert found["several"] == [{"name": "plain"}, {"name": "knob", "level": 0.0}]
    assert found["nested"] == [[{"name": "plain"}], []]
    assert found["maybe"] == {"name": "low", "level": 0.25}
    assert found["padding"] == 3
    assert found["pair"] == [3, 4.0]
    assert found["weights"] == {"a": 1.0}


def test_a_complete_spec_is_complete_already() -> None:
    found = complete(name="rack", size=1, several=["knob"], nested=[["low"]])
    assert complete(**found) == found


@pytest.mark.parametrize(
    ("spec", "at", "text"),
    [
        ({"size": 0}, ("size",), "an integer of at least 1 and at most 8"),
        ({"size": 9}, ("size",), "an integer of at least 1 and at most 8"),
        ({"size": True}, ("size",), "an integer of at least 1 and at most 8"),
        ({"size": 1.0}, ("size",), "an integer of at least 1 and at most 8"),
        ({"size": "1"}, ("size",), "an integer of at least 1 and at most 8"),
        ({"size": None}, ("size",), "an integer of at least 1 and at most 8"),
        ({"size": 1, "inner": None}, ("inner",), "a gadget (a name, or a mapping with 'name')"),
        ({"size": 1, "inner": {"name": "knob", "level": 1}}, ("inner", "level"), "a number of at least 0 and below 1"),
        ({"size": 1, "several": ["plain", {"name": "knob", "level": 2}]}, ("several", 1, "level"), "a number of at le"),
        ({"size": 1, "several": "plain"}, ("several",), "a list of gadgets"),
        ({"size": 1, "nested": [["plain"], [3]]}, ("nested", 1, 0), "a gadget (a name, or a mapping with 'name')"),
        ({"size": 1, "nested": ["plain"]}, ("nested", 0), "a list of gadgets"),
        ({"size": 1, "rate": 0}, ("rate",), "a number above 0 or a gadget (a name, or a mapping with 'name')"),
        ({"size": 1, "rate": True}, ("rate",), "a number above 0 or a gadget (a name, or a mapping with 'name')"),
        ({"size": 1, "rate": float("nan")}, ("rate",), "a number above 0 or a gadget"),
        ({"size": 1, "rate": {"name": "low", "level": "x"}}, ("rate", "level"), "a number of at least 0 and below 1"),
        ({"size": 1, "mode": "c"}, ("mode",), "'a' or 'b'"),
        ({"size": 1, "padding": "valid"}, ("padding",), "an integer of at least 0 or 'same'"),
        ({"size": 1, "padding": -1}, ("padding",), "an integer of at least 0 or 'same'"),
        ({"size": 1, "shape": [1, 2.5]}, ("shape", 1), "an integer"),
        ({"size": 1, "pair": [1]}, ("pair",), "a list of 2 items"),
        ({"size": 1, "names": []}, ("names",), "a list of texts (at least 1 item) or null"),
        ({"size": 1, "weights": {"a": "x"}}, ("weights", "a"), "a number"),
        ({"size": 1, "flag": 1}, ("flag",), "true or false"),
        ({"size": 1, "flag": None}, ("flag",), "true or false"),
        ({"size": 1, "copy": 1}, ("copy",), "text"),
        ({"size": 1, "loose": 1.5}, ("loose",), "an integer or null"),
    ],
)
def test_what_each_annotation_refuses(spec: dict[str, Any], at: tuple[str | int, ...], text: str) -> None:
    ((place, said),) = issues(name="rack", **spec)
    assert place == at
    assert said.startswith(text)


def test_all_issues_of_all_levels_at_once() -> None:
    found = complete_spec(
        "gadget", {"name": "rack", "several": [{"name": "knob", "levl": 1}, {"name": "nob"}, {}], "flag": 3}
    )
    assert isinstance(found, list)
    assert {(issue.at, issue.kind) for issue in found} == {
        (("size",), "missing"),
        (("several", 0, "levl"), "unknown_key"),
        (("several", 1, "name"), "unknown_name"),
        (("several", 2), "message"),
        (("flag",), "type"),
    }


def test_models_are_made_once_for_each_name() -> None:
    assert model_of("gadget", "knob") is model_of("gadget", "knob")
    assert model_of("gadget", "knob") is not model_of("gadget", "low")


def test_no_argument_name_collides_with_pydantic() -> None:
    @GADGETS.register("awkward")
    class Awkward(Gadget):
        """Names of pydantic's own."""

        def __init__(self, model_config: int = 1, json: int = 2, schema: int = 3, model_dump: int = 4) -> None:
            pass

    assert complete(name="awkward", json=5) == {
        "name": "awkward",
        "model_config": 1,
        "json": 5,
        "schema": 3,
        "model_dump": 4,
    }


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "size", "inner", "several", "rate", "level"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["size", "inner", "several", "rate", "nested", "pair", "loose"]), _plain))
def test_any_plain_values_are_completed_or_refused(arguments: dict[str, Any]) -> None:
    found = complete_spec("gadget", {"name": "rack", **arguments})
    if isinstance(found, dict):
        assert complete(**found) == found
    else:
        assert found
        assert all(issue.kind in ("type", "missing", "unknown_key", "unknown_name", "message") for issue in found)


def test_types_in_plain_words() -> None:
    assert describe(int) == "an integer"
    assert describe(list[Annotated[int, Ge(1)]]) == "a list of integers of at least 1"
    assert describe(Literal["a", "b", "c"]) == "'a', 'b' or 'c'"
    assert describe(dict[str, float]) == "a mapping"
