"""The flags of an experiment, without those that do not apply to it."""

from __future__ import annotations

from dataclasses import field, fields, make_dataclass
from functools import cache
from typing import Annotated, Any, get_type_hints

import tyro

from gmvae.config import Config, DataConfig

GENERATED = ("points", "arms", "data_seed")
"""Flags of generated points."""
OF_TABLES = (
    "weight_column", "layer", "separator", "decimal", "thousands", "encoding", "columns", "drop", "missing",
    "text", "scale",
)  # fmt: skip
"""Flags of tables, which do not apply to images."""
HIDDEN = {
    "data": ("dataset", "data_dir", "extra", *GENERATED),
    "spiral": ("data_dir", "extra", "image_size", "grey"),
    "mnist": ("extra", *GENERATED, *OF_TABLES),
    "svhn": (*GENERATED, *OF_TABLES),
}
"""Flags of the data that do not apply to an experiment, by the first word of its name."""


def narrowed(name: str, default: Config) -> tuple[type[Config], Config]:
    """Return a configuration class with only the flags of an experiment, and its defaults."""
    data, whole = _classes(HIDDEN.get(name.split("_")[0], HIDDEN["mnist"]))
    parts = {one.name: getattr(default, one.name) for one in fields(Config)}
    return whole, whole(**{**parts, "data": data(**vars(default.data))})


@cache
def _classes(hidden: tuple[str, ...]) -> tuple[Any, Any]:
    """The classes of the data's configuration and of the whole, without the hidden flags; made once, since
    the parser reads the docstrings of each class that it meets."""
    hints = get_type_hints(DataConfig, include_extras=True)
    kept = {one.name: one for one in fields(DataConfig)}
    overridden: list[Any] = [
        (one, Annotated[hints[one], tyro.conf.Suppress], field(default=kept[one].default)) for one in hidden
    ]
    data: Any = make_dataclass("DataConfig", overridden, bases=(DataConfig,), frozen=True)
    data.__doc__ = DataConfig.__doc__
    whole: Any = make_dataclass(
        "Config", [("data", data, field(default_factory=data))], bases=(Config,), frozen=True
    )
    return data, whole


def widened(config: Config) -> Config:
    """Return the same configuration as a plain ``Config``."""
    parts = {one.name: getattr(config, one.name) for one in fields(Config)}
    return Config(**{**parts, "data": DataConfig(**vars(config.data))})
