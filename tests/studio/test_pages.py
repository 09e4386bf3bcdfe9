"""What the pages show comes from the studio's own folder, is drawn once, and counts what there is."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="needs Gradio: pip install 'limner[studio]'")

from limner.core.errors import UserError
from limner.core.grids import grid
from limner.data.inspection import inspect
from limner.studio import app, choosing, drawing, standing, starting, turning, watching
from limner.studio.house import House
from limner.studio.shelf import Model


def test_a_time_lapse_lies_where_gradio_may_show_it(models: Path) -> None:
    house = House(models)
    shown = watching._lapse(house, "discs")
    assert shown is not None and Path(shown).is_relative_to(house.files)
    assert Path(shown).read_bytes() == (models / "discs" / "timelapse.webp").read_bytes()


def test_a_run_that_trains_has_a_time_lapse_of_what_there_is(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "discs" / "samples", tmp_path / "runs" / "discs" / "samples")
    shutil.copy2(models / "discs" / "config.json", tmp_path / "runs" / "discs")
    shown = watching._lapse(House(tmp_path / "runs"), "discs")
    assert shown is not None
    with Image.open(shown) as film:
        assert film.n_frames > 1  # type: ignore[attr-defined]


def test_curves_are_drawn_again_only_when_numbers_have_come(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, draw = [], watching.plots.plot_groups
    monkeypatch.setattr(watching.plots, "plot_groups", lambda lines: (calls.append(1), draw(lines))[1])
    watching._drawn.cache_clear()
    first = watching._curves(House(models), "discs")
    assert watching._curves(House(models), "discs") == first and "<svg" in first and len(calls) == 1


def test_a_pair_side_by_side_is_half_as_wide(real_data: Path, tmp_path: Path) -> None:
    for path in sorted((real_data / "facades" / "train").glob("*.jpg"))[:4]:
        shutil.copy2(path, tmp_path)
    config = starting.overlay(starting.presets.get("pix2pix"), data=str(tmp_path))[0]
    spec = starting._spec(dataclasses.replace(config, size=None), inspect(str(tmp_path)))
    assert (spec.height, spec.width, spec.channels_in) == (256, 256, 3)


def test_the_table_says_how_every_run_stands_and_trusts_no_name(models: Path) -> None:
    house = House(models)
    rows = {row.run: row for row in standing.table(house)}
    assert rows["discs"].state == "done" and rows["discs"].progress == "100% of 64" and rows["discs"].share == 1
    assert rows["broken"].state == "broken" and "cannot be read" in rows["broken"].health
    assert standing.may_go_on(rows["broken"]) and not standing.may_stop(rows["discs"])
    assert "<script>" not in standing.board_of([standing.Row("<script>", "waits", data="<script>")])


def test_without_runs_the_first_page_is_the_one_that_makes_some(models: Path, tmp_path: Path) -> None:
    assert app._first_page(House(tmp_path)) == "train"
    assert app._first_page(House(models)) == "translate"


def test_thumbnails_are_square_and_of_the_newest_sheet(models: Path) -> None:
    for model in House(models).shelf.models():
        assert choosing.icon(model).size == (choosing.SIDE, choosing.SIDE)


def test_the_board_has_the_colours_that_the_model_was_given(tmp_path: Path) -> None:
    labels = np.zeros((3, 32, 32, 3), np.uint8)
    labels[..., 2] = 200
    labels[:, 8:16, 8:24] = (255, 80, 0)
    photos = np.random.default_rng(0).integers(0, 256, labels.shape, dtype=np.uint8)
    rows = [one for i in range(3) for one in (labels[i], photos[i], photos[i])]
    grid(np.stack(rows), 3, titles=("A", "B", "B")).save(tmp_path / "sheet.png")
    assert drawing.palette(tmp_path / "sheet.png") == ("#0000c8", "#ff5000")
    assert drawing.palette(None)[0] == "#ffffff"


def test_a_drawing_comes_at_the_size_of_the_training_in_unmixed_colours(models: Path, tmp_path: Path) -> None:
    model = House(models).shelf.model("negatives")
    board = Image.new("RGBA", (drawing.SIDE, drawing.SIDE), (0, 0, 0, 0))
    board.paste((255, 0, 0, 255), (101, 99, 303, 307))
    board.save(tmp_path / "drawn.png")
    array = drawing.finished({"composite": str(tmp_path / "drawn.png")}, model)
    assert array is not None and array.shape == (32, 32, 3) and len(np.unique(array.reshape(-1, 3), axis=0)) == 2
    assert drawing.finished({"composite": None}, model) is None


@pytest.fixture
def faced(models: Path) -> Model:
    """A translator that learned from aligned faces."""
    model = House(models).shelf.model("negatives")
    assert model.info is not None and model.margin(None) is None
    return dataclasses.replace(model, info=dataclasses.replace(model.info, faces={"A": 0.3}))


def test_the_face_is_found_first_for_a_model_that_learned_from_faces(real_data: Path, faced: Model) -> None:
    assert faced.margin("AtoB") == 0.3 and faced.margin("BtoA") is None
    photograph = np.asarray(Image.open(sorted((real_data / "faces").glob("*.jpg"))[0]).convert("RGB"))
    assert turning.cut_out(photograph, faced, 0.3).shape == (32, 32, 3)
    with pytest.raises(UserError, match="no face"):
        turning.cut_out(np.zeros((64, 64, 3), np.uint8), faced, 0.3)


def test_results_of_yesterday_are_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    old = house.folder()
    (old / "a.png").write_bytes(b"x")
    now = old.stat().st_ctime
    monkeypatch.setattr("limner.studio.house.time.time", lambda: now + 25 * 3600)
    house._tidied -= 3601
    assert house.folder().is_dir() and not old.exists()
