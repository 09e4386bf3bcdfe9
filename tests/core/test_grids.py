import numpy as np
import pytest

from limner.core.grids import MAT, grid


def numbered(count, height, width, channels):
    pictures = np.zeros((count, height, width, channels), np.uint8)
    pictures[:] = (np.arange(count) + 1)[:, None, None, None]
    return pictures


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_every_pixel_is_where_it_belongs(channels, mode):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 5, 4, channels), dtype=np.uint8)
    sheet = grid(pictures, columns=3, gap=2, scale=3)
    assert (sheet.mode, sheet.size) == (mode, (3 * 12 + 4 * 2, 2 * 15 + 3 * 2))
    array = np.asarray(sheet).reshape(sheet.height, sheet.width, channels)
    kept = np.zeros(array.shape[:2], bool)
    for index, picture in enumerate(pictures):
        top, left = 2 + index // 3 * 17, 2 + index % 3 * 14
        enlarged = picture.repeat(3, axis=0).repeat(3, axis=1)
        assert (array[top : top + 15, left : left + 12] == enlarged).all()
        kept[top : top + 15, left : left + 12] = True
    assert (array[~kept] == (0 if channels == 4 else MAT)).all()


@pytest.mark.parametrize(
    "count, shape", [(1, (1, 1)), (2, (2, 1)), (4, (2, 2)), (5, (3, 2)), (8, (4, 2)), (12, (4, 3)), (64, (8, 8))]
)
def test_sheets_are_nearly_square_with_few_empty_cells(count, shape):
    sheet = grid(numbered(count, 100, 100, 1), gap=0, scale=1)
    assert (sheet.width // 100, sheet.height // 100) == shape


def test_wide_pictures_are_stacked_higher():
    sheet = grid(numbered(8, 50, 200, 3), gap=0, scale=1)
    assert sheet.size == (400, 200)


def test_small_pictures_are_enlarged_by_a_whole_factor():
    assert grid(numbered(64, 28, 28, 1)).size == (8 * 84 + 9 * 2,) * 2
    assert grid(numbered(1, 8, 8, 1), gap=0).size == (64, 64)
    assert grid(numbered(4, 256, 256, 3), gap=0).size == (512, 512)


def test_a_sheet_is_never_longer_than_2048_pixels():
    sheet = grid(numbered(20, 512, 512, 3), gap=2)
    assert 2000 < max(sheet.size) <= 2048
    assert np.asarray(sheet)[100, 100].tolist() == [1, 1, 1]
    assert max(grid(numbered(2, 3000, 10, 1)).size) <= 2048


def test_background_is_chosen_freely():
    assert grid(numbered(2, 4, 4, 3), background=(9, 8, 7)).getpixel((0, 0)) == (9, 8, 7)
    assert grid(numbered(2, 4, 4, 1), background=99).getpixel((0, 0)) == 99


@pytest.mark.parametrize("wrong", [np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4, 3)), np.zeros((0, 4, 4, 3), "u1")])
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8 pictures"):
        grid(wrong)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_titles_stand_over_their_columns_and_change_no_picture(channels):
    pictures = numbered(4, 96, 96, channels)
    plain, titled = grid(pictures, columns=2, scale=1), grid(pictures, columns=2, scale=1, titles=["A", "B"])
    top = titled.height - plain.height
    assert top > 12
    assert np.array_equal(np.asarray(titled)[top:], np.asarray(plain))
    words = np.asarray(titled)[:top].reshape(top, titled.width, channels)
    inked = (words != words[0, 0]).any(axis=(0, 2))
    assert inked[: titled.width // 2].any() and inked[titled.width // 2 :].any()
