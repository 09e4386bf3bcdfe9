"""The page on which a training is begun: pictures, what is to be said of them, a recipe, and off it goes."""

from __future__ import annotations

import html
import itertools
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from limner import presets
from limner.commands.forecast import forecast
from limner.core.config import TrainConfig
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.core.files import LOCK
from limner.core.runs import Run
from limner.core.words import count
from limner.data import SOURCES, catalog
from limner.data.folder import SUFFIXES
from limner.data.inspection import Inspection, advise, inspect
from limner.engine import memory
from limner.methods import METHODS
from limner.presets.overlay import overlay
from limner.studio import uploads
from limner.studio.house import House, said
from limner.studio.jobs import command

LENGTHS = (("a first look: 20,000 images", 20_000), ("longer: 200,000 images", 200_000), ("as the recipe says", 0))
SEVERITY = {"stops": "stops training", "harms": "harms", "note": "note"}
ARCHIVE = ".zip"
MOST = 5_000  # pictures that are sent to be trained on
NAME = re.compile(r"[\w][\w.-]{0,59}")
TITLE = "pictures"  # of a set that was sent without a name


def page(house: House, blocks: gr.Blocks) -> None:
    """Lay out the page and wire it."""
    choices = sorted(_places(house))
    with gr.Row():
        with gr.Column(min_width=300):
            gr.Markdown("#### 1. Pictures")
            data = gr.Dropdown(choices, value=_usual(choices), label="A set that is here", elem_id="data")
            sent = gr.File(
                label="or your own: a .zip, or all the pictures",
                file_count="multiple",
                file_types=[ARCHIVE, "image"],
                elem_id="zip",
                height=160,
            )
            look = gr.Button("Look at them", elem_id="look")
            seen = gr.HTML("", elem_id="seen", elem_classes="bare")
        with gr.Column(min_width=300):
            gr.Markdown("#### 2. Recipe")
            preset = gr.Dropdown(presets.PRESETS.names(), value="dcgan-digits", label="Preset", elem_id="preset")
            about = gr.Markdown(_about("dcgan-digits"), elem_classes="soft")
            with gr.Row():
                length = gr.Dropdown(
                    list(LENGTHS),
                    value=20_000,
                    label="How long: or a number of images, such as 50k",
                    allow_custom_value=True,
                    elem_id="length",
                    scale=3,
                    min_width=250,
                )
                size = gr.Number(
                    0, label="Pixels (0: as the recipe says)", precision=0, elem_id="size", scale=2, min_width=150
                )
            name = gr.Textbox("", label="Name of the run", placeholder="such as flowers-1", elem_id="name")
            with gr.Row():
                ask = gr.Button("What will it take?", elem_id="ask", min_width=140)
                start = gr.Button("Start", variant="primary", elem_id="start", min_width=140)
            answer = gr.Markdown("", elem_id="begun")

    @said
    def look_at(chosen: str | None, files: list[str] | None, called: str) -> tuple[Any, ...]:
        place = keep(files) if files else chosen
        found = inspect(_place(house, place))
        advice = advise(found)
        recipe = gr.Dropdown(value=advice.preset) if advice else gr.Dropdown()
        places = gr.Dropdown(choices=sorted(_places(house)), value=place)
        size = gr.Number(value=advice.size if advice else 0)
        return _words(found, house), recipe, size, places, gr.File(value=None), called.strip() or free(place)

    def keep(files: list[str]) -> str:
        house.uploads.mkdir(parents=True, exist_ok=True)
        taken = [path.stem for path in house.uploads.iterdir()]
        kinds = {Path(file).suffix.lower() for file in files}
        if kinds == {ARCHIVE} and len(files) == 1:
            place = f"{uploads.stem(files[0], taken)}{ARCHIVE}"
            shutil.copyfile(files[0], house.uploads / place)
            return f"sent: {place}"
        if len(files) > MOST or kinds - set(SUFFIXES):
            other = ", ".join(sorted(kinds - set(SUFFIXES))) or f"{len(files):,} files"
            raise UserError(f"{other}: expected one {ARCHIVE}, or at most {MOST:,} pictures")
        folder = house.uploads / uploads.stem(TITLE, taken)
        folder.mkdir()
        stems = set[str]()
        for file in files:
            stem = uploads.stem(file, stems)
            stems.add(stem)
            shutil.copyfile(file, folder / f"{stem}{Path(file).suffix.lower()}")
        return f"sent: {folder.name}"

    def free(place: str | None) -> str:
        base = re.sub(r"[^\w-]+", "-", (place or "").removeprefix("sent: ").removesuffix(ARCHIVE)).strip("-") or "run"
        taken = {path.name for path in house.runs.iterdir()} | {job.run for job in house.jobs.tend()}
        return next(name for name in (f"{base[:50]}-{number}" for number in itertools.count(1)) if name not in taken)

    @said
    def estimate(chosen: str | None, preset: str, size: float | None, length: int | str | None) -> str:
        config = _config(house, chosen, preset, size, _images(length))
        seen = inspect(config.data)
        with house.computing:
            found = forecast(config, _spec(config, seen))
        pictures = max(len(one.table) for one in seen.seen)
        images = config.images or round((config.epochs or 1.0) * pictures)
        need = f"about {memory.words(found.memory)}" if found.memory else "an unknown amount"
        seconds = images * found.seconds_per_image
        tight = "" if not found.memory or found.memory < found.free else " **That is more than there is.**"
        return (
            f"On this machine {images:,} images take about **{_long(seconds)}**, if it does nothing else, "
            f"and {need} of memory; {memory.words(found.free)} are free.{tight}"
        )

    @said
    def train(data: str, preset: str, name: str, size: float | None = None, images: int = 20_000) -> str:
        """Begin a training, or let it wait for its turn; `images` of 0 takes the recipe's own length."""
        name = name.strip()
        if not NAME.fullmatch(name):
            raise UserError(
                f"the name {name!r}: expected letters, digits, dots, dashes or underscores, such as flowers-1"
            )
        out = house.runs / name
        if out.is_dir() and {path.name for path in out.iterdir()} - {LOCK, Run(out).cache.name}:
            raise UserError(f"there is a run {name} already: choose another name, or continue it on the page Runs")
        words = command(_config(house, data, preset, size, int(images)), out)
        house.jobs.ask(name, words)
        shown = shlex.join(["limner", *words]).replace(str(house.runs), house.runs.name)
        begun = f"**{name}** begins, or waits for its turn: see the page Runs. The same in a terminal:"
        return f"{begun}\n\n```sh\n{shown}\n```"

    @said
    def begin(data: str, preset: str, name: str, size: float | None, length: int | str | None) -> str:
        return train(data, preset, name, size, _images(length))

    private: dict[str, Any] = {"api_visibility": "private"}
    blocks.load(lambda: gr.Dropdown(choices=sorted(_places(house))), None, data, show_progress="hidden", **private)
    measure: dict[str, Any] = {"concurrency_id": "compute", "show_progress_on": answer, **private}
    looked = look.click(
        look_at, [data, sent, name], [seen, preset, size, data, sent, name], show_progress_on=seen, **private
    )
    looked.success(estimate, [data, preset, size, length], answer, **measure)
    preset.change(_about, preset, about, show_progress="hidden", **private)
    ask.click(estimate, [data, preset, size, length], answer, **measure)
    start.click(begin, [data, preset, name, size, length], answer, **private)
    api(train, api_name="train")


def _places(house: House) -> dict[str, str]:
    # what may be trained on, by the words that choose it: nothing else on this machine can be reached
    places = {name: name for name in SOURCES.names() if SOURCES.load(name).builtin}
    places |= {name: name for name in catalog.sets() if catalog.folder_of(name) is not None}
    for title, folder in (("", house.data), ("sent: ", house.uploads)):
        if folder is not None and folder.is_dir():
            inner = [path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_symlink()]
            places |= {f"{title}{path.name}": str(path) for path in inner}
    return places


def _place(house: House, chosen: str | None) -> str:
    places = _places(house)
    if chosen not in places:
        raise UserError("choose a set that is here, or send a .zip")
    return places[chosen]


def _usual(choices: list[str]) -> str | None:
    return "digits" if "digits" in choices else next(iter(choices), None)


def _images(length: int | str | None) -> int:
    # one of the lengths that are offered, or what was typed in their place
    try:
        return count(str(length or 0))
    except ValueError as error:
        raise UserError(f"how long: {error}") from error


def _config(house: House, chosen: str | None, preset: str, size: float | None, images: int) -> TrainConfig:
    changes: dict[str, Any] = {"data": _place(house, chosen)}
    changes |= {"size": int(size)} if size else {}
    changes |= {"images": images} if images else {}
    return overlay(presets.get(preset), **changes)[0]


def _spec(config: TrainConfig, found: Inspection) -> Spec:
    one = next(one for one in found.seen if len(one.table))
    height, width = int(one.table["height"][0]), int(one.table["width"][0]) // (2 if found.side_by_side else 1)
    channels = config.channels or int(one.table["channels"][0])
    if config.size is not None:
        height, width = config.size.height, config.size.width
    translates = METHODS.load(config.method).translates
    classes = () if translates else one.part.source.classes
    return Spec(channels, height, width, classes, **({"channels_in": channels} if translates else {}))


def _long(seconds: float) -> str:
    # an estimate: to the minute, and from a day on in days
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.0f} hours"
    return f"{max(1, round(seconds / 60))} minute{'s' * (round(seconds / 60) > 1)}"


def _about(preset: str) -> str:
    build = presets.PRESETS.load(preset)
    return (build.__doc__ or "").strip().partition("\n")[0]


def _words(found: Inspection, house: House) -> str:
    rows = []
    for one in found.seen:
        facts = one.facts()
        size = "x".join(map(str, facts["largest"])) if "largest" in facts else "?"
        rows.append(f"<li>{html.escape(str(facts['part']))}: {facts['pictures']:,} pictures, up to {size} px</li>")
    findings = [f"<li><b>{SEVERITY[one.severity]}</b>: {_safe(one.words, house)}</li>" for one in found.findings]
    advice = advise(found)
    advised = ""
    if advice:
        advised = f"<p>Advice: <b>{advice.preset}</b> at {advice.size} px: {_safe(advice.reason, house)}.</p>"
    wrong = f"<ul>{''.join(findings)}</ul>" if findings else "<p>Nothing is wrong with them.</p>"
    return f"<p>{_safe(found.layout.words, house)}</p><ul>{''.join(rows)}</ul>{wrong}{advised}"


def _safe(words: str, house: House) -> str:
    return html.escape(words.replace(f"{house.uploads}/", "").replace(f"{house.runs}/", ""))
