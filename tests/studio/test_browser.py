"""What a person does in the browser: drop a picture, draw, slide, start a training and see it end."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
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
    opened.wait_for_selector("#translators img")
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


def noise(path: Path, seed: int = 0) -> Path:
    """A picture of 70 x 50 px."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(path)
    return path


def taken(page: Any, selector: str) -> bytes:
    """What a download button gives."""
    with page.expect_download() as download:
        page.click(selector)
    return Path(download.value.path()).read_bytes()


def quiet(page: Any, still: float = 1.0) -> None:
    """Wait until the grid has been the same for a second: no answer is on its way."""
    before, since = "", time.monotonic()
    while time.monotonic() - since < still:
        address = page.locator("#grid img").first.get_attribute("src")
        if address != before:
            before, since = address, time.monotonic()
        page.wait_for_timeout(100)


def test_a_dropped_picture_becomes_what_limner_translate_makes(page: Any, models: Path, tmp_path: Path) -> None:
    given = noise(tmp_path / "disc <b>1.png")
    page.set_input_files("#given input[type=file]", given)
    page.wait_for_selector("#given img")
    page.click("#translate")
    page.wait_for_selector("#result img >> nth=1")
    (wanted,) = limner.translate(models / "negatives", str(given)).arrays
    shown = [pixels(page, f"#result img >> nth={i}") for i in range(2)]
    assert any(picture.shape == wanted.shape and (picture == wanted).all() for picture in shown)
    assert (np.asarray(Image.open(io.BytesIO(taken(page, "#download")))) == wanted).all()
    assert page.evaluate("[...document.images].every(picture => picture.alt)"), "a picture has no words"


def test_several_pictures_come_back_as_a_zip_and_a_broken_one_is_told(page: Any, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Many").click()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    sent = [noise(tmp_path / "a.png"), noise(tmp_path / "b.png", 1), tmp_path / "broken.png"]
    page.set_input_files("#many input[type=file]", sent)
    page.wait_for_selector("#many >> text=broken")
    page.click("#translate-all")
    page.wait_for_selector("#results img >> nth=1")
    page.get_by_text("1 of 3 were left out").wait_for()
    assert zipfile.ZipFile(io.BytesIO(taken(page, "#download"))).namelist() == ["a.png", "b.png"]


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
    assert pixels(page, "#result img >> nth=0").shape == (32, 32, 3)  # at the size that the model was trained at


def test_sliding_changes_the_grid_and_pictures_lead_to_others(page: Any) -> None:
    page.get_by_role("tab", name="Generate").click()
    page.wait_for_selector("#grid img >> nth=15")
    for slider in ("#seed", "#trunc"):
        before, address = pixels(page, "#grid img"), page.locator("#grid img").first.get_attribute("src")
        box = page.locator(f"{slider} input[type=range]").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()  # and not up: the grid follows while it moves
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=4)
        page.wait_for_function("before => document.querySelector('#grid img').src !== before", arg=address)
        assert not np.array_equal(pixels(page, "#grid img"), before)
        page.mouse.up()
        quiet(page)
    for number in (0, 3):
        page.locator("#grid button.thumbnail-item").nth(number).click()
        page.wait_for_function(
            "count => document.querySelector('#picked textarea, #picked input').value.split(',').length > count",
            arg=min(number, 1),
        )
    page.click("#walk")
    page.wait_for_selector("#film img")
    assert page.locator("#download-path").inner_text().startswith("Download the path from seed")
    page.click("#around")
    page.wait_for_selector("#grid img >> nth=48")
    assert len(zipfile.ZipFile(io.BytesIO(taken(page, "#download-grid"))).namelist()) == 49


def test_a_training_is_begun_seen_and_done(page: Any, server: Server) -> None:
    page.get_by_role("tab", name="Train").click()
    page.fill("#name input, #name textarea", "flowers-1")
    page.fill("#size input", "28")
    page.click("#start")
    page.wait_for_selector("#begun >> text=flowers-1")
    page.fill("#name input, #name textarea", "flowers-2")
    page.click("#start")
    page.wait_for_selector("#begun >> text=flowers-2")
    page.get_by_role("tab", name="Runs").click()
    page.click("#runs tr.waits button[data-run=flowers-2]")  # it has no folder yet, and can be chosen all the same
    page.click("#stop:enabled")
    page.wait_for_selector("#answer >> text=flowers-2 no longer waits")
    page.get_by_role("tab", name="Train").click()
    page.fill("#name input, #name textarea", "flowers-3")
    page.fill("#length input", "128")
    page.press("#length input", "Enter")
    page.click("#start")
    page.wait_for_selector("#begun >> text=flowers-3")
    page.get_by_role("tab", name="Runs").click()
    page.wait_for_selector("#runs tr.trains >> text=flowers-1")
    page.reload()  # the page closes and opens again in the middle
    page.get_by_role("tab", name="Runs").click()
    page.wait_for_selector("#runs tr.trains >> text=flowers-1")
    page.click("#runs button[data-run=flowers-1]")
    page.wait_for_selector("#curves svg")
    run = Run(server.runs / "flowers-1")
    for _ in range(10 * PATIENCE):
        if any(line["images"] for line in run.metrics()):  # it has learned something
            break
        page.wait_for_timeout(100)
    page.click("#stop:enabled")
    page.wait_for_selector("#runs tr.stopped >> text=flowers-1")
    page.wait_for_selector("#continue:enabled")
    assert run.model_file.is_file() and any(run.checkpoints.iterdir())
    page.wait_for_selector("#runs tr.done >> text=flowers-3")  # which waited, and began by itself
    assert Run(server.runs / "flowers-3").read_config()["config"]["images"] == 128
    for name in ("flowers-1", "flowers-3"):
        shutil.rmtree(server.runs / name)


def test_a_telephone_shows_it_whole(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for tab in ("Generate", "Runs", "Train", "Translate"):
        page.get_by_role("tab", name=tab).click()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{tab} is {wide} px wide"


def test_the_broken_model_is_named_with_its_reason(page: Any) -> None:
    page.locator(".broken", has_text="broken cannot be used: broken/model.safetensors cannot be read").first.wait_for()
    page.get_by_role("tab", name="Runs").click()
    page.locator("#runs tr.broken", has_text="cannot be read").wait_for()
    page.click("#runs button[data-run=discs]")  # reached with the keyboard as well
    page.get_by_role("tab", name="Report").click()
    page.wait_for_selector("#report iframe[title='report of discs']")
    page.get_by_role("tab", name="Samples").click()
    page.wait_for_selector("#lapse img")
