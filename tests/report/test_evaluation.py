"""Pages of evaluations, and what the report of a run tells of those made while it trained."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report import Neighbour, WorstPair, scores, story, write_evaluation, write_report
from limner.report.evaluation import table
from limner.report.plots import plot_groups, subtitle
from reading import Page

HOSTILE = "<script>alert('1')</script> & \"$ [bold]"
LINE = "inception 591ecfa4 pytorch-fid; real 1,000 of digits 9d8f3a2b train; fake 1,000 EMA seeds 0-999"


def result(key: str = "kid", **changes: Any) -> dict[str, Any]:
    known = {"key": key, "title": "KID ×10³", "value": 3.214, "error": 0.412, "better": "lower", "note": ""}
    return {**known, "headline": False, **changes}


def evaluation(**changes: Any) -> dict[str, Any]:
    results = [
        result("fid", title="FID", value=21.0345, error=None, note="rank-deficient"),
        result(headline=True),
        result("psnr", title="PSNR", value=None, error=None, better="higher"),
    ]
    known = {"limner": "0.1.0", "written": "2026-11-22T03:00:00+00:00", "title": "runs/demo", "line": LINE}
    protocol = {"features": "inception", "n_real": 1000, "ema": None}
    return {**known, "protocol": protocol, "results": results, "notes": ["With 1,000 pictures KID leads."], **changes}


def picture(side: int = 28, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    neighbours = [Neighbour(picture(28, i), picture(28, i + 50), f"seed {i}") for i in range(4)]
    worst = [
        WorstPair(picture(300), picture(300, 1), picture(300, 2), "LPIPS 0.61"),
        WorstPair(None, picture(64, 1), picture(64, 2), "LPIPS 0.58"),
    ]
    path = tmp_path_factory.mktemp("evaluation") / "evaluation.html"
    assert write_evaluation(path, evaluation(), picture(500), neighbours, worst) == path
    return Page(path)


def test_the_page_asks_for_nothing_from_outside(page: Page) -> None:
    assert not re.search(r"url\((?!#)|@import|https?://|<script|<link|\son\w+=", page.source)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "prefers-color-scheme: dark" in page.source and "width=device-width" in page.source


def test_the_page_tells_the_evaluation(page: Page) -> None:
    for words in (
        "runs/demo", "KID ×10³ 3.21 ± 0.41 ↓ lower is better", "FID 21.03 ↓ lower rank-deficient", "not defined",
        "With 1,000 pictures KID leads.", LINE, "n_real 1,000", "ema not set", "± is one standard error", "seed 3",
        "LPIPS 0.58", "Measured on 22 November 2026, 03:00 UTC by limner 0.1.0",
    ):  # fmt: skip
        assert words in page.text


def test_the_headline_is_the_one_that_leads(page: Page) -> None:
    assert page.text.index("3.21") < page.text.index("21.03")  # though it stands second in the table


def test_pictures_are_embedded_and_small_ones_unharmed(page: Page) -> None:
    embedded = page.all("img")
    assert len(embedded) == 1 + 4 * 2 + 3 + 2
    assert all(one["alt"] and (one["src"] or "").startswith("data:image/webp;base64,") for one in embedded)
    assert max(int(one["width"] or 0) for one in embedded[1:]) == 256
    content = base64.b64decode((embedded[1]["src"] or "").partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), np.asarray(picture(28, 0)))


def test_a_page_of_numbers_alone(tmp_path: Path) -> None:
    written = evaluation(results=[result()], notes=[], protocol={})
    page = Page(write_evaluation(tmp_path / "a.html", written, None, [], []))
    assert not page.all("img") and "copied" not in page.text and "wrong most" not in page.text
    assert "3.21" in page.text  # the first leads where none says so
    empty = Page(write_evaluation(tmp_path / "b.html", evaluation(results=[]), None, [], []))
    assert "Nothing was measured" in empty.text


def test_names_and_values_are_escaped(tmp_path: Path) -> None:
    results = [result(HOSTILE, title=HOSTILE, note=HOSTILE, headline=True)]
    hostile = evaluation(
        title=HOSTILE, line=HOSTILE, notes=[HOSTILE], results=results, protocol={HOSTILE: HOSTILE}, limner=HOSTILE
    )
    neighbours = [Neighbour(picture(), picture(), HOSTILE)]
    worst = [WorstPair(None, picture(), picture(), HOSTILE)]
    page = Page(write_evaluation(tmp_path / "evaluation.html", hostile, picture(), neighbours, worst))
    assert not page.all("script")
    assert page.text.count(HOSTILE) >= 10


def test_an_unwritable_place_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="cannot write"):
        write_evaluation(tmp_path / "file" / "a.html", evaluation(), None, [], [])


def test_the_table_for_the_terminal() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(evaluation(notes=[HOSTILE])))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "FID 21.03 lower rank-deficient" in lines and "KID ×10³ 3.21 ± 0.41 lower" in lines
    assert f"- {HOSTILE}" in lines
    assert lines[-1] == LINE


def test_numbers_in_words() -> None:
    told = [scores.number(*given) for given in ((3.214, 0.412), (21.0345, None), (0.9, 0.0123), (12345.6, None))]
    assert told == ["3.21 ± 0.41", "21.03", "0.900 ± 0.012", "12,346"]
    told = [
        scores.number(*given) for given in ((None, None), (math.nan, 1.0), (math.inf, None), (-0.5, 0.0), (7.0, None))
    ]
    assert told == ["not defined", "not defined", "infinite", "-0.5000 ± 0.0000", "7.000"]


def test_known_results_come_first_and_have_a_direction() -> None:
    keys = ["metric/new_one", "metric/recall", "metric/ms_ssim", "metric/fid", "metric/kid"]
    assert scores.in_order(keys) == [keys[4], keys[3], keys[1], keys[2], keys[0]]
    assert [scores.score(key).title for key in keys] == ["New one", "Recall", "MS-SSIM", "FID", "KID"]
    assert [scores.score(key).better for key in keys] == ["", "higher", "higher", "lower", "lower"]
    assert subtitle("KID") == "×10³, lower is better"


def test_winners() -> None:
    assert scores.winners([3.0, 2.0, None, float("nan")], "lower") == {1}
    assert scores.winners([3.0, 3.0, 2.0], "higher") == {0, 1}
    assert scores.winners([3.0, None], "lower") == set() == scores.winners([1.0, 2.0], "")
    assert scores.winners([3.0, 3.5, 4.0], "lower", [0.3, 0.4, 0.0]) == {0, 1}


def test_every_metric_of_ours_is_known() -> None:
    from limner.metrics import METRICS

    # what it says is not better the lower or the higher it is
    without = {"prdc", "memorisation"}
    assert set(METRICS.entries) - without <= set(scores.SCORES)


def run_with(folder: Path, evaluations: list[dict[str, Any]], logs: int = 100) -> Run:
    run = Run(folder)
    run.write_config({"limner": "0.1.0", "config": {"preset": "dcgan", "data": "digits"}, "resolved": {"total": 6400}})
    lines: list[dict[str, Any]] = [
        {"kind": "log", "images": 64 * i, "seconds": 10.0 * i, "speed": 6.4, "loss/D": 1.0} for i in range(1, logs + 1)
    ]
    lines += [{"kind": "evaluation", "protocol": LINE, "seconds": 99999.0, **line} for line in evaluations]
    lines.sort(key=lambda line: line["images"])
    run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return run


MANY = [
    {
        "images": 640 * i,
        "metric/fid": 30.0 - i,
        "metric/kid": 3.0 + (i - 7) ** 2,
        **{f"metric/{key}": 0.1 * i for key in ("recall", "coverage", "precision", "density", "other")},
    }
    for i in range(1, 11)
]


def test_the_report_names_the_best_and_where_it_is_kept(tmp_path: Path) -> None:
    run = run_with(tmp_path, MANY)
    write_report(run)
    text = Page(run.report_file).text
    assert "Best KID 3.000 at 4,480 images" in text and "Last KID 12.00" in text and "best.safetensors" not in text
    assert f"Measured with {LINE}." in text
    (tmp_path / "best.safetensors").write_bytes(b"")
    write_report(run)
    assert "at 4,480 images; kept in best.safetensors" in Page(run.report_file).text


def test_many_results_do_not_drown_the_losses(tmp_path: Path) -> None:
    run = run_with(tmp_path, MANY)
    write_report(run)
    page = Page(run.report_file)
    titles = [title for title in re.findall(r"<h3>(\w+)", page.source)]
    assert titles == ["Losses", "Speed", "KID", "FID", "Precision", "Recall", "Density", "Coverage", "Other"]
    assert page.source.index("<summary>Density, Coverage, Other") > page.source.index("<h3>Recall")
    assert page.source.index("<summary>") < page.source.index("<h3>Density")


def test_an_evaluations_seconds_are_no_training_time(tmp_path: Path) -> None:
    lines = list(run_with(tmp_path, MANY).metrics())
    progress = story.progress({"config": {}, "resolved": {}}, lines)
    assert (progress.images, progress.seconds) == (6400, 1000.0)
    assert all(">99" not in svg and "seconds" not in title.lower() for title, svg in plot_groups(lines).items())


def test_evaluations_made_otherwise_are_left_out(tmp_path: Path) -> None:
    early = {"images": 64, "metric/kid": 0.5, "protocol": "another way"}
    run = run_with(tmp_path, [early, *MANY])
    write_report(run)
    text = Page(run.report_file).text
    assert "Best KID 3.000" in text and "another way" not in text
    assert "1 earlier evaluation was made differently" in text


def test_the_chosen_result_leads(tmp_path: Path) -> None:
    write_report(run := run_with(tmp_path, [{**line, "headline": "fid"} for line in MANY]))
    assert "Best FID 20.00 at 6,400 images" in Page(run.report_file).text


def test_a_result_without_a_direction_has_no_best(tmp_path: Path) -> None:
    write_report(
        run := run_with(tmp_path, [{"images": 64, "metric/other": 0.25}, {"images": 128, "metric/other": None}])
    )
    text = Page(run.report_file).text
    assert "Last Other 0.2500" in text and "Best" not in text


def test_quality_plots_reach_as_far_as_the_run(tmp_path: Path) -> None:
    svg = plot_groups([{"kind": "evaluation", "images": 100, "metric/kid": 1.0}], until=6400)["KID"]
    assert ">6k<" in svg
