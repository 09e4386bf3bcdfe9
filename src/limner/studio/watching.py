"""The page that shows runs: a live table, and of the one that is chosen its curves, samples and report."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import html
import shutil
import threading
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from PIL import Image

from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report import comparison, plots, standings, write_timelapse
from limner.studio import choosing
from limner.studio.house import House, said
from limner.studio.jobs import continuing
from limner.studio.standing import Row, board_of, changed, may_go_on, may_stop, table

EMPTY = """### No run yet
`limner demo` in a terminal (or `make demo`) makes one in three minutes.

With pictures of your own, start one on the page **Train**."""
DRAWING = threading.Lock()  # Matplotlib's style is one for all threads
# a click on a run's name in the table chooses it
CLICKS = """element.addEventListener('click', event => {
  const name = event.target.closest('button[data-run]');
  if (name) trigger('click', {run: name.dataset.run});
});"""


def page(house: House, blocks: gr.Blocks, refresh: gr.Timer) -> None:
    """Lay out the page and wire it."""
    names = [house.shelf.name(run) for run in house.shelf.folders()]
    empty = gr.Markdown(EMPTY, visible=not names, elem_classes="empty")
    with gr.Column(visible=bool(names)) as full:
        board = gr.HTML("", elem_id="runs", elem_classes="bare", apply_default_css=False, js_on_load=CLICKS)
        with gr.Row():
            chosen = gr.Dropdown(
                names, value=next(iter(names), None), label="Run", elem_id="run", scale=4, min_width=240
            )
            with gr.Row(elem_classes="slim", scale=2):
                stop = gr.Button("Stop", elem_id="stop", min_width=100)
                go_on = gr.Button("Continue", elem_id="continue", min_width=100)
        answer = gr.Markdown("", elem_id="answer")
        with gr.Tab("Curves"):
            curves = gr.HTML("", elem_id="curves", elem_classes="bare")
        with gr.Tab("Samples") as samples_tab, gr.Row():
            with gr.Column(min_width=280):
                gr.Markdown("The newest samples", elem_classes="soft")
                sheet = _picture("sheet", "the newest sheet of samples")
            with gr.Column(min_width=280):
                gr.Markdown("How they became what they are", elem_classes="soft")
                lapse = _picture("lapse", "a time-lapse of the samples while it trained")
        with gr.Tab("Report") as report_tab:
            report = gr.HTML("", elem_id="report", elem_classes="bare")
        with gr.Tab("Side by side") as beside_tab:
            other = gr.Dropdown(["", *names], value="", label="The other run", elem_id="other")
            beside = gr.HTML("", elem_id="beside", elem_classes="bare")
        with gr.Tab("Log"):
            log = gr.Textbox(
                label="The end of what it said, where it was started here", lines=12, interactive=False, elem_id="log"
            )

    def look_again(name: str | None) -> tuple[Any, ...]:
        rows = table(house)
        names = [row.run for row in rows]
        row = next((row for row in rows if row.run == name), next(iter(rows), None))
        return (
            board_of(rows),
            choosing.choices(names, name),
            gr.Dropdown(choices=["", *names]),
            gr.Markdown(visible=not rows),
            gr.Column(visible=bool(rows)),
            *one(row),
        )

    def choose(name: str | None) -> tuple[Any, ...]:
        row = next((row for row in table(house) if row.run == name), None)
        return *one(row), "", _report(house, name)

    def one(row: Row | None) -> tuple[Any, ...]:
        name = row.run if row else None
        stop = gr.Button("Forget" if row and row.state == "failed" else "Stop", interactive=may_stop(row))
        go_on = gr.Button(interactive=may_go_on(row))
        return _curves(house, name), _sheet(house, name), _log(house, name), stop, go_on

    def click(event: gr.EventData) -> Any:
        name = str(event._data.get("run", ""))
        return name if any(row.run == name for row in table(house)) else gr.skip()  # what waits has no folder yet

    @said
    def stop_run(run: str) -> str:
        """Let a training save and end; continue it whenever you like."""
        return house.jobs.stop(run if house.jobs.knows(run) else house.shelf.name(house.shelf.run(run)))

    @said
    def continue_run(run: str) -> str:
        """Go on with a run where it stopped."""
        return resume(house, run)

    @said
    def runs() -> list[dict[str, Any]]:
        """Every run with its progress, newest first."""
        return [dataclasses.asdict(row) for row in table(house)]

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    of_one = [curves, sheet, log, stop, go_on]
    shown = [board, chosen, other, empty, full, *of_one]
    for moment in (refresh.tick, blocks.load):
        moment(look_again, chosen, shown, **private)
    board.click(click, None, chosen, **private)
    chosen.change(choose, chosen, [*of_one, answer, report], **private)
    for press, function in ((stop, stop_run), (go_on, continue_run)):
        press.click(function, chosen, answer, **private).then(look_again, chosen, shown, **private)
    for moment in (samples_tab.select, chosen.change):
        moment(lambda name: _lapse(house, name), chosen, lapse, **private)
    report_tab.select(lambda name: _report(house, name), chosen, report, **private)
    for moment in (beside_tab.select, other.change, chosen.change):
        moment(lambda one, two: _beside(house, one, two), [chosen, other], beside, **private)
    api(runs, api_name="runs")
    api(stop_run, api_name="stop")
    api(continue_run, api_name="continue")


def resume(house: House, name: str) -> str:
    """Put a run that has stopped into the queue again; says what was done."""
    run = house.shelf.run(name)
    if house.jobs.busy(name):
        raise UserError(f"{name} is training already")
    words, note = continuing(run)
    house.jobs.ask(name, words)
    return f"{name} goes on, or waits for its turn. {note}".strip()


def _run(house: House, name: str | None) -> Run | None:
    try:
        return house.shelf.run(name) if name else None
    except UserError:
        return None


def _curves(house: House, name: str | None) -> str:
    run = _run(house, name)
    if run is None:
        return ""
    with DRAWING:
        return _drawn(run, changed(run.metrics_file))


@functools.lru_cache(maxsize=32)
def _drawn(run: Run, changed_at: int) -> str:
    # again only when numbers have come: every open page asks every few seconds
    try:
        drawn = plots.plot_groups(run.metrics())
    except UserError as error:
        return f"<p>{html.escape(str(error))}</p>"
    if not drawn:
        return "<p>Nothing has been logged yet: the first numbers come within a hundredth of the run.</p>"
    figures = "".join(
        f"<figure><figcaption>{html.escape(title)}</figcaption>{svg}</figure>" for title, svg in drawn.items()
    )
    return f'<div class="plots">{figures}</div>'


def _sheet(house: House, name: str | None) -> Image.Image | None:
    run = _run(house, name)
    return _open(run.sample_sheets()[-1]) if run is not None and run.sample_sheets() else None


def _picture(name: str, words: str) -> gr.Image:
    buttons: Any = ["fullscreen", "download"]
    return gr.Image(label=words, show_label=False, interactive=False, elem_id=name, buttons=buttons, alt_text=words)


def _lapse(house: House, name: str | None) -> str | None:
    # the run's own, or, while it trains, one of what there is; shown from our folder, as Gradio shows no other file
    run = _run(house, name)
    sheets = run.sample_sheets() if run is not None else []
    if run is None or not sheets:
        return None
    own = run.folder / "timelapse.webp"
    key = f"{run.folder} {changed(sheets[-1])} {changed(own)}"  # a new name when there is something new
    folder = house.files / hashlib.sha256(key.encode()).hexdigest()[:32]
    shown = folder / own.name
    if not shown.is_file():
        folder.mkdir(exist_ok=True)
        if own.is_file() and not house.jobs.busy(str(name)):
            shutil.copyfile(own, shown)
        else:
            write_timelapse(sheets, folder / "timelapse")
    return str(shown) if shown.is_file() else None


def _open(path: Path) -> Image.Image | None:
    try:
        with Image.open(path) as picture:
            return picture.copy()
    except OSError:  # it is being written
        return None


def _log(house: House, name: str | None) -> str:
    return house.jobs.last_words(name) if name else ""


def _report(house: House, name: str | None) -> str:
    run = _run(house, name)
    if run is None or not run.report_file.is_file():
        return "<p>The report is written when the run stops or ends.</p>"
    return _framed(run.report_file.read_text(encoding="utf-8"), f"report of {name}")


def _beside(house: House, one: str | None, two: str | None) -> str:
    first, second = _run(house, one), _run(house, two)
    if first is None or second is None or first == second:
        return "<p>Choose another run to see both side by side: numbers, settings, samples.</p>"
    try:
        found = standings.compare_runs([first.folder, second.folder])
        written = comparison.write_comparison(house.folder() / "comparison.html", found)
    except UserError as error:
        return f"<p>{html.escape(str(error))}</p>"
    return _framed(written.read_text(encoding="utf-8"), f"{one} beside {two}")


def _framed(content: str, title: str) -> str:
    # in a frame without rights: whatever a run's name or data says, it runs nothing here
    words = html.escape(content, quote=True)
    return f'<iframe sandbox title="{html.escape(title, quote=True)}" srcdoc="{words}" class="page"></iframe>'
