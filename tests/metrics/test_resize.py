"""The named resize protocols, against the same formulas written as matrices and against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from limner.metrics import resize

SIDE = 299


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def bilinear(length: int, half_pixel: bool) -> np.ndarray:
    """The matrix (299, length) of a bilinear resize without antialias, in float64."""
    matrix = np.zeros((SIDE, length))
    for i in range(SIDE):
        place = (i + 0.5) * length / SIDE - 0.5 if half_pixel else i * length / SIDE
        place = max(place, 0.0)
        low = int(place)
        matrix[i, low] += 1 - (place - low)
        matrix[i, min(low + 1, length - 1)] += place - low
    return matrix


@pytest.mark.parametrize(("height", "width"), [(2, 3), (28, 28), (310, 401), (SIDE, SIDE)])
def test_the_two_bilinear_protocols(height: int, width: int) -> None:
    picture = noise(height, width, 3)
    for protocol, half_pixel in (("pytorch-fid", True), ("torch-fidelity", False)):
        rows, columns = bilinear(height, half_pixel), bilinear(width, half_pixel)
        scaled = rows @ np.moveaxis(picture.astype(np.float64), 2, 0) @ columns.T
        expected = scaled / 127.5 - 1 if half_pixel else (scaled - 128) / 128
        found = resize.for_inception([picture], protocol)
        assert found.shape == (1, 3, SIDE, SIDE) and found.dtype == torch.float32
        np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(7, 5), (600, 400), (SIDE, SIDE)])
def test_the_clean_protocol(height: int, width: int) -> None:
    picture = (noise(height, width, 3) > 127).astype(np.uint8) * 255  # black beside white: bicubic overshoots
    planes = []
    for channel in range(3):
        plane = Image.fromarray(picture[:, :, channel].astype(np.float32))
        planes.append(np.asarray(plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    clipped = np.clip(np.stack(planes), 0, 255)
    assert height == SIDE or not np.array_equal(clipped, np.stack(planes))
    found = resize.for_inception([picture], "clean")[0].numpy()
    np.testing.assert_array_equal(found, (clipped - 128) / 128)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-6)  # PyTorch's kernels differ in the last bit


@pytest.mark.parametrize("protocol", resize.PROTOCOLS)
def test_resizes_any_pictures_together(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grey, small, wide = noise(9, 8, 1), noise(9, 8, 3, seed=1), noise(20, 33, 3, seed=2)
    clear = np.concatenate([small, np.zeros((9, 8, 1), np.uint8)], axis=2)
    pictures = [grey, np.repeat(grey, 3, axis=2), small, wide, wide, wide, clear, np.full((9, 8, 3), 255, np.uint8)]
    together = resize.for_inception(pictures, protocol)
    assert together.shape == (8, 3, SIDE, SIDE)
    assert close(together[0], together[1]) and close(together[6], together[7])
    monkeypatch.setattr(resize, "MOST_PIXELS", 1)
    assert close(resize.for_inception(pictures, protocol), together)
    alone = torch.cat([resize.for_inception([picture], protocol) for picture in pictures])
    assert close(alone, together)


@pytest.mark.parametrize("picture", [noise(4, 4), noise(4, 4, 2), noise(4, 4, 3) / 255, noise(0, 4, 3)])
def test_what_is_no_picture(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8 pictures"):
        resize.for_inception([picture], "clean")
