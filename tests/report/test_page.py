import json
import re
import subprocess
import sys

import numpy as np
import pytest

from limner.core.errors import UserError
from limner.core.grids import grid
from limner.core.runs import Run
from limner.report import page, refresh, story, write_report
from reading import Page

HOSTILE = "<script>alert('1')</script> & \"$"


def make_run(folder, sheets=8, lines=200, total=12_800, config=None):
    run = Run(folder)
    content = {"preset": "dcgan", "data": "digits", "settings": {"lr_d": 2e-4, "mirror": False}, **(config or {})}
    data = {"count": 5000, "height": 28, "width": 28, "classes": []}
    resolved = {"total": total, "data": data, "machine": {"threads": 2}, "torch": "2.9"}
    run.write_config({"limner": "0.0.7", "config": content, "resolved": resolved})
    run.samples.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(sheets):
        pictures = rng.integers(0, 256, (16, 28, 28, 1), dtype=np.uint8)
        grid(pictures).save(run.sample_sheet(i * 64 * lines // max(1, sheets - 1)))
    logged = [
        {"kind": "log", "images": 64 * i, "seconds": 30.0 * i, "speed": 500.0, "loss/D": 1.0, "loss/G": 1 + 1 / i}
        for i in range(1, lines + 1)
    ]
    run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in logged), encoding="utf-8")
    return run


def say(run, **line):
    with run.metrics_file.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("runs") / "digits")
    say(run, kind="health", images=6400, word="discriminator has won", advice="Lower --lr-d.")
    say(run, kind="health", images=9600, word="discriminator has won", advice="Lower --lr-d.")
    say(run, kind="event", images=3200, text="continued from 3,200 images")
    assert refresh(run) == run.report_file
    return run


def test_the_page_asks_for_nothing_from_outside(full):
    seen = Page(full.report_file)
    for _, attributes in seen.tags:
        for name in ("src", "srcset", "href", "xlink:href", "action", "data", "poster"):
            value = attributes.get(name, "#") or ""
            assert value.startswith(("data:image/webp;base64,", "#")) or value in ("timelapse.gif", "timelapse.webp")
    assert not re.search(r"url\((?!#)|@import|https?://|<script|<link|\son\w+=", seen.source)
    policy = next(meta["content"] for meta in seen.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_picture_is_embedded_and_described(full):
    pictures = Page(full.report_file).all("img")
    assert len(pictures) == 1 + 1 + 6  # last sheet, time-lapse, strip
    for picture in pictures:
        assert picture["alt"] and picture["src"].startswith("data:image/webp;base64,")
        assert int(picture["width"]) > 0 and int(picture["height"]) > 0


def test_the_page_tells_the_run(full):
    text = Page(full.report_file).text
    for words in (
        "dcgan", "Done", "12,800 images", "1 h 40 min", "1. discriminator has won", "at 6,400 images, 2 times",
        "Lower --lr-d.", "continued from 3,200 images", "settings.lr_d", "0.0002", "machine.threads",
        "limner 0.0.7 on PyTorch 2.9", "5,000 pictures", "28 × 28 px",
        "limner generate digits --count 64 --grid --out", "limner.load('digits').generate(count=16)",
        "There is no model file in the run folder yet",
    ):  # fmt: skip
        assert words in text
    assert (full.folder / "timelapse.gif").is_file() and (full.folder / "timelapse.webp").is_file()
    assert Page(full.report_file).source.count("<svg") == 2


def test_a_run_without_anything_has_words_instead(tmp_path):
    run = Run(tmp_path)
    run.write_config({"limner": "0.1.0", "config": {"preset": "dcgan", "data": "digits"}, "resolved": {}})
    refresh(run)
    seen = Page(run.report_file)
    assert not seen.all("img")
    for words in ("Not begun", "No samples yet", "at least two sample sheets", "Nothing has been logged yet"):
        assert words in seen.text


def test_names_and_values_are_escaped(tmp_path):
    folder = tmp_path / "<i>evil & 'co'"
    try:
        run = make_run(folder, 3, 5, config={"data": HOSTILE, HOSTILE: [HOSTILE], "preset": HOSTILE})
    except UserError:
        pytest.skip("this file system has no such names")
    say(run, **{"kind": "log", "images": 320, f"loss/{HOSTILE}": 1.0, HOSTILE: 1.0})
    say(run, kind="health", images=320, word=HOSTILE, advice=HOSTILE)
    say(run, kind="event", images=320, text=HOSTILE)
    write_report(run)
    seen = Page(run.report_file)
    assert not seen.all("script") and not seen.all("i")[1:]  # one i is the progress bar
    assert "<i>evil & 'co'" in seen.text
    assert seen.text.count(HOSTILE) > 6


def test_damaged_pieces_are_left_out(tmp_path):
    run = make_run(tmp_path, 4, 5)
    run.sample_sheets()[-1].write_bytes(b"torn")
    (tmp_path / "timelapse.webp").write_bytes(b"torn")
    with run.metrics_file.open("a") as file:
        file.write('{"kind": "lo')
    write_report(run)
    assert len(Page(run.report_file).all("img")) == 1 + 3


def test_a_translator_is_shown_how_it_is_used(tmp_path):
    run = make_run(tmp_path / "my facades", 2, 5)
    content = json.loads(run.config_file.read_text())
    assert "limner generate" in Page(_written(run).report_file).text
    content["resolved"]["data"]["channels_in"] = 3
    run.write_config(content)
    text = Page(_written(run).report_file).text
    assert "limner translate 'my facades' picture.png --out translated" in text
    assert "limner.translate('my facades', \"picture.png\")" in text
    assert "limner generate" not in text and ".generate(" not in text and "turn pictures into others" in text


def _written(run):
    write_report(run)
    return run


def test_nothing_to_report_and_progress(tmp_path):
    write_report(make_run(tmp_path, 2, 50))
    text = Page(Run(tmp_path).report_file).text
    assert "Nothing to report" in text and "In progress" in text and "3,200 of 12,800 images" in text


def test_a_time_lapse_that_is_too_large_is_only_linked(tmp_path, monkeypatch):
    run = make_run(tmp_path, 8, 2000)  # noise, the worst of pictures
    refresh(run)
    assert run.report_file.stat().st_size < 3_000_000
    animated = Page(run.report_file).all("img")[1]["src"]
    monkeypatch.setattr(page, "PICTURES", len(animated))
    write_report(run)
    assert "too large for this page" in Page(run.report_file).text
    assert len(Page(run.report_file).all("img")[1]["src"]) < len(animated) / 4


def test_no_run_is_said_in_words(tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        write_report(Run(tmp_path))


def test_a_clock_that_starts_anew_is_added_up():
    lines = [{"images": n, "seconds": s} for n, s in ((1, 10.0), (2, 20.0), (3, 5.0), (4, 9.0))]
    progress = story.progress({"config": {}, "resolved": {}}, lines)
    assert (progress.images, progress.seconds, progress.total, progress.share) == (4, 29.0, None, None)


def test_values_in_words():
    values = (None, True, 200_000, 2e-4, [0.5, 0.999], {"height": 64, "width": 96}, [])
    assert [story.plain(v) for v in values] == ["not set", "yes", "200,000", "0.0002", "0.5, 0.999", "64 × 96", "none"]
    assert [story.duration(s) for s in (45, 480, 7800)] == ["45 s", "8 min", "2 h 10 min"]


def test_importing_is_quick():
    code = "import sys, limner.report; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
