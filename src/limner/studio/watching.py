"""The page that shows runs: a live table, and of the one that is chosen its curves, samples and report."""

from __future__ import annotations

import dataclasses
import functools
import html
import shutil
import threading
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from PIL import Image

from limner.core.console import duration
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report import comparison, plots, scores, standings, story
from limner.studio.house import House, said

EMPTY = """### No run yet
`limner demo` in a terminal makes one in three minutes, or start one on the page **Train**."""
DRAWING = threading.Lock()  # Matplotlib's style is one for all threads
HEADERS = ("run", "state", "preset", "data", "progress", "images/s", "left", "last number", "health")


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table, as it is shown."""

    run: str
    state: str
    preset: str = ""
    data: str = ""
    progress: str = ""
    speed: str = ""
    left: str = ""
    number: str = ""
    health: str = ""


def page(house: House, blocks: gr.Blocks, refresh: gr.Timer) -> None:
    """Lay out the page and wire it."""
    rows = table(house)
    empty = gr.Markdown(EMPTY, visible=not rows)
    with gr.Column(visible=bool(rows)) as full:
        board = gr.HTML(_board(rows), elem_id="runs")
        with gr.Row():
            chosen = gr.Dropdown(_names(rows), value=_first(rows), label="Run", elem_id="run", scale=2)
            other = gr.Dropdown(["", *_names(rows)], value="", label="Beside", scale=2)
            stop = gr.Button("Stop", elem_id="stop", scale=1)
            go_on = gr.Button("Continue", elem_id="continue", scale=1)
        answer = gr.Markdown("", elem_id="answer")
        with gr.Tab("Curves"):
            curves = gr.HTML(_curves(house, _first(rows)), elem_id="curves", padding=True)
        with gr.Tab("Samples"), gr.Row():
            sheet = gr.Image(_sheet(house, _first(rows)), label="The newest sheet", interactive=False, elem_id="sheet")
            lapse = gr.Image(_lapse(house, _first(rows)), label="Time-lapse", interactive=False)
        with gr.Tab("Report") as report_tab:
            report = gr.HTML("", elem_id="report", padding=False)
        with gr.Tab("Beside another") as beside_tab:
            beside = gr.HTML("", elem_id="beside", padding=False)
        with gr.Tab("What it said"):
            log = gr.Textbox(_log(house, _first(rows)), label="The end of its output", lines=12, interactive=False)

    def look_again(name: str | None) -> tuple[Any, ...]:
        rows = table(house)
        names = _names(rows)
        name = name if name in names else _first(rows)
        return (
            _board(rows),
            gr.Dropdown(choices=names, value=name),
            gr.Dropdown(choices=["", *names]),
            _curves(house, name),
            _sheet(house, name),
            _log(house, name),
            gr.Markdown(visible=not rows),
            gr.Column(visible=bool(rows)),
        )

    def choose(name: str | None) -> tuple[Any, ...]:
        return _curves(house, name), _sheet(house, name), _lapse(house, name), _log(house, name), ""

    @said
    def stop_run(run: str) -> str:
        """Let a training save and end; continue it whenever you like."""
        return house.jobs.stop(house.shelf.name(house.shelf.run(run)))

    @said
    def continue_run(run: str) -> str:
        """Go on with a run where it stopped."""
        return resume(house, run)

    @said
    def runs() -> list[dict[str, str]]:
        """Every run with its progress, newest first."""
        return [dataclasses.asdict(row) for row in table(house)]

    private: dict[str, Any] = {"api_visibility": "private"}
    shown = [board, chosen, other, curves, sheet, log, empty, full]
    refresh.tick(look_again, chosen, shown, show_progress="hidden", **private)
    blocks.load(lambda: look_again(None), None, shown, show_progress="hidden", **private)
    chosen.change(choose, chosen, [curves, sheet, lapse, log, answer], show_progress="hidden", **private)
    stop.click(stop_run, chosen, answer, **private)
    go_on.click(continue_run, chosen, answer, **private)
    report_tab.select(lambda name: _report(house, name), chosen, report, **private)
    beside_tab.select(lambda one, two: _beside(house, one, two), [chosen, other], beside, **private)
    other.change(lambda one, two: _beside(house, one, two), [chosen, other], beside, **private)
    api(runs, api_name="runs")
    api(stop_run, api_name="stop")
    api(continue_run, api_name="continue")


def table(house: House) -> list[Row]:
    """Every run as it stands, newest first; waiting ones have no folder yet and come first."""
    jobs = house.jobs.tend()
    waiting = {job.run for job in jobs if not job.pid}
    rows = [Row(job.run, "waits") for job in jobs if not job.pid and not (house.runs / job.run).is_dir()]
    return rows + [_row(house, run, waiting) for run in house.shelf.folders()]


def resume(house: House, name: str) -> str:
    """Put a run that has stopped into the queue again; says what was done."""
    from limner.studio.jobs import continuing

    run = house.shelf.run(name)
    if house.jobs.busy(name):
        raise UserError(f"{name} is training already")
    house.jobs.ask(name, continuing(run))
    return f"{name} goes on, or waits for its turn."


def _row(house: House, run: Run, waiting: set[str]) -> Row:
    name = house.shelf.name(run)
    try:
        content = run.read_config()
        lines = list(run.metrics())
    except UserError as error:
        return Row(name, "broken", health=str(error))
    progress = story.progress(content, lines)
    busy = house.jobs.busy(name)
    state = "trains" if busy else "waits" if name in waiting else "done" if progress.done else "stopped"
    speed = next((line["speed"] for line in reversed(lines) if "speed" in line), None)
    left = duration((progress.total - progress.images) / speed) if busy and speed and progress.total else ""
    found = story.numbers(story.evaluations(lines))
    key = next(iter(found), None)
    number = f"{scores.score(key).title} {scores.number(found[key][-1][1])}" if key else ""
    findings = story.findings(lines)
    return Row(
        name,
        state,
        str(content["config"].get("preset", "")),
        story.plain(content["config"].get("data")),
        f"{progress.share:.0%} of {progress.total:,}" if progress.share is not None else f"{progress.images:,}",
        f"{speed:,.1f}" if speed and busy else "",
        left,
        number,
        findings[-1].word if findings else "",
    )


def _board(rows: list[Row]) -> str:
    head = "".join(f"<th>{title}</th>" for title in HEADERS)
    body = "".join(
        f'<tr class="{row.state}">'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in dataclasses.astuple(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table class="runs"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _names(rows: list[Row]) -> list[str]:
    return [row.run for row in rows]


def _first(rows: list[Row]) -> str | None:
    return rows[0].run if rows else None


def _run(house: House, name: str | None) -> Run | None:
    try:
        return house.shelf.run(name) if name else None
    except UserError:
        return None


def _curves(house: House, name: str | None) -> str:
    run = _run(house, name)
    if run is None:
        return ""
    changed = run.metrics_file.stat().st_mtime_ns if run.metrics_file.is_file() else 0
    with DRAWING:
        return _drawn(run, changed)


@functools.lru_cache(maxsize=32)
def _drawn(run: Run, changed: int) -> str:
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


def _lapse(house: House, name: str | None) -> str | None:
    run = _run(house, name)
    path = run.folder / "timelapse.webp" if run is not None else None
    if path is None or not path.is_file():
        return None
    return str(shutil.copyfile(path, house.folder() / path.name))  # Gradio shows no file of elsewhere


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
        return "<p>The report comes when the run stops or ends.</p>"
    return _framed(run.report_file.read_text(encoding="utf-8"), f"report of {name}")


def _beside(house: House, one: str | None, two: str | None) -> str:
    first, second = _run(house, one), _run(house, two)
    if first is None or second is None or first == second:
        return "<p>Choose another run under <b>Beside</b>.</p>"
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
