"""The public functions say and do what the command line says and does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import limner

SMALL = {"size": 16, "filters": 4, "batch": 8, "images": 64, "frames": 3, "show": "quiet", "threads": 1}


def test_train_load_generate(pictures: Path, tmp_path: Path) -> None:
    run = limner.train("dcgan", data=pictures, out=tmp_path / "run", **SMALL)
    assert "data:image/png;base64," in run._repr_html_()
    made = limner.load(run).generate(count=5)
    assert made.array.shape == (5, 16, 16, 3) and made.array.dtype == np.uint8
    assert np.array_equal(limner.generate(run, count=5).array, made.array)
    assert np.array_equal(run.load().generate([4]).array[0], made.array[4])


def test_last_sheet_is_what_generate_gives(pictures: Path, tmp_path: Path) -> None:
    run = limner.train("dcgan", data=pictures, out=tmp_path / "run", **SMALL)
    sheets = sorted((tmp_path / "run" / "samples").glob("*.png"))
    sheet = np.asarray(Image.open(sheets[-1]))
    assert np.array_equal(sheet, np.asarray(limner.generate(run, count=64).grid()))


def test_trained_again_is_done_at_once(pictures: Path, tmp_path: Path) -> None:
    first = limner.train("dcgan", data=pictures, out=tmp_path / "run", **SMALL)
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    again = limner.train("dcgan", data=str(pictures), out=str(tmp_path / "run"), **SMALL)
    assert Path(first) == Path(again) and (tmp_path / "run" / "model.safetensors").read_bytes() == model


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"learning_rate_g": 1e-3}, "unknown setting 'learning_rate_g'"),
        ({"bach": 8}, "did you mean 'batch'"),
        ({"loss": "bcee"}, "expected one of 'bce'"),
        ({"batch": "64"}, "expected int, found '64'"),
        ({"size": "64x96"}, r"such as \(64, 96\)"),
        ({"size": 1.5}, r"such as \(64, 96\)"),
        ({"lr_g": -1.0}, "--lr-g -1"),
    ],
)
def test_wrong_words_are_named(wrong: dict[str, object], words: str, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(limner.UserError, match=words):
        limner.train("dcgan", data=pictures, out=tmp_path / "run", **{**SMALL, **wrong})  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_size_may_be_a_pair(pictures: Path, tmp_path: Path) -> None:
    run = limner.train("dcgan", data=pictures, out=tmp_path / "run", **{**SMALL, "size": (16, 24)})
    assert limner.generate(run, count=1).array.shape == (1, 16, 24, 3)


def test_every_public_name_is_there() -> None:
    assert all(getattr(limner, name) is not None for name in limner.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        limner.trian  # noqa: B018
