"""A recipe with some numbers changed, as a person asks for it."""

from __future__ import annotations

import dataclasses
from typing import Any

from limner.core.config import KeepConfig, Size, TrainConfig
from limner.core.errors import UserError, unknown


def overlay(config: TrainConfig, **overrides: Any) -> tuple[TrainConfig, KeepConfig]:
    """Change fields of a config, its method's settings, its engine or what it keeps, all by their plain names.

    `size` may be a number or (height, width). Errors: UserError naming the nearest field for a name that none has.
    """
    parts: dict[str, Any] = {
        "config": config,
        "settings": config.settings,
        "engine": config.engine,
        "keep": KeepConfig(),
    }
    changes: dict[str, dict[str, Any]] = {part: {} for part in parts}
    fields = {
        field.name: part
        for part, value in reversed(parts.items())
        for field in dataclasses.fields(value)
        if field.name not in ("preset", "method", "settings", "engine")
    }
    for name, value in overrides.items():
        if name not in fields:
            raise unknown("setting", name, fields)
        changes[fields[name]][name] = _size(value) if name == "size" else value
    engine = dataclasses.replace(config.engine, **changes["engine"])
    settings = dataclasses.replace(config.settings, **changes["settings"])
    changed = dataclasses.replace(config, settings=settings, engine=engine, **changes["config"])
    return settle_length(changed, config), dataclasses.replace(parts["keep"], **changes["keep"])


def settle_length(asked: TrainConfig, preset: TrainConfig) -> TrainConfig:
    """Let the length that was asked for replace the preset's, whichever way each is given; UserError for both ways."""
    if asked.images is not None and asked.epochs is not None:
        if asked.images == preset.images:
            asked = dataclasses.replace(asked, images=None)
        elif asked.epochs == preset.epochs:
            asked = dataclasses.replace(asked, epochs=None)
        else:
            raise UserError("--images and --epochs both say how long to train: give one of them")
    length = asked.images if asked.images is not None else asked.epochs
    if length is None or length <= 0:
        raise UserError("say how long to train: --images or --epochs with a number above 0")
    return asked


def _size(value: Any) -> Size | None:
    if value is None or isinstance(value, Size):
        return value
    height, width = (value, value) if isinstance(value, int) else value
    return Size(height, width)
