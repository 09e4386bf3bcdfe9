"""The page on which a picture is dropped or drawn and comes back translated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from limner.core.errors import UserError
from limner.core.grids import MAT
from limner.core.images import from_array
from limner.inference.pictures import save_png
from limner.studio import uploads
from limner.studio.house import House, said
from limner.studio.shelf import Model

EMPTY = """### No model yet that turns pictures into others
Train one on two kinds of pictures, on the page **Train** or in a terminal:
`limner train pix2pix --data facades --direction BtoA --size 128 --out {runs}/facades`"""
ARROWS = {"AtoB": "A → B", "BtoA": "B → A"}
BOARD = 512  # pixels: side of the drawing board
FEW = 12  # colours on its palette
COLUMNS, TITLES = 3, 24  # of a sheet: given, made and true (or the way back); pixels of the titles above them
SKETCH: list[str | tuple[str, float]] = ["#000000", "#ffffff", "#808080"]
PROGRESS = gr.Progress()


def page(house: House, blocks: gr.Blocks, refresh: gr.Timer) -> None:
    """Lay out the page and wire it."""
    models = _names(house)
    first = models[0] if models else None
    empty = gr.Markdown(EMPTY.format(runs=house.runs.name), visible=not models)
    with gr.Column(visible=bool(models)) as full:
        with gr.Row():
            model = gr.Dropdown(models, value=first, label="Model", scale=3)
            ways = _ways(house, first)
            way = gr.Radio(ways, value=ways[0][1] if ways else None, label="Direction", scale=1)
        words = gr.Markdown(_words(house, first), elem_classes="soft")
        with gr.Row(equal_height=True):
            with gr.Column():
                with gr.Tab("Picture"):
                    given = gr.Image(
                        label="Drop a picture, paste one, or use the camera",
                        type="filepath",
                        image_mode=None,
                        sources=["upload", "clipboard", "webcam"],
                        elem_id="given",
                        alt_text="the picture to translate",
                        height=420,
                    )
                    go = gr.Button("Translate", variant="primary", elem_id="translate")
                with gr.Tab("Draw"):
                    board = gr.ImageEditor(
                        label="Draw what the model was trained on: a sketch, or a map of labels",
                        type="filepath",
                        format="png",
                        sources=[],
                        canvas_size=(BOARD, BOARD),
                        fixed_canvas=True,
                        brush=gr.Brush(colors=_palette(house, first), default_size=8, color_mode="defaults"),
                        transforms=[],
                        layers=False,
                        elem_id="board",
                        height=520,
                    )
                    drawn = gr.Button("Translate the drawing", variant="primary", elem_id="translate-drawing")
                with gr.Tab("Many"):
                    many = gr.File(label="Pictures", file_count="multiple", file_types=["image"], elem_id="many")
                    all_of_them = gr.Button("Translate all", variant="primary")
            with gr.Column():
                result = gr.ImageSlider(
                    label="Before and after",
                    type="filepath",
                    image_mode=None,
                    format="png",
                    interactive=False,
                    elem_id="result",
                    height=420,
                )
                gallery = gr.Gallery(label="Translated", columns=4, format="png", visible=False, height=420)
                download = gr.DownloadButton("Download", visible=False, elem_id="download")

    def chosen(name: str | None) -> tuple[Any, ...]:
        ways = _ways(house, name)
        brush = gr.ImageEditor(brush=gr.Brush(colors=_palette(house, name), default_size=8, color_mode="defaults"))
        return gr.Radio(choices=ways, value=ways[0][1] if ways else None), _words(house, name), brush

    @said
    def translate(picture: str | None, name: str | None, direction: str | None) -> tuple[Any, ...]:
        if not picture:
            raise UserError("there is no picture yet: drop one, paste one, or take one with the camera")
        made = one(picture, name, direction, house.folder())
        pair = gr.ImageSlider((picture, str(made)), visible=True)
        return pair, gr.Gallery(visible=False), gr.DownloadButton(value=made, visible=True)

    @said
    def translate_drawing(picture: dict[str, Any] | None, name: str | None, direction: str | None) -> tuple[Any, ...]:
        if not picture or not picture.get("composite"):
            raise UserError("the board is empty: draw something first")
        return translate(picture["composite"], name, direction)

    @said
    def translate_many(
        pictures: list[str] | None, name: str | None, direction: str | None, progress: gr.Progress = PROGRESS
    ) -> tuple[Any, ...]:
        if not pictures:
            raise UserError("there are no pictures yet: drop some")
        uploads.check_count(len(pictures))
        folder, made = house.folder(), []
        for number, picture in enumerate(pictures):
            progress((number, len(pictures)), desc="translating")
            made.append(one(picture, name, direction, folder, [path.stem for path in made]))
        archive = uploads.pack(made, folder / "translated.zip")
        return (
            gr.ImageSlider(visible=False),
            gr.Gallery([(str(path), path.stem) for path in made], visible=True),
            gr.DownloadButton(value=archive, visible=True),
        )

    @said
    def translate_picture(picture: str, model: str, direction: str | None = None) -> str:
        """Turn one picture into another with the model of that name; the same pixels as `limner translate`."""
        return str(one(picture, model, direction, house.folder()))

    def one(
        picture: str, name: str | None, direction: str | None, folder: Path, taken: list[str] | None = None
    ) -> Path:
        chosen_model = _model(house, name)
        if direction not in (None, "", *chosen_model.directions):
            raise UserError(f"direction {direction!r}: this model goes {' or '.join(chosen_model.directions)}")
        array = uploads.read(picture)
        with house.computing:
            made = house.shelf.pipeline(chosen_model).translate([array], direction or None)[0]
        return save_png(from_array(made), folder / f"{uploads.stem(picture, taken or ())}.png")

    def look_again(name: str | None) -> tuple[Any, ...]:
        found = _names(house)
        keep = name if name in found else (found[0] if found else None)
        return gr.Dropdown(choices=found, value=keep), gr.Markdown(visible=not found), gr.Column(visible=bool(found))

    outputs = [result, gallery, download]
    queue = {"concurrency_id": "compute", "show_progress_on": outputs}
    model.change(chosen, model, [way, words, board], api_visibility="private")
    go.click(translate, [given, model, way], outputs, api_visibility="private", **queue)
    drawn.click(translate_drawing, [board, model, way], outputs, api_visibility="private", **queue)
    all_of_them.click(translate_many, [many, model, way], outputs, api_visibility="private", **queue)
    for moment in (refresh.tick, blocks.load):
        moment(look_again, model, [model, empty, full], api_visibility="private", show_progress="hidden")
    with gr.Row(visible=False):  # an endpoint needs components for its files
        named, wanted = gr.Textbox(label="model"), gr.Textbox(label="direction")
        file, back = gr.Image(type="filepath", image_mode=None, label="picture"), gr.File(label="translated")
        hidden = gr.Button()
    hidden.click(translate_picture, [file, named, wanted], back, api_name="translate", concurrency_id="compute")


def _names(house: House) -> list[str]:
    return [model.name for model in house.shelf.models() if model.translates]


def _model(house: House, name: str | None) -> Model:
    if not name:
        raise UserError("choose a model first")
    model = house.shelf.model(name)
    if not model.translates:
        raise UserError(f"{name} makes new pictures and turns none into others: use the page Generate")
    return model


def _ways(house: House, name: str | None) -> list[tuple[str, str]]:
    try:
        return [(ARROWS[way], way) for way in _model(house, name).directions]
    except UserError:
        return []


def _words(house: House, name: str | None) -> str:
    try:
        return _model(house, name).words
    except UserError as error:
        return str(error)


def _palette(house: House, name: str | None) -> list[str | tuple[str, float]]:
    # the most frequent colours of what the model was given while it trained: those of its labels, if it had any
    try:
        sheet = _model(house, name).thumbnail
    except UserError:
        sheet = None
    if sheet is None:
        return SKETCH
    with Image.open(sheet) as picture:
        given = picture.convert("RGB").crop((0, TITLES, picture.width // COLUMNS, picture.height))
    colours = given.quantize(32, Image.Quantize.FASTOCTREE).convert("RGB").getcolors() or []
    often = [colour for _, colour in sorted(colours, reverse=True) if colour != (MAT, MAT, MAT)]
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in often[:FEW]]  # type: ignore[misc]
