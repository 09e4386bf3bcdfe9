"""Pictures that lie inside a page, and the templates that hold them: no page asks for anything from elsewhere."""

from __future__ import annotations

import base64
import functools
import importlib.metadata
import io
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from limner.core.version import VERSION
from limner.report.timelapse import open_sheet

EXACT = 128  # pictures up to this side are evidence to be looked at closely: kept without loss, which costs little


def figure(picture: Image.Image, longest: int, words: str) -> dict[str, Any]:
    """Embed a picture, shrunk to `longest` pixels on its longer side: {"uri", "width", "height", "words"}."""
    shrink = min(1.0, longest / max(picture.size))
    if shrink < 1.0:
        size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    options = {"lossless": True} if max(picture.size) <= EXACT else {"quality": 82}
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", method=4, **options)
    return {"uri": data_uri(buffer.getvalue()), "width": picture.width, "height": picture.height, "words": words}


def newest_sheet(sheets: Sequence[Path]) -> tuple[Path, Image.Image] | tuple[None, None]:
    """Open the last of a run's sheets that is not damaged."""
    opened = ((sheet, open_sheet(sheet)) for sheet in reversed(sheets))
    return next(((sheet, picture) for sheet, picture in opened if picture is not None), (None, None))


def data_uri(content: bytes) -> str:
    """Write the bytes of a WebP as an address that holds them."""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def render(template: str, values: dict[str, Any]) -> str:
    """Fill in a template of this folder; every value is escaped but what is Markup, and a missing one is an error."""
    page = {"written": moment(datetime.now().astimezone()), "versions": _versions(), **values}
    return _environment().get_template(template).render(page)


def moment(time: datetime) -> str:
    """Write a moment as a page's small print does."""
    return time.strftime("%d %B %Y, %H:%M")


@functools.cache
def _environment() -> jinja2.Environment:
    folder = resources.files("limner.report")
    loader = jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8"))
    options: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, **options)


def _versions() -> list[str]:
    found = [f"limner {VERSION}"]
    for name, title in (("pillow", "Pillow"), ("matplotlib", "Matplotlib")):
        try:
            found.append(f"{title} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
