"""What a person does in the browser: drop a picture, draw, slide, start a training and see it end."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import limner
from limner.core.runs import Run
from studio.conftest import PATIENCE, Server

SECOND = 1000  # milliseconds, in which Playwright counts


@pytest.fixture
def page(server: Server, browser: Any) -> Iterator[Any]:
    """The studio's page; whatever it asks of another machine fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(PATIENCE * SECOND)
    opened = context.new_page()
    outside: list[str] = []
    opened.on("request", lambda request: outside.append(request.url) if foreign(request.url) else None)
    opened.goto(server.address)
    opened.wait_for_selector("#translate")
    yield opened
    context.close()
    assert not outside


def foreign(address: str) -> bool:
    """Whether an address leads to another machine."""
    return not address.startswith(("http://127.0.0.1", "data:", "blob:"))


def pixels(page: Any, selector: str) -> np.ndarray:
    """The picture that the page shows there, as it came from the server."""
    address = page.locator(selector).first.get_attribute("src")
    content = page.request.get(address).body()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_dropped_picture_becomes_what_limner_translate_makes(page: Any, models: Path, tmp_path: Path) -> None:
    given = tmp_path / "disc <b>1.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(given)
    page.set_input_files("#given input[type=file]", given)
    page.wait_for_selector("#given img")
    page.click("#translate")
    page.wait_for_selector("#result img >> nth=1")
    (wanted,) = limner.translate(models / "negatives", str(given)).arrays
    shown = [pixels(page, f"#result img >> nth={i}") for i in range(2)]
    assert any(picture.shape == wanted.shape and (picture == wanted).all() for picture in shown)


def test_a_drawing_becomes_a_picture(page: Any) -> None:
    page.get_by_role("tab", name="Draw").click()
    canvas = page.locator("#board canvas").first
    canvas.wait_for()
    page.get_by_label("Brush").first.click()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    page.click("#translate-drawing")
    page.wait_for_selector("#result img >> nth=1")


def test_the_slider_changes_the_grid(page: Any) -> None:
    page.get_by_role("tab", name="Generate").click()
    page.click("#draw")
    page.wait_for_selector("#grid img >> nth=15")
    before, address = pixels(page, "#grid img >> nth=0"), page.locator("#grid img").first.get_attribute("src")
    box = page.locator("#seed input[type=range]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("before => document.querySelector('#grid img').src !== before", arg=address)
    assert not np.array_equal(pixels(page, "#grid img >> nth=0"), before)


def test_a_training_is_begun_seen_and_done(page: Any, server: Server) -> None:
    page.get_by_role("tab", name="Train").click()
    page.fill("#name input, #name textarea", "flowers-1")
    page.fill("#size input", "28")
    page.click("#start")
    page.wait_for_selector("#begun >> text=flowers-1")
    page.get_by_role("tab", name="Runs").click()
    page.wait_for_selector("#runs tr.trains >> text=flowers-1")
    page.reload()  # the page closes and opens again in the middle
    page.get_by_role("tab", name="Runs").click()
    page.wait_for_selector("#runs tr.trains >> text=flowers-1")
    page.wait_for_selector("#curves svg")  # it has logged, and so it has saved
    page.click("#stop")
    page.wait_for_selector("#runs tr.stopped >> text=flowers-1")
    assert Run(server.runs / "flowers-1").model_file.is_file()
    shutil.rmtree(server.runs / "flowers-1")


def test_a_telephone_shows_it_whole(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for tab in ("Generate", "Runs", "Translate"):
        if page.get_by_role("tab", name=tab).is_visible():
            page.get_by_role("tab", name=tab).click()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 391, f"{tab} is {wide} px wide"


def test_the_broken_model_is_named_and_the_others_work(page: Any) -> None:
    page.get_by_role("tab", name="Runs").click()
    row = page.locator("#runs tr", has_text=re.compile("broken"))
    row.first.wait_for()
