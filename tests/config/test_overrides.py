"""``--set``: the same values as in the file, and errors that repeat what was typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.config import load_config
from nntrain.config.load import parse_text
from nntrain.config.overrides import apply_overrides
from nntrain.errors import ConfigError


def overridden(text: str, *overrides: str, defaults: dict[str, Any] | None = None) -> Any:
    document = parse_text(text, "c.yaml")
    apply_overrides(document, overrides, defaults or {})
    assert not document.problems
    return document.values


@pytest.mark.parametrize(
    ("text", "override", "expected"),
    [
        ("a: {b: 1}", "a.b=1e-3", {"a": {"b": 0.001}}),
        ("a: 1", "b=no", {"a": 1, "b": "no"}),
        ("a: 1", "a=null", {"a": None}),
        ("a: 1", "a=''", {"a": ""}),
        ("a: 1", "a='1'", {"a": "1"}),
        ("a: 1", "a=true", {"a": True}),
        ("a: 1", "a=[1, x]", {"a": [1, "x"]}),
        ("a: 1", "a={b: 2}", {"a": {"b": 2}}),
        ("a: 1", "a=b=c", {"a": "b=c"}),
        ("a: 1", "b.c.d=2", {"a": 1, "b": {"c": {"d": 2}}}),
        ("optimizer: adam", "optimizer.learning_rate=1e-2", {"optimizer": {"name": "adam", "learning_rate": 0.01}}),
        ("optimizer: {name: adam, beta1: 0.5}", "optimizer=sgd", {"optimizer": "sgd"}),
        ("a: {b: [1, 2]}", "a.b.0=8", {"a": {"b": [8, 2]}}),
        ("l: [relu, {name: dense, units: 3}]", "l.1.units=8", {"l": ["relu", {"name": "dense", "units": 8}]}),
        ("l: [dense]", "l.0.units=8", {"l": [{"name": "dense", "units": 8}]}),
        ("l: [{residual: [{name: dense, units: 3}]}]", "l.0.residual.0.units=1", None),
        ("columns: {}", 'columns."petal.length".type=text', {"columns": {"petal.length": {"type": "text"}}}),
        ("a:", "a.b=1", {"a": {"b": 1}}),
        ("", "a.b=1", {"a": {"b": 1}}),
    ],
)
def test_values_are_those_of_the_file(text: str, override: str, expected: Any) -> None:
    expected = {"l": [{"residual": [{"name": "dense", "units": 1}]}]} if expected is None else expected
    assert overridden(text, override) == expected


def test_later_overrides_win() -> None:
    assert overridden("a: 1", "a=2", "a=3") == {"a": 3}


def test_what_the_file_leaves_out_starts_from_its_default() -> None:
    values = overridden("a: 1", "optimizer.beta1=0.5", defaults={"optimizer": "adam"})
    assert values["optimizer"] == {"name": "adam", "beta1": 0.5}


def test_an_override_through_an_alias_leaves_its_anchor_alone() -> None:
    assert overridden("a: &a {x: 1}\nb: *a", "b.x=2") == {"a": {"x": 1}, "b": {"x": 2}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a.b=", "error: --set a.b=: a.b: expected a value after '=', got nothing"),
        ("a..b=1", "error: --set a..b=1: key 'a..b' has an empty or malformed part"),
        (".a=1", "error: --set .a=1: key '.a' has an empty or malformed part"),
        ("a.=1", "error: --set a.=1: key 'a.' has an empty or malformed part"),
        ("=1", "error: --set =1: key '' has an empty or malformed part"),
        ("x", "error: --set x: expected KEY=VALUE, got no '='"),
        ("", "error: --set : expected KEY=VALUE, got no '='"),
        ("h.2=1", "error: --set h.2=1: h is a list with items 0 to 1, got '2'"),
        ("h.00000000005=1", "error: --set h.00000000005=1: h is a list with items 0 to 1, got '00000000005'"),
        ("h.-1=1", "error: --set h.-1=1: h is a list with items 0 to 1, got '-1'"),
        ("h.x=1", "error: --set h.x=1: h is a list with items 0 to 1, got 'x'"),
        ("h.0.x=1", "error: --set h.0.x=1: h.0 is 5, which has no keys"),
        ("a=[1", "error: --set a=[1: a '[' that opens here is not closed"),
        ("a='b", "error: --set a='b: a quote that opens here is never closed"),
        ("a=*x", "error: --set a=*x: alias 'x' names nothing"),
        ("a=\x1b", "error: --set a=\\x1b: character '\\x1b' is not allowed"),
        ("a=\udcff", "error: --set a=\\udcff: character '\\udcff' is not allowed"),
        (".".join("a" * 60) + "=1", "error: --set a.a.a.a"),
    ],
)
def test_errors_repeat_the_override(override: str, message: str) -> None:
    document = parse_text("h: [5, 6]", "c.yaml")
    with pytest.raises(ConfigError) as caught:
        apply_overrides(document, [override], {})
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


def test_all_bad_overrides_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        apply_overrides(parse_text("a: 1", "c.yaml"), ["x", "y"], {})
    assert len(caught.value.problems) == 2


def test_bad_overrides_are_told_with_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("data: {train: d.csv, target: y}\narchitecture: linear\nepocs: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(str(file), ["foo", "epochs=x"])
    messages = [problem.message for problem in caught.value.problems]
    assert [message.split(":")[0] for message in messages] == ["expected KEY=VALUE, got no '='", "epocs", "epochs"]


@pytest.mark.parametrize("override", ["data.train=", '"data".train=', "plugins=[mine.py", "architecture='x"])
def test_nothing_more_is_said_of_what_an_unread_override_is_about(override: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    train, layers = ("", "linear") if "train" in override else ("train: d.csv, ", "{layers: [my_layer]}")
    file.write_text(f"data: {{{train}target: y}}\narchitecture: {layers}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(str(file), [override])
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(f"error: --set {override}")


def test_a_bad_override_of_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("")
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        load_config(str(tmp_path / "c.yaml"), ["foo"])


def test_mistakes_within_a_value_are_kept_with_the_override_as_their_place() -> None:
    document = parse_text("a: 1", "c.yaml")
    apply_overrides(document, ["b={c: !x 1}"], {})
    (problem,) = document.problems
    assert problem.place == "--set b={c: !x 1}"
    assert problem.message.startswith("b: c: tag '!x'") or problem.message.startswith("b.c: tag '!x'")
    assert ("b", "c") in document.spoiled


def test_bytes_that_python_kept_are_the_text_they_were() -> None:
    """With LC_ALL=C and without the UTF-8 mode, arguments come so."""
    typed = "name=été".encode().decode("ascii", "surrogateescape")
    assert overridden("a: 1", typed) == {"a": 1, "name": "été"}


@given(st.text(max_size=30))
def test_any_text_is_applied_or_refused(text: str) -> None:
    document = parse_text("a: {b: [1, {c: x}]}", "c.yaml")
    try:
        apply_overrides(document, [text], {"optimizer": "adam"})
    except ConfigError as error:
        assert error.problems[0].path is not None
        assert error.problems[0].path.startswith("--set ")
