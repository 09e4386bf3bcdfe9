"""A recipe with some numbers changed, as a person asks for it."""

from __future__ import annotations

import dataclasses
from typing import Any

from limner.core.config import KeepConfig, Size, TrainConfig, from_dict, to_dict
from limner.core.errors import UserError, unknown

DEFAULT_IMAGES = 1_000_000  # for a plug-in's method without a preset of its own


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
    changed = settle_length(changed, config)
    keep = dataclasses.replace(parts["keep"], **changes["keep"])
    # Python lets anything through; the strict way in and out of JSON does not.
    checked = from_dict(TrainConfig, to_dict(changed), "settings", settings=type(config.settings))
    return checked, from_dict(KeepConfig, to_dict(keep), "settings")


def settle_length(asked: TrainConfig, preset: TrainConfig) -> TrainConfig:
    """Let the length that was asked for replace the preset's, whichever way each is given; UserError for both ways."""
    if asked.images is not None and asked.epochs is not None:
        if preset.images is not None and asked.images == preset.images:
            asked = dataclasses.replace(asked, images=None)
        elif preset.epochs is not None and asked.epochs == preset.epochs:
            asked = dataclasses.replace(asked, epochs=None)
        else:
            raise UserError("--images and --epochs both say how long to train: give one of them")
    if asked.images is None and asked.epochs is None:
        asked = dataclasses.replace(asked, images=DEFAULT_IMAGES)
    return asked


def _size(value: Any) -> Size | None:
    if value is None or isinstance(value, Size):
        return value
    if isinstance(value, int):
        return Size(value, value)
    if isinstance(value, tuple | list) and len(value) == 2:
        return Size(*value)
    raise UserError(f"size {value!r}: expected a number of pixels such as 64, or (height, width) such as (64, 96)")
