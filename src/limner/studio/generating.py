"""The page on which a trained model makes new pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from limner.core.errors import UserError
from limner.inference import directions
from limner.studio import uploads
from limner.studio.house import House, said
from limner.studio.shelf import Model

EMPTY = """### No model yet that makes pictures
Three minutes in a terminal give one that draws digits: `limner demo`, or `make demo`.
For your own pictures, go to the page **Train**."""
MOST = 64  # pictures on a grid
STEPS = 24  # pictures of a walk between two
ANY = "every class in turn"


def page(house: House, blocks: gr.Blocks, refresh: gr.Timer) -> None:
    """Lay out the page and wire it."""
    models = _names(house)
    first = models[0] if models else None
    empty = gr.Markdown(EMPTY, visible=not models)
    with gr.Column(visible=bool(models)) as full, gr.Row():
        with gr.Column(scale=1, min_width=260):
            model = gr.Dropdown(models, value=first, label="Model")
            words = gr.Markdown(_words(house, first), elem_classes="soft")
            seed = gr.Slider(0, 9_999, 0, step=1, label="Seed of the first", elem_id="seed")
            count = gr.Slider(1, MOST, 16, step=1, label="Pictures", elem_id="count")
            truncation = gr.Slider(0.1, 3.0, 3.0, step=0.05, label="Truncation: less is more typical", elem_id="trunc")
            label = gr.Dropdown(_labels(house, first), value=ANY, label="Class", visible=bool(_classes(house, first)))
            again = gr.Button("Draw", variant="primary", elem_id="draw")
            thumbnail = gr.Image(_thumbnail(house, first), label="While it trained", height=220, interactive=False)
        with gr.Column(scale=3):
            grid = gr.Gallery(
                show_label=False,
                columns=8,
                format="png",
                object_fit="contain",
                allow_preview=False,
                height="auto",
                buttons=[],
                elem_id="grid",
            )
            with gr.Row():
                picked = gr.Textbox(label="Seeds of the pictures you click", placeholder="none yet", elem_id="picked")
                around = gr.Button("Variations around it", elem_id="around")
                walk = gr.Button("A path between two", elem_id="walk")
            film = gr.Image(label="The path", visible=False, interactive=False, height=260)
            download = gr.DownloadButton("Download all", visible=False)
    seeds = gr.State([])

    def chosen(name: str | None) -> tuple[Any, ...]:
        classes = _classes(house, name)
        shown = gr.Dropdown(choices=_labels(house, name), value=ANY, visible=bool(classes))
        return _words(house, name), shown, _thumbnail(house, name)

    @said
    def draw(name: str | None, seed: float, count: float, truncation: float, label: str | None) -> tuple[Any, ...]:
        first, count = int(seed), int(count)
        files = make(name, list(range(first, first + count)), label, truncation)
        shown = [str(path) for path in files]
        archive = uploads.pack(files, files[0].parent / "pictures.zip")
        numbers = list(range(first, first + count))
        return gr.Gallery(shown, columns=8), numbers, gr.DownloadButton(value=archive, visible=True)

    def make(name: str | None, seeds: list[int], label: str | None, truncation: float) -> list[Path]:
        model = _model(house, name)
        if not 1 <= len(seeds) <= MOST:
            raise UserError(f"{len(seeds)} pictures: ask for 1 to {MOST} at once")
        labels = None
        if model.classes:
            labels = [label if label and label != ANY else model.classes[i % len(model.classes)] for i in seeds]
        with house.computing:
            made = house.shelf.pipeline(model).generate(seeds, labels, truncation=_limit(truncation))
        return made.save(house.folder())

    def pick(event: gr.SelectData, numbers: list[int], before: str) -> str:
        chosen = [*_picked(before), numbers[event.index]]
        return ", ".join(map(str, chosen[-2:]))

    @said
    def vary(name: str | None, picked: str, truncation: float, label: str | None) -> tuple[Any, ...]:
        model, wanted = _model(house, name), _picked(picked)
        if not wanted:
            raise UserError("click a picture first: the variations are made around it")
        with house.computing:
            pipeline = house.shelf.pipeline(model)
            made = directions.around(pipeline, wanted[-1], 7, _label(model, label), _limit(truncation))
        files = made.save(house.folder())
        archive = uploads.pack(files, files[0].parent / "pictures.zip")
        shown = [str(path) for path in files]
        return gr.Gallery(shown, columns=7), [wanted[-1]] * len(files), gr.DownloadButton(value=archive, visible=True)

    @said
    def between(name: str | None, picked: str, truncation: float, label: str | None) -> tuple[Any, ...]:
        model, wanted = _model(house, name), _picked(picked)
        if len(wanted) < 2:
            raise UserError("click two pictures: the path leads from the first to the second")
        from limner.inference.pictures import join
        from limner.report import write_animation

        with house.computing:
            pipeline = house.shelf.pipeline(model)
            legs = directions.walk(pipeline, wanted, STEPS, _label(model, label), _limit(truncation))
            made = write_animation(join(list(legs)).pil(), house.folder() / "path")
        film = next(path for path in made if path.suffix == ".webp")
        return gr.Image(str(film), visible=True), gr.DownloadButton(value=film, visible=True)

    @said
    def generate_pictures(model: str, seed: float, count: float, label: str | None, truncation: float) -> list[str]:
        """Make pictures of the seeds from `seed` on; the same pixels as `limner generate`."""
        return [str(path) for path in make(model, list(range(int(seed), int(seed) + int(count))), label, truncation)]

    def look_again(name: str | None) -> tuple[Any, ...]:
        found = _names(house)
        keep = name if name in found else (found[0] if found else None)
        return gr.Dropdown(choices=found, value=keep), gr.Markdown(visible=not found), gr.Column(visible=bool(found))

    inputs, outputs = [model, seed, count, truncation, label], [grid, seeds, download]
    queue: dict[str, Any] = {"concurrency_id": "compute", "api_visibility": "private"}
    model.change(chosen, model, [words, label, thumbnail], api_visibility="private")
    model.change(draw, inputs, outputs, **queue)
    for part in (seed, count, truncation):
        part.release(draw, inputs, outputs, trigger_mode="always_last", **queue)
    label.change(draw, inputs, outputs, **queue)
    again.click(draw, inputs, outputs, **queue)
    grid.select(pick, [seeds, picked], picked, api_visibility="private", show_progress="hidden")
    around.click(vary, [model, picked, truncation, label], outputs, **queue)
    walk.click(between, [model, picked, truncation, label], [film, download], **queue)
    for moment in (refresh.tick, blocks.load):
        moment(look_again, model, [model, empty, full], api_visibility="private", show_progress="hidden")
    with gr.Row(visible=False):  # an endpoint needs components for its files
        asked = [gr.Textbox(label="model"), gr.Number(0, label="seed"), gr.Number(16, label="count")]
        asked += [gr.Textbox(label="label"), gr.Number(3.0, label="truncation")]
        back, hidden = gr.File(file_count="multiple", label="pictures"), gr.Button()
    hidden.click(generate_pictures, asked, back, api_name="generate", concurrency_id="compute")


def _names(house: House) -> list[str]:
    return [model.name for model in house.shelf.models() if model.info and not model.translates]


def _model(house: House, name: str | None) -> Model:
    if not name:
        raise UserError("choose a model first")
    model = house.shelf.model(name)
    if model.translates:
        raise UserError(f"{name} turns pictures into others: use the page Translate")
    return model


def _classes(house: House, name: str | None) -> tuple[str, ...]:
    try:
        return _model(house, name).classes
    except UserError:
        return ()


def _labels(house: House, name: str | None) -> list[str]:
    return [ANY, *_classes(house, name)]


def _label(model: Model, label: str | None) -> str | None:
    if not model.classes:
        return None
    return label if label and label != ANY else model.classes[0]


def _limit(truncation: float) -> float | None:
    return None if truncation >= 3.0 else truncation


def _picked(words: str) -> list[int]:
    return [int(word) for word in words.replace(",", " ").split() if word.isdecimal()]


def _words(house: House, name: str | None) -> str:
    try:
        return _model(house, name).words
    except UserError as error:
        return str(error)


def _thumbnail(house: House, name: str | None) -> Image.Image | None:
    try:
        sheet = _model(house, name).thumbnail
    except UserError:
        return None
    return Image.open(sheet) if sheet else None
