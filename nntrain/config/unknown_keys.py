"""What to say about a key that nobody knows: what was meant, or where it belongs.

All of this runs only when a config has such a key, so it may look through all registries.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from nntrain.config.issues import Level
from nntrain.config.sections import Settings
from nntrain.errors import closest, enumerate_names, quote, shorten
from nntrain.registry import Entry, registry_of

# What other tools call our keys.
_SYNONYMS = {
    "lr": "learning_rate",
    "eta": "learning_rate",
    "step_size": "learning_rate",
    "learningrate": "learning_rate",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "nb_epochs": "epochs",
    "max_epochs": "epochs",
    "iterations": "epochs",
    "max_iter": "epochs",
    "batch": "batch_size",
    "batchsize": "batch_size",
    "minibatch_size": "batch_size",
    "model": "architecture",
    "network": "architecture",
    "arch": "architecture",
    "criterion": "loss",
    "objective": "loss",
    "loss_function": "loss",
    "cost": "loss",
    "optim": "optimizer",
    "solver": "optimizer",
    "scheduler": "learning_rate",
    "schedule": "learning_rate",
    "lr_scheduler": "learning_rate",
    "metric": "metrics",
    "val": "validation",
    "validation_split": "validation",
    "val_split": "validation",
    "validation_fraction": "validation",
    "test_size": "test",
    "label": "target",
    "labels": "target",
    "target_column": "target",
    "y": "target",
    "csv": "train",
    "file": "train",
    "path": "train",
    "train_file": "train",
    "random_state": "seed",
    "random_seed": "seed",
    "grad_clip": "gradient_clipping",
    "clip_norm": "gradient_clipping",
    "clipnorm": "gradient_clipping",
    "clip": "gradient_clipping",
    "alpha": "l2",
    "class_weights": "class_weight",
    "sample_weight": "weight",
    "normalize": "scale",
    "scaler": "scale",
    "separator": "delimiter",
    "sep": "delimiter",
    "na_values": "missing_values",
    "hidden_layers": "hidden",
    "hidden_layer_sizes": "hidden",
    "hidden_units": "hidden",
    "layer_sizes": "hidden",
    "neurons": "units",
    "nodes": "units",
    "size": "units",
    "act": "activation",
    "nonlinearity": "activation",
    "keep_prob": "dropout",
    "kernel_init": "kernel_initializer",
    "weight_init": "kernel_initializer",
    "initializer": "kernel_initializer",
    "decay": "weight_decay",
    "gradient_accumulation": "accumulate",
    "accumulation_steps": "accumulate",
    "num_threads": "threads",
    "n_jobs": "threads",
    "kfold": "folds",
    "cv": "folds",
    "kernel_size": "kernel",
    "kernels": "kernel",
    "strides": "stride",
    "pool_size": "pool",
    "out_channels": "filters",
    "num_filters": "filters",
    "dilation_rate": "dilation",
    "hidden_size": "hidden",
    "num_heads": "heads",
    "n_heads": "heads",
    "d_model": "width",
    "num_layers": "blocks",
    "num_blocks": "blocks",
    "embedding_dim": "embedding",
    "embedding_size": "embedding",
    "vocab_size": "vocabulary",
    "max_features": "vocabulary",
    "max_length": "length",
    "window_size": "window",
    "lookback": "window",
    "forecast_horizon": "horizon",
    "timesteps": "steps",
    "random_crop": "crop",
    "translate": "shift",
    "width_shift_range": "shift",
    "height_shift_range": "shift",
    "horizontal_flip": "flip",
    "vertical_flip": "flip",
    "degrees": "rotate",
    "rotation": "rotate",
    "rotation_range": "rotate",
    "zoom_range": "zoom",
    "learning_rate_init": "learning_rate",
    "n_iter_no_change": "patience",
    "tol": "min_delta",
    "tolerance": "min_delta",
    "every": "every_epochs",
    "frequency": "every_epochs",
    "period": "every_epochs",
    "save_freq": "every_epochs",
    "validation_data": "validation",
    "val_size": "validation",
    "test_data": "test",
    "test_split": "test",
    "train_data": "train",
    "training_data": "train",
    "drop": "ignore",
    "drop_columns": "ignore",
    "exclude": "ignore",
    "input_features": "features",
    "feature_columns": "features",
    "input_columns": "features",
    "output_features": "target",
    "scaling": "scale",
    "standardize": "scale",
    "normalization": "scale",
    "fillna": "fill",
    "fill_value": "fill",
    "impute": "missing",
    "imputer": "missing",
    "imputation": "missing",
    "n_splits": "folds",
    "clip_value": "gradient_clipping",
    "clipvalue": "gradient_clipping",
    "min_df": "minimum_count",
    "min_freq": "minimum_count",
    "max_len": "length",
    "lags": "difference",
    "max_norm": "norm",
    "tokenizer": "tokens",
}

_FAR = 0.8
"""How like a key of another place must be to be what was meant: among so many, something is always a little like it."""

# Where the arguments of registered things belong.
_HOMES = {
    "optimizer": "optimizer",
    "architecture": "architecture",
    "schedule": "optimizer.learning_rate",
    "layer": "architecture.layers",
    "loss": "loss",
    "callback": "callbacks",
}


def unknown_key(key: str, level: Level) -> tuple[str, str | None]:
    """Return the message about an unknown key, without its path, and a remedy.

    Args:
        key: as written.
        level: the mapping it stands in.
    """
    before_colon = key.split(":", 1)[0]
    if before_colon != key and before_colon in level.allowed:
        return f"unknown key; {quote(key)} is a key without a value", "put a space after ':'"
    return f"unknown key{_meant(key, level)}", None


def _meant(key: str, level: Level) -> str:
    synonym = _SYNONYMS.get(key.lower(), key)
    synonym = key if synonym == level.name else synonym  # within a section its own name is not what was meant
    if synonym in level.allowed:
        return f"; did you mean {quote(synonym)}?"
    home = _within(synonym, level) or homes().get(synonym)
    if home is not None and not _is_home(home, level):
        renamed = "" if key == synonym else f", as {quote(synonym)}"
        return f"; {quote(key)} belongs {_where(home)}{renamed}{_takers(synonym, home)}"
    close = closest(key, level.allowed)
    if close:
        return f"; did you mean {quote(close)}?"
    close = closest(key, homes(), _FAR)
    if close and not _is_home(homes()[close], level):
        return f"; did you mean {quote(close)} {_where(homes()[close])}{_takers(close, homes()[close])}?"
    return ""


def _within(key: str, level: Level) -> str | None:
    """Return the section within a section that takes a key, or None where there is none."""
    if level.kind != "section" or not level.name:
        return None
    below = [path for path, section in _sections_within(Settings, "") if key in section.model_fields]
    return next((path for path in below if path.startswith(f"{level.name}.")), None)


def _where(home: str) -> str:
    return f"under {quote(home)}" if home else "at the top level"


def _takers(argument: str, home: str) -> str:
    """Return which things of a home take an argument, in words; nothing where all do."""
    kind = next((kind for kind, place in _HOMES.items() if place == home), None)
    if kind is None:
        return ""
    entries = list(_entries(kind))
    names = [entry.name for entry in entries if argument in (a.name for a in entry.arguments)]
    return "" if len(names) in (0, len(entries)) else f" (of {enumerate_names(names, 4)})"


def _is_home(home: str, level: Level) -> bool:
    if level.kind == "section":
        return home == level.name
    return home.split(".")[-1] in (level.kind, f"{level.kind}s") or (level.kind, home) == (
        "schedule",
        "optimizer.learning_rate",
    )


def keys_of(level: Level) -> str:
    """Return the keys of a level as a phrase: ``adam takes: learning_rate, beta1``."""
    if not level.allowed:
        return f"{shorten(level.name)} takes no keys"
    known = enumerate_names(level.allowed, 40)
    return f"{shorten(level.name)} takes: {known}" if level.name else f"known: {known}"


def homes() -> dict[str, str]:
    """Return where each key of the schema belongs, the likeliest place where there are several; empty is the top."""
    return _homes(tuple((home, tuple(_entries(kind))) for kind, home in _HOMES.items()))


def _entries(kind: str) -> Iterator[Entry[Any]]:
    registry = registry_of(kind)
    return (registry.get(name) for name in registry.names())


@cache
def _homes(registered: tuple[tuple[str, tuple[Entry[Any], ...]], ...]) -> dict[str, str]:
    """Return the homes where just these things are registered, a plug-in's among them."""
    found = dict.fromkeys(Settings.model_fields, "")
    for name, field in Settings.model_fields.items():
        section = _section(field.annotation)
        for key in section.model_fields if section else ():
            found.setdefault(key, name)
    for home, entries in registered:
        for argument in (argument for entry in entries for argument in entry.arguments):
            found.setdefault(argument.name, home)
    for path, section in _sections_within(Settings, ""):
        for key in section.model_fields:
            found.setdefault(key, path)
    return found


def _sections_within(section: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the sections below one, however deep, with their dotted keys."""
    for name, field in section.model_fields.items():
        inner = _section(field.annotation)
        if inner is not None:
            here = f"{path}.{name}" if path else name
            yield here, inner
            yield from _sections_within(inner, here)


def _section(annotation: object) -> type[BaseModel] | None:
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
