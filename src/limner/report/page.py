"""One page per run that opens from the disk: pictures, time-lapse, plots, health, settings, how to use the model."""

from __future__ import annotations

import base64
import datetime
import functools
import importlib.metadata
import io
import os
import shlex
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from limner.core import files
from limner.core.runs import Run
from limner.core.version import VERSION
from limner.report import story
from limner.report.timelapse import caption, open_sheet, write_timelapse

STRIP = 6  # sheets that show the run at a glance
LARGE, SMALL = 1280, 320  # longest side of the last sheet and of those on the strip, in pixels
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
    from limner.report import plots

    content = run.read_config()
    lines = list(run.metrics())
    sheets = run.sample_sheets()
    opened = ((sheet, open_sheet(sheet)) for sheet in reversed(sheets))
    last, last_picture = next(((sheet, picture) for sheet, picture in opened if picture is not None), (None, None))
    newest = int(last.stem) if last is not None and last.stem.isdecimal() else 0
    config = content["config"]
    name = run.folder.resolve().name
    sheet = _figure(last_picture, LARGE, caption(last)) if last and last_picture else None
    strip = _strip(sheets)
    room = PICTURES - sum(len(figure["uri"]) for figure in [sheet, *strip] if figure)
    values = {
        "name": name,
        "preset": config.get("preset", "?"),
        "data": story.plain(config.get("data")),
        "count": story.picture_count(content),
        "size": story.picture_size(content),
        "progress": story.progress(content, lines, newest),
        "sheet": sheet,
        "timelapse": _timelapse(run.folder, last_picture, room),
        "strip": strip,
        "plots": [
            {"title": title, "subtitle": plots.subtitle(title), "svg": Markup(svg)}
            for title, svg in plots.plot_groups(lines).items()
        ],
        "findings": story.findings(lines),
        "events": story.events(lines),
        "asked": story.settings(config),
        "resolved": story.settings(content["resolved"]),
        "has_model": run.model_file.is_file(),
        "shell_name": subprocess.list2cmdline([name]) if os.name == "nt" else shlex.quote(name),
        "python_name": repr(name),
        "trained_with": _trained_with(content),
        "versions": _versions(),
        "written": datetime.datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        "duration": story.duration,
    }
    files.write_text(run.report_file, _template().render(values))
    return run.report_file


@functools.cache
def _template() -> jinja2.Template:
    source = resources.files("limner.report").joinpath("page.html").read_text(encoding="utf-8")
    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    return jinja2.Environment(**options).from_string(source)


def _strip(sheets: list[Path]) -> list[dict[str, Any]]:
    if len(sheets) < 3:  # the first and the last are seen elsewhere
        return []
    count = min(STRIP, len(sheets))
    chosen = [sheets[round(i * (len(sheets) - 1) / (count - 1))] for i in range(count)]
    figures = [(open_sheet(sheet), caption(sheet)) for sheet in chosen]
    return [_figure(picture, SMALL, words) for picture, words in figures if picture is not None]


def _figure(picture: Image.Image, longest: int, words: str) -> dict[str, Any]:
    shrink = min(1.0, longest / max(picture.size))
    if shrink < 1.0:
        size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", quality=82, method=4)
    return {"uri": _data_uri(buffer.getvalue()), "width": picture.width, "height": picture.height, "words": words}


def _timelapse(folder: Path, last: Image.Image | None, room: int) -> dict[str, Any] | None:
    path = folder / "timelapse.webp"
    first = open_sheet(path) if path.is_file() else None
    if first is None or last is None:
        return None
    still = _figure(last, max(first.size), "")["uri"]  # shown to who asked the system for less motion, and on paper
    uri = _data_uri(path.read_bytes())
    whole = len(uri) + len(still) <= room
    return {
        "uri": uri if whole else still,
        "still": still,
        "whole": whole,
        "width": first.width,
        "height": first.height,
    }


def _data_uri(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _trained_with(content: dict[str, Any]) -> str:
    torch = content["resolved"].get("torch")
    return f"limner {content.get('limner', 'of unknown version')}" + (f" on PyTorch {torch}" if torch else "")


def _versions() -> list[str]:
    found = [f"limner {VERSION}"]
    for name, title in (("pillow", "Pillow"), ("matplotlib", "Matplotlib")):
        try:
            found.append(f"{title} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
