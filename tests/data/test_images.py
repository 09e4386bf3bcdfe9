"""Pictures as the world writes them, through core.images: what `probe` promises is what `decode` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError

WIDE = np.zeros((4, 8, 3), dtype=np.uint8)  # red left, blue right
WIDE[:, :4, 0] = WIDE[:, 4:, 2] = 255


def read(path: Path) -> np.ndarray:
    picture = images.decode(path)
    assert images.probe(path) == (Size(picture.height, picture.width), images.channels_of(picture))
    return images.as_array(picture)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_turns_pictures_upright(tmp_path: Path, suffix: str, orientation: int, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(np.kron(WIDE, np.ones((8, 8, 1), np.uint8))).save(path, exif=exif, **options)
    expected = np.kron(np.rot90(WIDE, turn), np.ones((8, 8, 1), np.uint8))
    assert np.abs(read(path).astype(int) - expected).max() <= (4 if suffix == "jpg" else 0)


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    deep = np.array([[0, 128 * 257, 65535], [257, 30000, 65000]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    for name in ("deep.png", "deep.tif"):
        assert read(tmp_path / name)[..., 0].tolist() == [[0, 128, 255], [1, 117, 253]]


def test_palettes_with_and_without_transparency(tmp_path: Path) -> None:
    palette = Image.fromarray(WIDE).convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    palette.save(tmp_path / "plain.png")
    palette.save(tmp_path / "clear.png", transparency=palette.getpixel((0, 0)))
    assert np.array_equal(read(tmp_path / "plain.png"), WIDE)
    clear = read(tmp_path / "clear.png")
    assert clear.shape == (4, 8, 4)
    assert (clear[:, :4, 3] == 0).all() and (clear[:, 4:, 3] == 255).all()
    on_white = images.as_array(images.convert(images.decode(tmp_path / "clear.png"), 3))
    assert (on_white[:, :4] == 255).all() and np.array_equal(on_white[:, 4:], WIDE[:, 4:])


def test_cmyk_comes_back_as_colour(tmp_path: Path) -> None:
    big = Image.fromarray(np.kron(WIDE, np.ones((8, 8, 1), np.uint8)))
    big.convert("CMYK").save(tmp_path / "print.jpg", quality=100, subsampling=0)
    assert np.abs(read(tmp_path / "print.jpg").astype(int) - np.asarray(big)).max() <= 4


def test_grey_with_alpha_has_four_channels_and_lies_on_white(tmp_path: Path) -> None:
    picture = np.array([[[0, 0], [0, 255]], [[100, 128], [255, 255]]], dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "la.png")
    assert read(tmp_path / "la.png").shape == (2, 2, 4)
    grey = images.as_array(images.convert(images.decode(tmp_path / "la.png"), 1))
    assert grey[..., 0].tolist() == [[255, 0], [177, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "F", "I"])
def test_modes_are_told_by_the_header(tmp_path: Path, mode: str) -> None:
    Image.fromarray(WIDE).convert(mode).save(tmp_path / "picture.tif")
    read(tmp_path / "picture.tif")


def test_a_large_jpeg_is_decoded_smaller_but_large_enough(tmp_path: Path) -> None:
    Image.fromarray(np.kron(WIDE, np.ones((50, 50, 1), np.uint8))).save(tmp_path / "large.jpg")  # 200 x 400
    picture = images.decode(tmp_path / "large.jpg", at_least=Size(32, 32))
    assert (picture.height, picture.width) == (50, 100)


def test_what_is_no_picture_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for look in (images.decode, images.probe):
        with pytest.raises(UserError, match="not a readable picture"):
            look(tmp_path / "text.png")
        with pytest.raises(UserError):
            look(tmp_path / "absent.png")
