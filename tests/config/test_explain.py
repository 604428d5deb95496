"""JSON Schema, reference and listings, made from what checks a config."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nntrain.config.data_section import DataSection
from nntrain.config.explain import describe, reference_markdown
from nntrain.config.json_schema import json_schema
from nntrain.config.sections import Settings
from nntrain.errors import ConfigError
from nntrain.registry import kinds, registry_of


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def test_every_key_is_in_the_schema(schema: dict[str, Any]) -> None:
    assert list(schema["properties"]) == list(Settings.model_fields)
    assert schema["required"] == ["data", "architecture"]
    assert schema["additionalProperties"] is False
    assert set(schema["$defs"]["DataSection"]["properties"]) == set(DataSection.model_fields)
    assert schema["properties"]["epochs"]["minimum"] == 0


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(part: Any) -> set[str]:
        if isinstance(part, list):
            return set().union(*map(references, part))
        if not isinstance(part, dict):
            return set()
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*(references(value) for value in part.values()))

    found = references(schema)
    assert {"#/$defs/layer", "#/$defs/optimizer", "#/$defs/schedule", "#/$defs/architecture"} <= found
    assert {reference.removeprefix("#/$defs/") for reference in found} <= set(schema["$defs"])
    assert "registered" not in json.dumps(list(schema["properties"].values()))


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind != "initializer"])
def test_every_registered_name_is_in_the_schema(schema: dict[str, Any], kind: str) -> None:
    forms = schema["$defs"][kind]["anyOf"]
    named = {form["properties"]["name"]["const"] for form in forms[1:] if "name" in form["properties"]}
    assert named == set(registry_of(kind).names())
    assert set(forms[0]["enum"]) <= named


def test_the_blocks_of_layers_are_in_the_schema(schema: dict[str, Any]) -> None:
    keys = [
        set(form["properties"]) for form in schema["$defs"]["layer"]["anyOf"][1:] if "name" not in form["properties"]
    ]
    assert {"residual"} <= keys[0]
    assert {"branch", "merge"} <= keys[1]
    assert {"repeat", "layers"} <= keys[2]


def test_a_listing_shows_arguments_with_type_default_and_meaning() -> None:
    text = describe("layer", "dense")
    assert text.startswith("dense: A fully connected layer")
    assert "\n  units (an integer of at least 1, required): number of outputs." in text
    assert (
        "\n  kernel_initializer (an initializer (a name, or a mapping with 'name'), default glorot_uniform): " in text
    )
    with pytest.raises(ConfigError, match="did you mean 'dense'"):
        describe("layer", "dens")


def test_the_reference_holds_every_key_and_every_name() -> None:
    text = reference_markdown()
    for key in [*Settings.model_fields, *DataSection.model_fields]:
        assert f"| `{key}` |" in text
    for kind in kinds():
        for name in registry_of(kind).names():
            assert f"### {kind} `{name}`" in text


def test_every_key_has_a_meaning() -> None:
    for line in reference_markdown().splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|  |"), line
