"""`limner compare`: what is set side by side, what is not, and the page."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from limner.cli import main
from limner.commands.compare import Compare, compare
from limner.core.errors import UserError
from limner.core.grids import grid
from limner.core.runs import Run
from limner.report import compare_runs, write_comparison
from limner.report.comparison import table
from limner.report.plots import LINES, overlay
from limner.report.standings import as_data
from reading import Page

HOSTILE = "<script>alert('1')</script> & \"$ [bold]"
HOW = "inception 591ecfa4 pytorch-fid; real 1,000 of digits 9d8f3a2b train; fake 1,000 EMA seeds 0-999"

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a run of 50 log lines and 5 evaluations; `kid` falls to it, `speed` is images per second."""

    def make(
        name: str,
        kid: float | None = 3.0,
        how: str | None = HOW,
        speed: float = 64.0,
        settings: dict[str, Any] | None = None,
        health: str = "",
        extra: dict[str, float] | None = None,
        **config: Any,
    ) -> Path:
        run = Run(tmp_path / name)
        asked = {"preset": "dcgan", "method": "dcgan", "data": "digits", "batch": 32, "settings": {"loss": "bce"}}
        asked |= {"settings": {"loss": "bce", **(settings or {})}, **config}
        resolved = {"total": 3200, "data": {"count": 5000, "fingerprint": "0123456789abcdef"}, "torch": "2.13"}
        run.folder.mkdir(parents=True)
        run.write_config({"limner": "0.1.0", "config": asked, "resolved": resolved})
        lines: list[dict[str, Any]] = []
        for i in range(1, 51):
            images = 64 * i
            log = {"images": images, "seconds": images / speed, "speed": speed, "loss/D": 1.0, "loss/G": i / 10}
            lines.append({"kind": "log", **log, **(extra or {})})
            if kid is not None and i % 10 == 0:
                numbers = {"metric/kid": kid + 0.5 * abs(40 - i), "metric/recall": 0.01 * i, "metric/oddity": 1.0}
                lines.append({"kind": "evaluation", "images": images, **numbers, "protocol": how, "seconds": 7777.0})
        if health:
            lines.append({"kind": "health", "images": 3200, "word": health, "advice": "..."})
        run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        run.samples.mkdir()
        shown = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype=np.uint8)
        grid(shown).save(run.sample_sheet(3200))
        return run.folder

    return make


def evaluated(folder: Path, value: float | None, error: float | None, how: str = HOW) -> None:
    result = {"key": "kid", "title": "KID ×10³", "value": value, "error": error, "better": "lower"}
    content = {"line": f"{how}; from {folder}", "how": how, "results": [result]}
    (folder / "evaluation.json").write_text(json.dumps(content), encoding="utf-8")


def printed(*folders: Path, width: int = 140) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(compare_runs(folders)))
    return "\n".join(" ".join(line.split()) for line in console.export_text().splitlines())


def test_the_table(make: Make) -> None:
    text = printed(make("a", kid=4.0, health="discriminator has won"), make("b", kid=3.0, speed=0.2))
    assert "a dcgan digits 3,200 50 s 64 discriminator has won" in text
    assert "b dcgan digits 3,200 4 h 27 min 0 nothing to report" in text
    assert "KID ×10³ lower 4.000 at 2,560, last 9.000 3.000 * at 2,560, last 8.000" in text
    assert "Recall higher 0.5000 * at 3,200 0.5000 * at 3,200" in text
    assert "Oddity 1.000 at 3,200 1.000 at 3,200" in text  # no star: nobody knows which way is good
    assert HOW in text and "* best" in text


def test_differently_measured_runs_are_not_ranked(make: Make, tmp_path: Path) -> None:
    folders = make("a"), make("b", how=f"{HOW} twice"), make("c", kid=None)
    text = printed(*folders)
    assert f"Not comparable: the runs were measured differently: a with {HOW} | b with {HOW} twice." in " ".join(
        text.split()
    )
    assert "*" not in text
    page = Page(write_comparison(tmp_path / "page.html", compare_runs(folders)))
    assert f"a with {HOW} | b with {HOW} twice" in page.text and "★" not in page.source
    assert "KID" not in "".join(re.findall(r"<h3>.*?</h3>", page.source)) and "Losses: discriminator" in page.text
    data = as_data(compare_runs(folders))["measured"][0]
    assert not data["comparable"] and data["protocols"] == {"a": HOW, "b": f"{HOW} twice"}
    assert not any(cell["wins"] for result in data["results"] for cell in result["runs"].values())


def test_unknown_ways_are_not_the_same_way(make: Make) -> None:
    assert "how the runs were measured is not written down" in printed(make("a", how=None), make("b", how=None))


def test_one_measured_run_wins_nothing(make: Make) -> None:
    text = printed(make("a"), make("b", kid=None))
    assert "Not comparable" not in text and "*" not in text and "3.000 at 2,560" in text


def test_evaluations_of_another_kind_within_one_run_are_left_out(make: Make) -> None:
    folder = make("a", kid=3.0)
    lines = folder.joinpath("metrics.jsonl").read_text().splitlines()
    early = {"kind": "evaluation", "images": 1, "metric/kid": 0.1, "protocol": "another", "seconds": 1}
    folder.joinpath("metrics.jsonl").write_text("\n".join([json.dumps(early), *lines, ""]))
    assert "3.000 * at 2,560" in printed(folder, make("b", kid=3.5))


def test_final_evaluations_have_a_table_of_their_own(make: Make, tmp_path: Path) -> None:
    folders = make("a"), make("b"), make("c"), make("d")
    for folder, value, error in zip(folders, (3.2, 3.4, 5.0, None), (0.4, 0.3, 0.2, None), strict=True):
        evaluated(folder, value, error)
    text = printed(*folders)
    assert "KID ×10³ lower 3.20 ± 0.40 * 3.40 ± 0.30 * 5.00 ± 0.20" in text  # 3.4 is within the errors of 3.2
    evaluated(folders[1], 3.4, 0.3, "another way")
    assert re.search(r"by limner evaluate .*\n.*3\.40 ± 0\.30 5\.00", printed(*folders))
    (folders[1] / "evaluation.json").write_text("{")
    with pytest.raises(UserError, match=r"evaluation\.json cannot be read"):
        compare_runs(folders)


def test_settings_that_differ_and_no_others(make: Make) -> None:
    a = make("a", settings={"lr": 2e-4, "same": 1}, batch=32, size={"height": 28, "width": 28})
    b = make("b", settings={"same": 1}, batch=64, size={"height": 28, "width": 56})
    settings = compare_runs([a, b]).settings
    asked = {"batch": [32, 64], "settings.lr": [2e-4, None]}
    size = [{"height": 28, "width": 28}, {"height": 28, "width": 56}]
    assert dict(settings["As asked"]) == {**asked, "size": size}
    assert settings["As found and decided"] == []
    assert as_data(compare_runs([a, b]))["settings"]["As asked"]["settings.lr"] == {"a": 2e-4}


def test_the_page(make: Make, tmp_path: Path) -> None:
    folders = make("a", kid=4.0, batch=32), make("b", batch=64, settings={"loss": "hinge"}, speed=0.2)
    page = Page(write_comparison(tmp_path / "page.html", compare_runs(folders)))
    assert not re.search(r"url\((?!#)|@import|https?://|<script|<link|\son\w+=", page.source)
    for words in (
        "a comparison of 2 limner runs a and b", "3.000 ★ at 2,560 images last 8.000", f"Measured with {HOW}.",
        "over images", "over hours", "batch 32 64", "settings.loss bce hinge", "minimise different losses",
        "After 3,200 images.", "4 h 27 min", "64 images/s",
    ):  # fmt: skip
        assert words in page.text
    sheets = page.all("img")
    assert len(sheets) == 2 and all((sheet["src"] or "").startswith("data:image/webp;base64,") for sheet in sheets)
    assert page.source.count("<svg") == 2 * 5  # three results and two losses, over images and over time
    assert "data.count" not in page.text


def test_a_page_of_runs_that_have_not_begun(make: Make, tmp_path: Path) -> None:
    folders = make("a"), make("b")
    for folder in folders:
        (folder / "metrics.jsonl").unlink()
        next((folder / "samples").iterdir()).unlink()
    page = Page(write_comparison(tmp_path / "page.html", compare_runs(folders)))
    for words in (
        "not begun",
        "No samples yet",
        "Nothing that two of the runs have logged",
        "None of the runs has been",
    ):
        assert words in page.text
    assert "None: the runs were asked for the same" in page.text
    assert "not begun" in printed(*folders)


def test_what_only_one_run_logs_is_named(make: Make, tmp_path: Path) -> None:
    folders = make("a", kid=None, extra={"loss/cycle": 1.0}), make("b", kid=None)
    page = Page(write_comparison(tmp_path / "page.html", compare_runs(folders)))
    assert "in its own report: Losses: cycle." in page.text and page.source.count("<svg") == 4


def test_names_and_values_are_escaped(make: Make, tmp_path: Path) -> None:
    changes = {"preset": HOSTILE, "data": HOSTILE, HOSTILE: HOSTILE, "health": HOSTILE, "how": HOSTILE}
    folders = (
        make("a", **changes, extra={f"loss/{HOSTILE}": 1.0}),
        make("b & <b>", how="x", extra={f"loss/{HOSTILE}": 1.0}),
    )
    page = Page(write_comparison(tmp_path / "page.html", compare_runs(folders)))
    assert not page.all("script") and not page.all("b")
    assert page.text.count(HOSTILE) >= 7 and "b & <b>" in page.text
    assert "[bold]" in printed(*folders)


def test_a_run_has_one_colour_everywhere() -> None:
    x, y = np.arange(1.0, 100), np.linspace(3, 1, 99)
    one = overlay("metric/kid", {7: (x, y)}, [f"run {i}" for i in range(8)], "images")
    ElementTree.fromstring(one)
    assert LINES[1] in one and not any(colour in one for i, colour in enumerate(LINES) if i != 1)
    assert "stroke-dasharray" in one and 'aria-label="KID over 99 images; at the end run 7 ' in one
    assert "stroke-dasharray" not in overlay("metric/kid", {1: (x, y)}, ["run 0", "run 1"], "images")


def test_hours_follow_each_runs_own_clock(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from limner.report import plots

    drawn = {}

    def spy(key: str, curves: dict[int, Any], names: list[str], over: str) -> str:
        drawn[key, over] = curves
        return ""

    monkeypatch.setattr(plots, "overlay", spy)
    write_comparison(tmp_path / "page.html", compare_runs([make("a", speed=0.5), make("b", speed=0.25)]))
    for key in ("metric/kid", "loss/G"):
        for i, speed in enumerate((0.5, 0.25)):
            images, hours = drawn[key, "images"][i][0], drawn[key, "hours"][i][0]
            assert np.allclose(hours, images / speed / 3600)
    assert len(drawn["metric/kid", "hours"][0][0]) == 5


def test_names_are_as_short_as_they_can_be(make: Make) -> None:
    assert compare_runs([make("one/a"), make("two/a"), make("two/b")]).names == ["one/a", "two/a", "two/b"]
    assert compare_runs([make("three/c"), make("three/d")]).names == ["c", "d"]


def test_bad_input(make: Make, tmp_path: Path) -> None:
    a, b = make("a"), make("b")
    (tmp_path / "empty").mkdir()
    for words, folders in (
        ("two or more run folders: 0 given", ()),
        ("two or more run folders: 1 given", (a,)),
        ("given twice", (a, b, b / ".." / "a")),
        ("not a run folder", (a, tmp_path / "empty")),
        ("not a run folder", (a, tmp_path / "absent")),
    ):
        with pytest.raises(UserError, match=words):
            compare(Compare(folders, tmp_path / "page.html"))
    model = a / "model.safetensors"
    model.write_bytes(b"mine")
    with pytest.raises(UserError, match="expected the name of a page"):
        compare(Compare((a, b), model))
    with pytest.raises(UserError, match="cannot write"):
        compare(Compare((a, b), model / "page.html"))
    assert model.read_bytes() == b"mine" and not (tmp_path / "page.html").exists()


def test_json(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    words = ["compare", str(make("a", kid=4.0)), str(make("b", health="flat")), "--out", str(page), "--json"]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["page"] == str(page) and page.is_file()
    assert [run["name"] for run in answer["runs"]] == ["a", "b"]
    assert answer["runs"][1]["health"] == ["flat"] and answer["runs"][0]["speed"] == 64.0
    kid = answer["measured"][0]["results"][0]
    best = {"value": 3.0, "error": None, "at": 2560, "last": 8.0, "wins": True}
    assert (kid["key"], kid["better"], kid["runs"]["b"]) == ("kid", "lower", best)


def test_the_command_prints_the_tables(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(Compare((make("a"), make("b")), tmp_path / "page.html")) == tmp_path / "page.html"
    said = capsys.readouterr()
    assert "while training" in said.out and "page.html" in said.err


def test_comparing_needs_no_torch(make: Make, tmp_path: Path) -> None:
    words = ["compare", str(make("a")), str(make("b")), "--out", str(tmp_path / "page.html")]
    code = f"import sys; from limner.cli import main; main({words!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
