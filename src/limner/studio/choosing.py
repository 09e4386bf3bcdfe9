"""The row of pictures by which a model is chosen, newest first, and the words on those that are broken."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from limner.core.grids import MAT
from limner.studio.house import House
from limner.studio.shelf import Model

SIDE = 208  # pixels of a thumbnail, shown at half of that
TITLES = 24  # pixels of the titles above a translator's sheet
SHARE = 0.5  # of the sides of a generator's sheet


@dataclasses.dataclass(frozen=True)
class Chooser:
    """Thumbnails, the same models as a list, words on the chosen one and on those that cannot be chosen."""

    strip: gr.Gallery
    model: gr.Dropdown
    words: gr.Markdown
    broken: gr.Markdown
    names: gr.State


def chooser(house: House, translates: bool) -> Chooser:
    """Lay the thumbnails out; the caller places the rest with `render`."""
    kind = "translator" if translates else "generator"
    strip = gr.Gallery(
        label="Models",
        show_label=False,
        columns=8,
        format="png",
        object_fit="cover",
        allow_preview=False,
        buttons=[],
        elem_classes="models",
        elem_id=f"{kind}s",
    )
    found = models(house, translates)
    return Chooser(
        strip,
        gr.Dropdown(
            found, value=next(iter(found), None), label="Model", elem_id=kind, render=False, filterable=len(found) > 9
        ),
        gr.Markdown("", elem_classes="soft", render=False),
        gr.Markdown("", elem_classes="broken", visible=False, render=False),
        gr.State([]),
    )


def wire(
    house: House,
    blocks: gr.Blocks,
    refresh: gr.Timer,
    choose: Chooser,
    translates: bool,
    empty: gr.Markdown,
    full: gr.Column,
) -> None:
    """Keep the thumbnails and the list as new as the folder, and let a click on a thumbnail choose."""

    def look_again(name: str | None, before: list[tuple[str, float]]) -> tuple[Any, ...]:
        on_shelf = [model for model in house.shelf.models() if model.broken or model.translates == translates]
        found = [model for model in on_shelf if not model.broken]
        names = [model.name for model in found]
        wrong = [
            f"**{_plain(model.name)}** cannot be used: {_plain(model.broken)}" for model in on_shelf if model.broken
        ]
        now = [(model.name, model.changed) for model in found]
        return (
            gr.skip() if now == [tuple(one) for one in before] else _strip(found, name),
            choices(names, name),
            gr.Markdown("\n\n".join(wrong), visible=bool(wrong)),
            gr.Markdown(visible=not names),
            gr.Column(visible=bool(names)),
            now,
        )

    def pick(event: gr.SelectData, names: list[tuple[str, float]]) -> str | None:
        return names[event.index][0] if event.index < len(names) else None

    def mark(name: str | None, names: list[tuple[str, float]]) -> Any:
        places = [one for one, _ in names]
        return gr.Gallery(selected_index=places.index(name)) if name in places else gr.skip()

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    shown = [choose.strip, choose.model, choose.broken, empty, full, choose.names]
    for moment in (refresh.tick, blocks.load):
        moment(look_again, [choose.model, choose.names], shown, **quiet)
    choose.strip.select(pick, choose.names, choose.model, **quiet)
    choose.model.input(mark, [choose.model, choose.names], choose.strip, **quiet)


def models(house: House, translates: bool) -> list[str]:
    """The names of the models of one kind that can be used, newest first."""
    return [model.name for model in house.shelf.models() if not model.broken and model.translates == translates]


def choices(names: list[str], name: str | None) -> gr.Dropdown:
    """What a list offers now, with the first chosen when `name` is gone; else nobody's choice is taken back."""
    return gr.Dropdown(choices=names) if name in names else gr.Dropdown(choices=names, value=next(iter(names), None))


def _strip(found: list[Model], name: str | None) -> gr.Gallery:
    chosen = next((i for i, model in enumerate(found) if model.name == name), 0 if found else None)
    return gr.Gallery([(icon(model), model.name) for model in found], selected_index=chosen)


def icon(model: Model) -> Image.Image:
    """A square piece of a model's newest sheet; a plain square before there is one."""
    sheet = model.thumbnail
    if sheet is None:
        return Image.new("RGB", (SIDE, SIDE), (MAT,) * 3)
    return _cut(sheet, sheet.stat().st_mtime_ns, model.translates)


@functools.lru_cache(maxsize=256)
def _cut(sheet: Path, changed: int, translates: bool) -> Image.Image:
    try:
        with Image.open(sheet) as opened:
            picture = opened.convert("RGB")
    except OSError:  # it is being written
        return Image.new("RGB", (SIDE, SIDE), (MAT,) * 3)
    side, top = round(SHARE * min(picture.size)), 0
    if translates:
        side, top = min(picture.width * 2 // 3, picture.height - TITLES), TITLES
    # few pixels are enlarged as they are, many are brought together
    kind = Image.Resampling.NEAREST if side <= SIDE else Image.Resampling.LANCZOS
    return picture.crop((0, top, side, top + side)).resize((SIDE, SIDE), kind)


def _plain(words: str) -> str:
    # no Markdown and no HTML: a folder may have any name
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-!|&$" else letter for letter in words)
