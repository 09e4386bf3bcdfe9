"""The page on which a trained model makes new pictures."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from limner.core.errors import UserError
from limner.inference import directions
from limner.inference.pictures import Pictures, join
from limner.studio import choosing, uploads
from limner.studio.house import House, said
from limner.studio.shelf import Model

EMPTY = """### No model yet that makes pictures
Three minutes in a terminal give one that draws digits: `limner demo`, or `make demo`.

For pictures like your own, go to the page **Train**."""
MOST = 64  # pictures on a grid
SEEDS = 9_999  # the last one on the slider
COLUMNS, AROUND = 8, 7  # of the grid, and of variations
STEPS = 48  # pictures of a path between two: two seconds
OFF = 3.0  # truncation from which nothing is cut off
ANY = "every class in turn"


def page(house: House, blocks: gr.Blocks, refresh: gr.Timer, tab: gr.Tab) -> None:
    """Lay out the page and wire it."""
    found = choosing.models(house, translates=False)
    empty = gr.Markdown(EMPTY, visible=not found, elem_classes="empty")
    with gr.Column(visible=bool(found)) as full:
        choose = choosing.chooser(house, translates=False)
        model = choose.model
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                model.render()
                choose.words.render()
                seed = gr.Slider(0, SEEDS, 0, step=1, label="Seed of the first", elem_id="seed", buttons=[])
                count = gr.Slider(1, MOST, 16, step=1, label="Pictures", elem_id="count", buttons=[])
                truncation = gr.Slider(
                    0.1, OFF, OFF, step=0.05, label="Truncation (less: more typical)", elem_id="trunc", buttons=[]
                )
                label = gr.Dropdown([ANY], value=ANY, label="Class", visible=False, elem_id="class")
                again = gr.Button("Others", variant="primary", elem_id="draw")
            with gr.Column(scale=3, min_width=320):
                grid = _grid()
                with gr.Row():
                    with gr.Column(min_width=200):
                        picked = gr.Textbox(
                            label="Seeds of the last two pictures you clicked",
                            placeholder="click a picture above",
                            elem_id="picked",
                        )
                        around = gr.Button("Variations around the last", elem_id="around")
                        walk = gr.Button("A path between the two", elem_id="walk")
                        download = gr.DownloadButton("Download the grid (.zip)", visible=False, elem_id="download-grid")
                        taken = gr.DownloadButton("Download the path", visible=False, elem_id="download-path")
                    film = gr.Image(
                        label="The path",
                        show_label=False,
                        visible=False,
                        interactive=False,
                        height=280,
                        buttons=[],
                        elem_id="film",
                    )
    choose.broken.render()
    seeds = gr.State([])

    def chosen(name: str | None) -> tuple[Any, ...]:
        try:
            found = _model(house, name)
        except UserError as error:
            return str(error), gr.skip(), gr.skip()
        labels = gr.Dropdown(choices=[ANY, *found.classes], value=ANY, visible=bool(found.classes))
        return found.words, labels, gr.Image(visible=False)

    @said
    def draw(name: str | None, seed: float, count: float, truncation: float, label: str | None) -> tuple[Any, ...]:
        numbers = list(range(int(seed), int(seed) + int(count)))
        made = make(name, numbers, label, truncation)
        return shown(made, [f"seed {number}" for number in numbers], numbers, COLUMNS, name)

    @said
    def first_look(before: list[int], *asked: Any) -> tuple[Any, ...]:
        # the page is opened: there is something to see at once
        return (gr.skip(), gr.skip(), gr.skip()) if before or not asked[0] else draw(*asked)

    def make(name: str | None, seeds: Sequence[int], label: str | None, truncation: float) -> Pictures:
        model = _model(house, name)
        if not 1 <= len(seeds) <= MOST:
            raise UserError(f"{len(seeds)} pictures: ask for 1 to {MOST} at once")
        labels = None
        if model.classes:
            labels = [label if label and label != ANY else model.classes[i % len(model.classes)] for i in seeds]
        with house.computing:
            return house.shelf.pipeline(model).generate(seeds, labels, truncation=_limit(truncation))

    def shown(
        made: Pictures, captions: list[str], numbers: list[int], columns: int, name: str | None
    ) -> tuple[Any, ...]:
        folder = house.folder()
        files = made.save(folder)
        looks = ["square"] * (columns == AROUND) + ["sharp"] * _model(house, name).small
        gallery = gr.Gallery(
            [(str(path), caption) for path, caption in zip(files, captions, strict=True)],
            columns=columns,
            selected_index=None,
            elem_classes=looks,
        )
        archive = uploads.pack(files, folder / "pictures.zip")
        return gallery, numbers, gr.DownloadButton(value=archive, visible=True)

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
            made = directions.around(pipeline, wanted[-1], AROUND, _label(model, label), _limit(truncation))
        captions = [f"a variation of seed {wanted[-1]}"] * len(made)
        return shown(made, captions, [wanted[-1]] * len(made), AROUND, name)

    @said
    def between(name: str | None, picked: str, truncation: float, label: str | None) -> tuple[Any, ...]:
        model, wanted = _model(house, name), _picked(picked)
        if len(wanted) < 2:
            raise UserError("click two pictures: the path leads from the first to the second")
        with house.computing:
            pipeline = house.shelf.pipeline(model)
            made = join(list(directions.walk(pipeline, wanted[-2:], STEPS, _label(model, label), _limit(truncation))))
        film, file = _film(made, house.folder())
        title = f"the path from seed {wanted[-2]} to seed {wanted[-1]}"
        looks = ["sharp"] if model.small else []
        clip = gr.Image(str(film), visible=True, alt_text=title, elem_classes=looks)
        return clip, gr.DownloadButton(f"Download {title} ({file.suffix})", value=file, visible=True)

    @said
    def generate_pictures(model: str, seed: float, count: float, label: str | None, truncation: float) -> list[str]:
        """Make pictures of the seeds from `seed` on; the same pixels as `limner generate`."""
        numbers = range(int(seed), int(seed) + int(count))
        return [str(path) for path in make(model, numbers, label, truncation).save(house.folder())]

    choosing.wire(house, blocks, refresh, choose, False, empty, full)
    inputs, outputs = [model, seed, count, truncation, label], [grid, seeds, download]
    queue: dict[str, Any] = {"concurrency_id": "compute", "api_visibility": "private"}
    sliding: dict[str, Any] = {**queue, "trigger_mode": "always_last", "show_progress": "hidden"}
    model.change(chosen, model, [choose.words, label, film], api_visibility="private", show_progress="hidden")
    model.change(draw, inputs, outputs, **sliding)
    blocks.load(chosen, model, [choose.words, label, film], api_visibility="private", show_progress="hidden")
    tab.select(first_look, [seeds, *inputs], outputs, **sliding)
    for part in (seed, count, truncation, label):
        part.input(draw, inputs, outputs, **sliding)
    again.click(lambda: random.randrange(SEEDS), None, seed, show_progress="hidden", api_visibility="private").then(
        draw, inputs, outputs, **sliding
    )
    grid.select(pick, [seeds, picked], picked, api_visibility="private", show_progress="hidden")
    around.click(vary, [model, picked, truncation, label], outputs, **queue)
    walk.click(between, [model, picked, truncation, label], [film, taken], show_progress_on=[film, walk], **queue)
    with gr.Row(visible=False):  # an endpoint needs components for its files
        asked = [gr.Textbox(label="model"), gr.Number(0, label="seed"), gr.Number(16, label="count")]
        asked += [gr.Textbox(label="label"), gr.Number(OFF, label="truncation")]
        back, hidden = gr.File(file_count="multiple", label="pictures"), gr.Button()
    hidden.click(generate_pictures, asked, back, api_name="generate", concurrency_id="compute")


def _model(house: House, name: str | None) -> Model:
    if not name:
        raise UserError("choose a model first")
    model = house.shelf.model(name)
    if model.translates:
        raise UserError(f"{name} turns pictures into others: use the page Translate")
    return model


def _label(model: Model, label: str | None) -> str | None:
    if not model.classes:
        return None
    return label if label and label != ANY else model.classes[0]


def _limit(truncation: float) -> float | None:
    return None if truncation >= OFF else truncation


def _picked(words: str) -> list[int]:
    return [int(word) for word in words.replace(",", " ").split() if word.isdecimal()]


def _film(made: Pictures, folder: Path) -> tuple[Path, Path]:
    # what the page shows, and what is taken home: a real video where it can be written
    from limner.report import write_animation

    written = write_animation(made.pil(), folder / "path")
    shown = next(path for path in written if path.suffix == ".webp")
    if importlib.util.find_spec("av") is None:
        return shown, shown
    from limner.inference.film import write_film

    return shown, write_film(made.array, folder / "path.mp4")


def _grid() -> gr.Gallery:
    return gr.Gallery(
        label="Pictures",
        show_label=False,
        columns=COLUMNS,
        format="png",
        object_fit="contain",
        allow_preview=False,
        height="auto",
        buttons=[],
        elem_id="grid",
    )
