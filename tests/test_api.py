"""The public functions say and do what the command line says and does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import limner
import limner.api
import tiny

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


@pytest.fixture(scope="module")
def translator(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> limner.api.TrainedRun:
    small = {**SMALL, "d_filters": 4, "d_layers": 1, "images": 16}
    return limner.train("pix2pix", data=tiny.pairs_of(pictures), out=tmp_path_factory.mktemp("run") / "run", **small)


def test_translate_takes_paths_pictures_and_arrays(
    translator: limner.api.TrainedRun, pictures: Path, tmp_path: Path
) -> None:
    with Image.open(pictures / "00.png") as opened:
        first = opened.copy()
    array = np.asarray(first)
    made = limner.translate(translator, pictures / "00.png")
    assert len(made) == 1 and made.names == ("00",) and made[0].size == (40, 40)
    for given in (str(pictures / "00.png"), first, array, [first], f"{pictures}/00.*"):
        assert np.array_equal(limner.translate(translator, given).arrays[0], made.arrays[0])
    folder = limner.translate(translator, pictures, batch=3)
    assert len(folder) == 24 and folder.names[1] == "01"
    sideways = first.copy()
    sideways.getexif()[0x0112] = 6
    mixed = limner.translate(translator, [array[:9, :, 0], sideways, first.convert("CMYK"), pictures / "00.png"])
    assert [one.size for one in mixed.pil()] == [(40, 9), (40, 40), (40, 40), (40, 40)]
    assert mixed.names == ("picture000", "picture001", "picture002", "00")
    turned = limner.translate(translator, np.rot90(array, -1).copy()).arrays[0]
    assert np.array_equal(mixed.arrays[1], turned)
    assert mixed._repr_png_().startswith(b"\x89PNG") and mixed.grid(columns=2).mode == "RGB"
    assert [path.name for path in made.save(tmp_path / "new")] == ["00.png"]
    with Image.open(tmp_path / "new" / "00.png") as saved:
        assert np.array_equal(np.asarray(saved), made.arrays[0])


def test_translate_says_what_it_cannot_take(translator: limner.api.TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "words.png").write_bytes(b"words")
    for given, words in (
        (tmp_path / "nothing.png", "no such picture"),
        (tmp_path / "clip.mp4", "use `limner translate`"),
        (tmp_path / "words.png", "not a readable picture"),
        (np.zeros((4, 4, 3)), r"float64 \(4, 4, 3\) is no picture"),
        (np.zeros((4, 4, 7), np.uint8), "is no picture"),
    ):
        with pytest.raises(limner.UserError, match=words):
            limner.translate(translator, given)
    with pytest.raises(limner.UserError, match="cannot go back"):
        limner.translate(translator, [], direction="BtoA")
    with pytest.raises(limner.UserError, match="no pictures to show"):
        limner.translate(translator, []).grid()


def test_every_public_name_is_there() -> None:
    assert all(getattr(limner, name) is not None for name in limner.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        limner.trian  # noqa: B018
