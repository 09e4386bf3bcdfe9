"""LPIPS: the published numbers, and the arithmetic without the published weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from limner.core.errors import UserError
from limner.metrics.lpips import Lpips, PerceptualDistance, lpips
from limner.nets.alexnet import LEAST_SIDE, STAGES, AlexNet

CONVOLUTIONS = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))  # number, stride, padding


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Seeded random weights under the names of the published ones."""
    torch.manual_seed(0)
    heads = {f"heads.lin{i}.model.1.weight": torch.rand(1, width, 1, 1) for i, width in enumerate(STAGES)}
    return dict(AlexNet().state_dict()) | heads


@pytest.fixture
def lookups(tensors: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Weights that are found without a search; lists what was asked for."""
    asked = []
    path = tmp_path / "random.safetensors"
    safetensors.torch.save_file(tensors, path)

    def find(*words: object, **named: object) -> Path:
        asked.append((*words, *named.values()))
        return path

    monkeypatch.setattr("limner.core.weights.find", find)
    return asked


def noise(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def pooled(x: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))


def lpips_by_the_book(real: np.ndarray, fake: np.ndarray, weights: dict[str, np.ndarray]) -> float:
    """The paper's equation 1 in float64 for uint8 pictures (H, W, 3)."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    pair = [((picture / 127.5 - 1 - shift) / scale).transpose(2, 0, 1) for picture in (real, fake)]
    total = 0.0
    for stage, (number, stride, padding) in enumerate(CONVOLUTIONS):
        kernel, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
        pair = [np.maximum(convolved(x, kernel, bias, stride, padding), 0) for x in pair]
        x, y = (activation / (np.sqrt((activation**2).sum(0)) + 1e-10) for activation in pair)
        head = weights[f"heads.lin{stage}.model.1.weight"].reshape(-1, 1, 1)
        total += (head * (x - y) ** 2).sum(0).mean()
        if stage < 2:
            pair = [pooled(activation) for activation in pair]
    return total


def test_the_published_example(real_data: Path) -> None:
    """0.722 and 0.138 are what the authors' own program says of its example."""
    weights = real_data.parent / "weights" / "lpips_alex_v0.1.safetensors"
    folder = real_data / "lpips_example"
    ref, p0, p1 = (np.asarray(Image.open(folder / f"ex_{name}.png"))[None] for name in ("ref", "p0", "p1"))
    metric = Lpips(weights)
    metric.prepare()
    assert metric.score(ref, p0).round(3) == 0.722
    assert metric.score(ref, p1).round(3) == 0.138
    assert metric.score(ref, ref) == pytest.approx(0, abs=1e-9)
    expected = lpips_by_the_book(ref[0], p0[0], {k: v.double().numpy() for k, v in load(weights).items()})
    assert metric.score(ref, p0)[0] == pytest.approx(expected, abs=1e-6)


def load(path: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(path)


def test_by_the_book(tensors: dict[str, torch.Tensor], lookups: list[tuple]) -> None:
    real, fake = noise(4, 35)[:2], noise(4, 35)[2:]
    expected = [lpips_by_the_book(x, y, {k: v.double().numpy() for k, v in tensors.items()})
                for x, y in zip(real, fake, strict=True)]  # fmt: skip
    np.testing.assert_allclose(Lpips().score(real, fake), expected, rtol=1e-5)


def test_weights_are_looked_up_once_and_late(lookups: list[tuple], tmp_path: Path) -> None:
    metric = Lpips(tmp_path / "mine.safetensors", download=True)
    assert lookups == []
    metric.prepare()
    metric.score(noise(2, 32), noise(2, 32))
    metric.score(noise(1, 40), noise(1, 40))
    assert len(lookups) == 1 and lookups[0][1:] == (tmp_path / "mine.safetensors", True)


def test_absent_weights_show_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object) -> Path:
        raise UserError("the weights are nowhere")

    monkeypatch.setattr("limner.core.weights.find", find)
    metric = Lpips()
    with pytest.raises(UserError, match="nowhere"):
        metric.prepare()
    with pytest.raises(UserError, match="nowhere"):
        metric.score(noise(1, 32), noise(1, 32))


def test_the_least_side_is_the_trunks() -> None:
    trunk = AlexNet()
    stages = trunk(torch.zeros(2, 3, LEAST_SIDE, LEAST_SIDE))
    assert [stage.shape[1] for stage in stages] == list(STAGES) and stages[-1].shape == (2, STAGES[-1], 1, 1)
    with pytest.raises(RuntimeError):
        trunk(torch.zeros(2, 3, LEAST_SIDE - 1, LEAST_SIDE))


def test_loading_draws_no_random_numbers(lookups: list[tuple]) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    Lpips().prepare()
    assert torch.equal(torch.rand(3), expected)


def test_serves_as_a_loss_also_after_scoring(lookups: list[tuple]) -> None:
    metric = Lpips()
    metric.score(noise(1, 40), noise(1, 40))  # in inference mode, which the weights must not be left in
    network = metric.prepare()
    assert isinstance(network, PerceptualDistance)
    real, fake = torch.zeros(1, 3, 40, 40), torch.full((1, 3, 40, 40), 0.5, requires_grad=True)
    network(real, fake).sum().backward()
    assert fake.grad is not None and fake.grad.isfinite().all() and fake.grad.abs().max() > 0


def test_places_where_no_channel_answers_have_a_gradient() -> None:
    """The length is 0 there; a gradient of nan would spoil a whole network."""
    silent, loud = torch.zeros(1, 4, 2, 2, requires_grad=True), torch.rand(1, 4, 2, 2, requires_grad=True)
    distance = lpips([silent], [loud], [torch.ones(4)])
    assert distance.item() == pytest.approx(1, abs=1e-6)
    distance.sum().backward()
    assert silent.grad is not None and silent.grad.isfinite().all()
    assert loud.grad is not None and loud.grad.isfinite().all()
