"""The page on which a picture is dropped or drawn and comes back translated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from limner.core import images
from limner.core.errors import UserError
from limner.inference.pictures import save_png
from limner.studio import choosing, drawing, turning, uploads
from limner.studio.house import House, said
from limner.studio.shelf import Model

EMPTY = """### No model yet that turns pictures into others
Train one on two kinds of pictures, on the page **Train** or in a terminal:

`limner train pix2pix --data facades --direction BtoA --size 128 --out {runs}/facades`"""
ARROWS = {"AtoB": "A → B", "BtoA": "B → A"}
HEIGHT = 420
PROGRESS = gr.Progress()


def page(house: House, blocks: gr.Blocks, refresh: gr.Timer) -> None:
    """Lay out the page and wire it."""
    found = choosing.models(house, translates=True)
    empty = gr.Markdown(EMPTY.format(runs=house.runs.name), visible=not found, elem_classes="empty")
    with gr.Column(visible=bool(found)) as full:
        choose = choosing.chooser(house, translates=True)
        model = choose.model
        with gr.Row():
            model.render()
            way = gr.Radio([], label="Direction", visible=False, elem_id="direction")
            face = gr.Checkbox(
                False,
                label="Find the face first",
                info="this model learned from faces that were cut out and set upright",
                visible=False,
                elem_id="face",
            )
        choose.words.render()
        with gr.Row():
            with gr.Column(min_width=300):
                with gr.Tab("Picture"):
                    given = gr.Image(
                        label="Picture",
                        show_label=False,
                        type="filepath",
                        image_mode=None,
                        sources=["upload", "clipboard", "webcam"],
                        elem_id="given",
                        alt_text="the picture to translate",
                        height=HEIGHT,
                        buttons=[],
                    )
                    go = gr.Button("Translate", variant="primary", elem_id="translate")
                with gr.Tab("Draw"):
                    board = drawing.board()
                    drawn = gr.Button("Translate the drawing", variant="primary", elem_id="translate-drawing")
                with gr.Tab("Many"):
                    many = gr.File(label="Pictures", file_count="multiple", file_types=["image"], elem_id="many")
                    all_of_them = gr.Button("Translate all", variant="primary", elem_id="translate-all")
            with gr.Column(min_width=300), gr.Tab("Before and after"):
                result, gallery = _results()
                download = gr.DownloadButton("Download", visible=False, elem_id="download")
    choose.broken.render()

    def chosen(name: str | None) -> tuple[Any, ...]:
        try:
            found = turning.named(house, name)
        except UserError as error:
            return gr.Radio(visible=False), gr.Checkbox(visible=False), str(error), drawing.prepared(None)
        ways = [(ARROWS[one], one) for one in found.directions]
        radio = gr.Radio(choices=ways, value=ways[0][1], visible=len(ways) > 1)
        return radio, _face(found, ways[0][1]), found.words, drawing.prepared(found)

    def turned(name: str | None, direction: str | None) -> Any:
        try:
            return _face(turning.named(house, name), direction)
        except UserError:
            return gr.Checkbox(visible=False)

    @said
    def translate_one(picture: str | None, name: str | None, direction: str | None, face: bool) -> tuple[Any, ...]:
        if not picture:
            raise UserError("there is no picture yet: drop one, paste one, or take one with the camera")
        before, made = turning.one(house, picture, name, direction, house.folder(), face)
        return beside(before, made, turning.named(house, name))

    @said
    def translate_drawing(picture: dict[str, Any] | None, name: str | None, direction: str | None) -> tuple[Any, ...]:
        model, folder = turning.named(house, name), house.folder()
        array = drawing.finished(picture, model)
        if array is None:
            raise UserError("the board is empty: draw something first")
        before = save_png(images.from_array(array), folder / "drawing.png")
        return beside(before, turning.turn(house, array, model, direction, folder / "translated.png"), model)

    def beside(before: Path, made: Path, model: Model) -> tuple[Any, ...]:
        looks = ["sharp"] if model.small else []
        pair = gr.ImageSlider((str(before), str(made)), visible=True, elem_classes=looks)
        return pair, gr.Gallery(visible=False), gr.DownloadButton("Download the picture", value=made, visible=True)

    @said
    def translate_many(
        pictures: list[str] | None,
        name: str | None,
        direction: str | None,
        face: bool,
        progress: gr.Progress = PROGRESS,
    ) -> tuple[Any, ...]:
        if not pictures:
            raise UserError("there are no pictures yet: drop some")
        uploads.check_count(len(pictures))
        folder, made, wrong = house.folder(), list[Path](), list[str]()
        for number, picture in enumerate(pictures):
            progress((number, len(pictures)), desc="translating", unit="pictures")
            try:
                taken = [path.stem for path in made]
                made.append(turning.one(house, picture, name, direction, folder, face, taken)[1])
            except UserError as error:
                wrong.append(str(error))
        if not made:
            raise UserError(f"none of the {len(pictures)} could be translated: {wrong[0]}")
        if wrong:
            gr.Warning(f"{len(wrong)} of {len(pictures)} were left out, such as: {wrong[0]}", title="")
        archive = uploads.pack(made, folder / "translated.zip")
        return (
            gr.ImageSlider(visible=False),
            gr.Gallery([(str(path), path.stem) for path in made], visible=True),
            gr.DownloadButton(f"Download all {len(made)} (.zip)", value=archive, visible=True),
        )

    @said
    def translate_picture(picture: str, model: str, direction: str | None = None, face: bool = False) -> str:
        """Turn one picture into another with the model of that name; the same pixels as `limner translate`."""
        return str(turning.one(house, picture, model, direction, house.folder(), face)[1])

    choosing.wire(house, blocks, refresh, choose, True, empty, full)
    outputs = [result, gallery, download]
    queue: dict[str, Any] = {"concurrency_id": "compute", "api_visibility": "private"}
    queue["show_progress_on"] = [result, gallery]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for moment in (model.change, blocks.load):
        moment(chosen, model, [way, face, choose.words, board], **quiet)
    way.input(turned, [model, way], face, **quiet)
    go.click(translate_one, [given, model, way, face], outputs, **queue)
    drawn.click(translate_drawing, [board, model, way], outputs, **queue)
    all_of_them.click(translate_many, [many, model, way, face], outputs, **queue)
    with gr.Row(visible=False):  # an endpoint needs components for its files
        named, wanted = gr.Textbox(label="model"), gr.Textbox(label="direction")
        file, back = gr.Image(type="filepath", image_mode=None, label="picture"), gr.File(label="translated")
        first, hidden = gr.Checkbox(False, label="face"), gr.Button()
    hidden.click(translate_picture, [file, named, wanted, first], back, api_name="translate", concurrency_id="compute")


def _face(model: Model, direction: str | None) -> gr.Checkbox:
    learned = model.margin(direction) is not None
    return gr.Checkbox(value=learned, visible=learned)


def _results() -> tuple[gr.ImageSlider, gr.Gallery]:
    # of one picture and of many: one of them is shown
    slider = gr.ImageSlider(
        label="Before and after",
        show_label=False,
        type="filepath",
        image_mode=None,
        format="png",
        interactive=False,
        elem_id="result",
        height=HEIGHT,
        max_height=HEIGHT,
        buttons=["fullscreen"],
    )
    many: Any = {"visible": False, "height": HEIGHT, "elem_id": "results", "buttons": []}
    return slider, gr.Gallery(label="Translated", show_label=False, columns=4, format="png", **many)
