"""The sections of the config: exactly the keys a file may hold, their types, ranges, defaults and meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt
from pydantic import Field, field_validator, model_validator

from nntrain.config.annotations import Choice, Says
from nntrain.config.data_section import DataSection
from nntrain.config.section import ONE_OR_MORE, Name, Section, check_failed
from nntrain.config.specs import Spec
from nntrain.errors import escape, quote
from nntrain.registry import registry_of

LONGEST_NAME = 100
"""Bytes of the longest name of a run; as a directory it also gets a date and a random part."""
_NOT_IN_NAMES = '/\\<>:"|?*'
"""What some system or shell takes for something else in a file name."""


class GradientClipping(Section):
    """A limit on gradients before each update: on their norm or on each value."""

    norm: Annotated[float, Gt(0)] | None = Field(None, description="largest Euclidean norm of the whole gradient")
    value: Annotated[float, Gt(0)] | None = Field(None, description="largest magnitude of each component")

    @model_validator(mode="after")
    def _one_limit(self) -> GradientClipping:
        if (self.norm is None) == (self.value is None):
            found = "neither" if self.norm is None else "both"
            raise check_failed((), f"expected either 'norm' or 'value', got {found}")
        return self


class Regularization(Section):
    """Penalties on the weights, biases excluded: l1 sum |w| + l2 sum w^2 is added to the loss."""

    l1: Annotated[float, Ge(0)] = Field(0.0, description="factor of the sum of magnitudes")
    l2: Annotated[float, Ge(0)] = Field(0.0, description="factor of the sum of squares")


class EarlyStopping(Section):
    """Ends the run when the monitored value has not improved for ``patience`` epochs."""

    monitor: Name | None = Field(
        None, description="column of metrics.jsonl; val_loss, or train_loss without validation, where left out"
    )
    patience: Annotated[int, Ge(1)] = Field(10, description="epochs without improvement")
    min_delta: Annotated[float, Ge(0)] = Field(0.0, description="smallest change that is an improvement")
    mode: Literal["auto", "min", "max"] = Field(
        "auto", description="which direction is better; auto knows the metric's"
    )


class CheckpointSection(Section):
    """When checkpoints are written, and which epoch is the best: of equal ones the first."""

    monitor: Name | None = Field(
        None, description="column of metrics.jsonl; val_loss, or train_loss without validation, where left out"
    )
    every_epochs: Annotated[int, Ge(1)] | None = Field(None, description="also write every so many epochs")
    every_seconds: Annotated[float, Ge(0)] = Field(30.0, description="write when so many seconds have passed")
    keep: Annotated[int, Ge(0)] = Field(
        0, description="how many older checkpoints are kept beside last and best, as step-<updates>"
    )


class Settings(Section):
    """A whole config, every value checked; registered things are complete mappings with ``name``."""

    name: str = Field("", description="begins the name of the run directory; the file's stem where left out")
    seed: Annotated[int, Ge(0)] = Field(0, description="of everything random")
    plugins: Annotated[list[Name], ONE_OR_MORE, Says("a list of files")] = Field(
        [], description="Python files with layers, losses and the like of your own, or names of installed plug-ins"
    )
    data: DataSection = Field(description="the table")
    architecture: Annotated[dict[str, Any], Spec("architecture")] = Field(
        description="the network without its output layer"
    )
    output_activation: Annotated[dict[str, Any], Spec("layer")] | None = Field(
        None, description="an activation that overrides the link that the loss implies"
    )
    loss: Annotated[dict[str, Any], Spec("loss")] | None = Field(
        None, description="what training makes small; follows the task where left out"
    )
    metrics: Annotated[list[Annotated[dict[str, Any], Spec("metric")]], ONE_OR_MORE] | None = Field(
        None, description="what predictions are judged by; follow the task where left out"
    )
    optimizer: Annotated[dict[str, Any], Spec("optimizer")] = Field(
        {"name": "adam"}, validate_default=True, description="the rule of the updates"
    )
    batch_size: Annotated[int | str, Choice(Annotated[int, Ge(1)], Literal["full"])] = Field(
        32, description="rows an update; `full` is batch gradient descent, 1 is stochastic gradient descent"
    )
    epochs: Annotated[int, Ge(0)] = Field(100, description="passes over the training rows; 0 writes the first weights")
    accumulate: Annotated[int, Ge(1)] = Field(1, description="batches per update")
    class_weight: Annotated[
        str | dict[str, float] | None, Choice(Literal["balanced"], dict[str, Annotated[float, Ge(0)]], None)
    ] = Field(None, description="weights of the classes: balanced, or a mapping of label to number")
    gradient_clipping: GradientClipping | None = Field(
        None, description="a limit on gradients: {norm: 1.0} or {value: 0.5}"
    )
    regularization: Regularization | None = Field(None, description="penalties on the weights: {l1: 0.0, l2: 0.0001}")
    early_stopping: EarlyStopping | None = Field(None, description="ends the run when it no longer improves")
    checkpoint: CheckpointSection = Field(
        default_factory=lambda: CheckpointSection.model_validate({}), description="when checkpoints are written"
    )
    callbacks: list[Annotated[dict[str, Any], Spec("callback")]] = Field(
        [], description="what else looks at each epoch"
    )
    threads: Annotated[int, Ge(1)] | None = Field(None, description="processors to use; as many as help where left out")
    shards: Annotated[int | str, Choice(Literal["auto"], Annotated[int, Ge(1)])] = Field(
        "auto", description="parts of a batch that are computed side by side"
    )
    stream: Annotated[bool | str, Choice(Literal["auto"], bool)] = Field(
        "auto", description="whether the table stays on disk; auto decides by its size"
    )
    tensorboard: bool = Field(False, description="whether TensorBoard event files are written")

    @model_validator(mode="before")
    @classmethod
    def _without_target(cls, values: Any) -> Any:
        """Fill in an empty ``data.target`` where the architecture needs none."""
        data = values.get("data") if isinstance(values, dict) else None
        if isinstance(data, dict) and "target" not in data and reconstructs(values.get("architecture")):
            return {**values, "data": {**data, "target": []}}
        return values

    @model_validator(mode="after")
    def _some_target(self) -> Settings:
        if not self.data.target and not reconstructs(self.architecture):
            expected = "the name of a column (text) or a list of them"
            raise check_failed(("data", "target"), f"expected {expected}, got an empty list")
        return self

    @field_validator("name")
    @classmethod
    def _safe_name(cls, value: str) -> str:
        reason = unsafe_name(value)
        if reason:
            raise check_failed((), f"{reason}, got {quote(value)}", "the name becomes part of a directory's name")
        return value


def reconstructs(architecture: Any) -> bool:
    """Return whether the architecture of a spec has its input for its target.

    >>> reconstructs("autoencoder"), reconstructs({"name": "mlp"})
    (True, False)
    """
    name = architecture.get("name") if isinstance(architecture, dict) else architecture
    registry = registry_of("architecture")
    return name in registry.names() and bool(registry.get(name).factory.reconstructs)


def unsafe_name(name: str) -> str | None:
    """Return why a text cannot be the name of a run directory, or None where it can.

    >>> unsafe_name("iris mlp"), unsafe_name("../iris")
    (None, "expected no '/'")
    """
    if "\n" in name or "\r" in name:
        return "expected one line, a newline is not allowed"
    if not name or name != name.strip():
        return "expected text that does not begin or end blank"
    found = next((character for character in name if character in _NOT_IN_NAMES), None)
    if found:
        return f"expected no '{found}'"
    if escape(name) != name:
        return "expected no control or invisible characters"
    if name[0] in ".-":
        return "expected no '.' or '-' at the beginning"
    if len(name.encode()) > LONGEST_NAME:
        return f"expected at most {LONGEST_NAME} bytes"
    return None


def name_from(stem: str) -> str:
    """Return the default name of a run: the file's stem, or ``config`` where that is no safe name."""
    return "config" if unsafe_name(stem) else stem
