"""One page per run that opens from the disk: pictures, time-lapse, plots, health, settings, how to use the model."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from limner.core import files
from limner.core.runs import Run
from limner.report import story
from limner.report.figures import data_uri, figure, newest_sheet, render
from limner.report.timelapse import caption, open_sheet, write_timelapse

STRIP = 6  # sheets that show the run at a glance
LARGE, SMALL = 1280, 320  # longest side of the last sheet and of those on the strip, in pixels
FOREMOST = 4  # plots of the best-known results; the others are folded away, so that they do not drown the losses
PICTURES = 2_600_000  # bytes of all embedded pictures; a time-lapse for which no room is left is only linked


def refresh(run: Run) -> Path:
    """Make the time-lapse and the page anew from the run folder; return the page's path."""
    write_timelapse(run.sample_sheets(), run.folder / "timelapse")
    return write_report(run)


def write_report(run: Run) -> Path:
    """Write report.html from what lies in the run folder, and return its path.

    It holds the pictures and plots themselves and asks for nothing else; the time-lapse is the one that lies beside
    it. Errors: UserError when the folder is no run or cannot be written.
    """
    content = run.read_config()
    lines = list(run.metrics())
    sheets = run.sample_sheets()
    last, last_picture = newest_sheet(sheets)
    newest = int(last.stem) if last is not None and last.stem.isdecimal() else 0
    config = content["config"]
    name = run.folder.resolve().name
    sheet = figure(last_picture, LARGE, caption(last)) if last and last_picture else None
    strip = _strip(sheets)
    progress = story.progress(content, lines, newest)
    measured = story.evaluations(lines) + [line for line in lines if line.get("kind") == "health"]
    nearest = _nearest(run.nearest_file)
    room = PICTURES - sum(len(embedded["uri"]) for embedded in [sheet, nearest, *strip] if embedded)
    values = {
        "name": name,
        "preset": config.get("preset", "?"),
        "data": story.plain(config.get("data")),
        "count": story.picture_count(content),
        "size": story.picture_size(content),
        "progress": progress,
        "sheet": sheet,
        "timelapse": _timelapse(run.folder, last_picture, room),
        "strip": strip,
        "nearest": nearest,
        "plots": _plots([line for line in lines if line.get("kind") != "evaluation"]),
        "quality": story.leading(lines),
        "kept": run.best_file.name if run.best_file.is_file() else "",
        "quality_plots": _plots(measured, progress.images),
        "foremost": FOREMOST,
        "findings": story.findings(lines),
        "events": story.events(lines),
        "asked": story.settings(config),
        "resolved": story.settings(content["resolved"]),
        "translates": story.translates(content),
        "has_model": run.model_file.is_file(),
        "shell_name": subprocess.list2cmdline([name]) if os.name == "nt" else shlex.quote(name),
        "python_name": repr(name),
        "trained_with": _trained_with(content),
        "duration": story.duration,
    }
    files.write_text(run.report_file, render("page.html", values))
    return run.report_file


def _plots(lines: list[Mapping[str, Any]], until: int = 0) -> list[dict[str, Any]]:
    from limner.report import plots

    drawn = plots.plot_groups(lines, until)
    return [{"title": title, "subtitle": plots.subtitle(title), "svg": Markup(svg)} for title, svg in drawn.items()]


def _strip(sheets: list[Path]) -> list[dict[str, Any]]:
    if len(sheets) < 3:  # the first and the last are seen elsewhere
        return []
    count = min(STRIP, len(sheets))
    chosen = [sheets[round(i * (len(sheets) - 1) / (count - 1))] for i in range(count)]
    figures = [(open_sheet(sheet), caption(sheet)) for sheet in chosen]
    return [figure(picture, SMALL, words) for picture, words in figures if picture is not None]


def _nearest(file: Path) -> dict[str, Any] | None:
    picture = open_sheet(file) if file.is_file() else None
    return figure(picture, LARGE, "") if picture is not None else None


def _timelapse(folder: Path, last: Image.Image | None, room: int) -> dict[str, Any] | None:
    path = folder / "timelapse.webp"
    first = open_sheet(path) if path.is_file() else None
    if first is None or last is None:
        return None
    still = figure(last, max(first.size), "")["uri"]  # shown to who asked the system for less motion, and on paper
    uri = data_uri(path.read_bytes())
    whole = len(uri) + len(still) <= room
    return {
        "uri": uri if whole else still,
        "still": still,
        "whole": whole,
        "width": first.width,
        "height": first.height,
    }


def _trained_with(content: dict[str, Any]) -> str:
    torch = content["resolved"].get("torch")
    return f"limner {content.get('limner', 'of unknown version')}" + (f" on PyTorch {torch}" if torch else "")
