"""Metrics of pairs: their values, and what every one of them in the registry keeps to."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from limner.core.errors import UserError
from limner.metrics import METRICS
from limner.metrics.l1 import L1
from limner.metrics.lpips import PerceptualDistance
from limner.metrics.metric import PairMetric
from limner.metrics.ms_ssim import MsSsim
from limner.metrics.psnr import MOST, Psnr
from limner.metrics.ssim import Ssim, ssim
from reference.pairs import RECORD, pairs

NAMES = [name for name in METRICS.names() if issubclass(METRICS.load(name), PairMetric)]
NOISE = (4.0, 8.0, 16.0, 32.0, 64.0)


@pytest.fixture(scope="module", autouse=True)
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Seeded random weights in the place of those that would have to be fetched."""
    torch.manual_seed(0)
    network = PerceptualDistance()
    tensors = dict(network.trunk.state_dict())
    tensors |= {f"heads.lin{i}.model.1.weight": torch.rand(1, len(w), 1, 1) for i, w in enumerate(network.heads)}
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    safetensors.torch.save_file(tensors, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limner.core.weights.find", lambda *_, **__: path)
        yield


@pytest.fixture(scope="module", params=NAMES)
def metric(request: pytest.FixtureRequest) -> PairMetric:
    return METRICS.load(request.param)()


def smooth(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Pictures of waves in mid greys, uint8 (count, height, width, channels): noise is seldom cut off at the ends."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width][:, None, :, :, None]
    pitch, phase = draw.uniform(0.05, 0.3, (2, count, 1, 1, channels)), draw.uniform(0, 6, (count, 1, 1, channels))
    return np.rint(128 + 50 * np.sin(pitch[0] * y + pitch[1] * x + phase)).astype(np.uint8)


def noisy(pictures: np.ndarray, strength: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(pictures.shape)
    return np.clip(np.rint(pictures + strength * noise), 0, 255).astype(np.uint8)


def side(metric: PairMetric) -> int:
    return max(40, metric.least_side)


def test_says_what_it_is(metric: PairMetric) -> None:
    assert metric.title.strip() and metric.better in ("lower", "higher") and metric.least_side >= 1


def test_equal_pictures_are_best_and_noise_makes_it_worse(metric: PairMetric) -> None:
    real = smooth(3, side(metric), side(metric) + 3)
    scores = np.stack([metric.score(real, noisy(real, strength)) for strength in (0.0, *NOISE)])
    worse = np.diff(scores, axis=0) * (1 if metric.better == "lower" else -1)
    assert scores.dtype == np.float64 and np.isfinite(scores).all()
    assert (worse > 1e-4).all(), scores


def test_batch_and_order_do_not_matter(metric: PairMetric) -> None:
    real = smooth(8, side(metric), side(metric))
    fake = noisy(smooth(8, side(metric), side(metric), seed=2), 10)
    together = metric.score(real, fake)
    alone = np.concatenate([metric.score(real[i : i + 1], fake[i : i + 1]) for i in range(8)])
    order = np.random.default_rng(0).permutation(8)
    within = 1e-6 if metric.title.startswith("LPIPS") else 1e-9  # float32 against float64
    assert len(set(together.round(6))) == 8
    np.testing.assert_allclose(alone, together, rtol=0, atol=within)
    np.testing.assert_allclose(metric.score(real[order], fake[order]), together[order], rtol=0, atol=within)
    np.testing.assert_allclose(metric.score(fake, real), together, rtol=0, atol=within)


def test_grey_is_colour_without_colours(metric: PairMetric) -> None:
    real = smooth(2, side(metric), side(metric), channels=1)
    fake = noisy(real, 12)
    colour = metric.score(real.repeat(3, axis=-1), fake.repeat(3, axis=-1))
    np.testing.assert_allclose(metric.score(real, fake), colour, rtol=1e-6)


def test_no_pairs_have_no_scores(metric: PairMetric) -> None:
    nothing = np.zeros((0, side(metric), side(metric), 3), np.uint8)
    assert metric.score(nothing, nothing).shape == (0,)


def test_pictures_that_may_not_be_written_to(metric: PairMetric) -> None:
    real = smooth(2, side(metric), side(metric), channels=1)
    real.flags.writeable = False  # a memory map is like that; PyTorch would warn
    mirrored = real[:, :, ::-1]  # and would refuse negative strides
    assert metric.score(real, mirrored) == pytest.approx(metric.score(real, mirrored.copy()))


def test_unlike_shapes_are_refused(metric: PairMetric) -> None:
    real = smooth(2, side(metric), side(metric))
    for other, said in (
        (real[:1], f"1 of {side(metric)}x{side(metric)} in colour"),
        (real[:, :-1], f"2 of {side(metric) - 1}x{side(metric)} in colour"),
        (real[..., :1], "grey"),
    ):
        with pytest.raises(UserError, match=said):
            metric.score(real, other)
    with pytest.raises(UserError, match="float32"):
        metric.score(real.astype(np.float32), real)
    with pytest.raises(UserError, match="1 or 3 channels"):
        metric.score(real[..., [0, 1, 2, 0]], real)


def test_the_least_side_is_the_least(metric: PairMetric) -> None:
    least = metric.least_side
    real = smooth(1, least, least + 2)
    assert np.isfinite(metric.score(real, noisy(real, 5))).all()
    if least > 1:
        with pytest.raises(UserError, match=rf"at least {least}x{least} pixels; these are {least - 1}x{least + 2} "):
            metric.score(real[:, 1:], real[:, 1:])


def test_l1_and_psnr_by_hand() -> None:
    real = np.zeros((4, 2, 2, 3), np.uint8)
    fake = real.copy()
    fake[1] = 255
    fake[2, 0, 0] = 51  # 3 of 12 values are off by a fifth
    fake[3] = 10
    np.testing.assert_allclose(L1().score(real, fake), [0, 1, 0.05, 10 / 255], rtol=1e-12)
    np.testing.assert_allclose(Psnr().score(real, fake), [MOST, 0, 20, 20 * math.log10(25.5)], rtol=1e-12)


def test_psnr_of_a_hair_is_capped() -> None:
    real = np.zeros((1, 512, 512, 3), np.uint8)
    fake = real.copy()
    fake[0, 0, 0, 0] = 1  # 107 dB
    assert Psnr().score(real, fake) == MOST
    assert Psnr().score(real[:, :128], fake[:, :128]) == MOST
    assert Psnr().score(real[:, :64, :64], fake[:, :64, :64]) < MOST


def similarity_by_the_book(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """SSIM and its part without luminance of float pictures (H, W), from each window's own mean and spread."""
    places = np.arange(11) - 5
    bell = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.5**2))
    bell /= bell.sum()
    x, y = (np.lib.stride_tricks.sliding_window_view(picture, (11, 11)) for picture in (real, fake))
    mu_x, mu_y = ((window * bell).sum((2, 3), keepdims=True) for window in (x, y))
    var_x, var_y, covariance = (
        (bell * (a - mu_a) * (b - mu_b)).sum((2, 3))
        for a, mu_a, b, mu_b in ((x, mu_x, x, mu_x), (y, mu_y, y, mu_y), (x, mu_x, y, mu_y))
    )
    mu_x, mu_y = mu_x[..., 0, 0], mu_y[..., 0, 0]
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return float(((2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1) * structure).mean()), float(structure.mean())


def halved(picture: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels of (H, W); odd sides get a line of zeros at both ends and lose what is then left over."""
    picture = np.pad(picture, [(length % 2, length % 2) for length in picture.shape])
    height, width = (length // 2 for length in picture.shape)
    return picture[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def test_ssim_by_the_book() -> None:
    real = smooth(2, 17, 23)
    fake = np.stack([noisy(real, 20)[0], 255 - real[1]])  # the second one's structure is opposite
    expected = [np.mean([similarity_by_the_book(x[..., c] / 1.0, y[..., c] / 1.0)[0] for c in range(3)])
                for x, y in zip(real, fake, strict=True)]  # fmt: skip
    assert expected[0] > 0 > expected[1]
    np.testing.assert_allclose(Ssim().score(real, fake), expected, atol=1e-12)


@pytest.mark.parametrize("height, width", [(161, 167), (176, 192)])
def test_ms_ssim_by_the_book(height: int, width: int) -> None:
    real = smooth(1, height, width, channels=1)
    fake = noisy(real, 30)
    x, y, expected = real[0, ..., 0] / 1.0, fake[0, ..., 0] / 1.0, 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        whole, structure = similarity_by_the_book(x, y)
        expected *= (whole if scale == 4 else structure) ** weight
        x, y = halved(x), halved(y)
    assert 0.1 < expected < 0.95
    np.testing.assert_allclose(MsSsim().score(real, fake), [expected], atol=1e-12)


def test_ms_ssim_of_a_negative_is_no_nan() -> None:
    real = smooth(1, 176, 176)
    assert MsSsim().score(real, 255 - real) == 0


def test_ssim_is_differentiable_in_float32() -> None:
    x, y = (torch.from_numpy(smooth(1, 24, 24, seed=seed).transpose(0, 3, 1, 2).copy()) for seed in (0, 1))
    moved = x.float().requires_grad_()
    score = ssim(moved, y.float())
    score.sum().backward()
    assert score.item() == pytest.approx(ssim(x.double(), y.double()).item(), abs=1e-4)
    assert moved.grad is not None and moved.grad.isfinite().all()
    with torch.no_grad():
        assert ssim(moved + 1e3 * moved.grad, y.float()) > score


def test_equals_the_reference_packages(real_data: Path) -> None:
    """The values that tests/reference/pairs.py recorded, on real pictures."""
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))["pairs"]
    seen = 0
    for name, real, fake in pairs(real_data):
        said = dict(recorded[name])
        mine = Ssim().score(real[None], fake[None])[0]
        assert mine == pytest.approx(said.pop("ssim, scikit-image"), abs=1e-9), name
        assert mine == pytest.approx(said.pop("ssim, pytorch-msssim"), abs=1e-5), name  # its window is in float32
        assert Psnr().score(real[None], fake[None])[0] == pytest.approx(said.pop("psnr, scikit-image"), abs=1e-9), name
        if "ms-ssim, pytorch-msssim" in said:
            mine = MsSsim().score(real[None], fake[None])[0]
            assert mine == pytest.approx(said.pop("ms-ssim, pytorch-msssim"), abs=1e-5), name
        assert not said, name
        seen += 1
    assert seen == len(recorded) == 15
