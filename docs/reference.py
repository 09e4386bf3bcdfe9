"""Writes reference.md from the code, so that it cannot go stale; a test compares the two."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from docstring_parser import parse_from_object
from tyro.conf import Positional

import limner
from limner import api, inference, presets
from limner.cli import COMMANDS, PREPARE
from limner.commands.train import Train
from limner.core.config import KeepConfig, Size, TrainConfig

PAGE = Path(__file__).with_name("reference.md")
PARTS: dict[type, tuple[str, ...]] = {  # fields that are no flags themselves
    Train: ("config", "keep"),
    TrainConfig: ("preset", "method", "settings", "engine"),
}
POSITIONAL = typing.get_args(Positional[int])[1]
BAR = "\\|"
WIDEST = 88  # of a signature in one line
WORDS = {int: "N", float: "X", str: "TEXT", Path: "PATH", Size: "N or HxW"}
INTRODUCTION = """# Reference

This page is written from the code. On the command line `limner COMMAND --help` says the same, with the defaults of the
preset that you name. Counts may be written as `200k` or `1.5m`, sizes as `64` or `64x96` (height x width).

A command exits with 0 when it is done, 2 after a mistake that you can mend, and 130 when it was interrupted.
"""
TRAIN = """The preset stands first: `limner train dcgan --data photos --out runs/photos`. It decides the defaults, and
together with its method which settings there are; the values below are those of the preset `dcgan`.
"""


def render() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def preset_rows() -> list[str]:
    """The table of presets."""
    rows = []
    for name in presets.PRESETS.entries:
        what, paper = presets.describe(name)
        size = presets.get(name).size
        rows.append((f"`{name}`", what, paper, f"{size} px" if size else "any"))
    return _table(("Preset", "What it does", "Paper", "Size"), rows)


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield "## Commands\n"
    yield from _table(
        ("Command", "What it does"), [(f"[`{name}`](#{name})", what) for name, (_, what) in COMMANDS.items()]
    )
    inner = {f"prepare {name}": place for name, (place, _) in PREPARE.items()}
    for name, place in {**{name: place for name, (place, _) in COMMANDS.items()}, **inner}.items():
        if name == "prepare":
            yield "\n### prepare { #prepare }\n"
            rows = [(f"[`prepare {kind}`](#prepare-{kind})", what) for kind, (_, what) in PREPARE.items()]
            yield from _table(("Command", "What it does"), rows)
            continue
        module, flags, _ = place.split(":")
        cls = getattr(importlib.import_module(module), flags)
        yield f"\n### {name} {{ #{name.replace(' ', '-')} }}\n"
        yield f"{inspect.getdoc(cls)}\n"
        if name != "train":
            yield from _flags(cls)
            continue
        yield TRAIN
        config = presets.get("dcgan")
        yield from _flags(cls)
        parts = [config, config.settings, config.engine, KeepConfig()]
        for part in parts:
            yield f"\n**{inspect.getdoc(type(part))}**\n"
            yield from _flags(type(part), part)
    yield "\n## Presets\n"
    yield from preset_rows()
    yield "\n## Python\n"
    for function in (api.train, api.load, api.generate, api.translate, api.evaluate):
        yield from _function(f"limner.{function.__name__}", function)
    for cls, names in (
        (inference.Pipeline, ("generate", "stream", "translate", "interpolate")),
        (inference.Pictures, ("pil", "grid", "save")),
        (api.TrainedRun, ("load",)),
    ):
        yield f"### {cls.__name__}\n"
        yield f"{_prose(cls)}\n"
        for name in names:
            yield from _function(f"{cls.__name__}.{name}", getattr(cls, name), 4)
    yield f"### UserError\n\n{_prose(limner.UserError)}"


def _flags(cls: type, values: Any = None) -> list[str]:
    hints = typing.get_type_hints(cls, include_extras=True)
    meanings = {
        item.arg_name: " ".join((item.description or "").split())
        for base in reversed(cls.__mro__[:-1])
        for item in parse_from_object(base).params
    }
    rows = []
    for field in dataclasses.fields(cls):
        if field.name not in PARTS.get(cls, ()):
            default = field.default if values is None else getattr(values, field.name)
            rows.append((_flag(field.name, hints[field.name]), _default(default), meanings[field.name]))
    return _table(("Flag", "Default", "Meaning"), rows)


def _flag(name: str, hint: Any) -> str:
    if typing.get_origin(hint) is typing.Annotated:
        hint, *marks = typing.get_args(hint)
        if POSITIONAL in marks:
            return f"`{name.upper()}`"
    flag = f"`--{name.replace('_', '-')}`"
    if hint is bool:
        return flag
    many = typing.get_origin(hint) is tuple
    kind = hint if typing.get_origin(hint) is Literal else (typing.get_args(hint) or (hint,))[0]
    values = typing.get_args(kind)
    return f"{flag} {BAR.join(map(str, values)) if values else WORDS[kind]}{' ...' if many else ''}"


def _default(value: Any) -> str:
    if value is dataclasses.MISSING:
        return "required"
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Path):
        value = value.as_posix()
    return f"`{value:,}`" if isinstance(value, int) else f"`{value}`"


class _Bare(str):
    # an annotation that shows itself without quotation marks
    __repr__ = str.__str__


def _function(name: str, function: Callable[..., Any], level: int = 3) -> Iterator[str]:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_Bare(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    result = _Bare(signature.return_annotation)
    shown = f"{name}{signature.replace(parameters=parameters, return_annotation=result)}"
    if len(shown) > WIDEST:
        lines = [f"    {parameter},\n" for parameter in map(str, parameters)]
        star = next((i for i, parameter in enumerate(parameters) if parameter.kind is parameter.KEYWORD_ONLY), None)
        if star is not None:
            lines.insert(star, "    *,\n")
        shown = f"{name}(\n{''.join(lines)}) -> {result}"
    yield f"{'#' * level} {name}\n"
    yield f"```text\n{shown}\n```\n"
    yield f"{_prose(function)}\n"


def _prose(what: Any) -> str:
    return inspect.getdoc(what) or ""


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (titles, ("---",) * len(titles), *rows)]


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
