"""R3GAN's networks: the paper's widths to the digit, sizes that double, bilinear resampling, tame beginnings."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.losses.penalties import gradient_penalty
from limner.nets.r3gan import (
    BLOCKS,
    EMBEDDING,
    Discriminator,
    Generator,
    Plan,
    Resample,
    ResidualBlock,
    doublings,
    nearest,
    plan,
    residual_gain,
)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_parameters_of_the_full_size() -> None:
    """Widths 3/4 * [1024, 1024, 1024, 1024, 512, 256, 128] at 256 px, and groups of 16 channels."""
    widths = (768, 768, 768, 768, 384, 192, 96)
    shapes = plan(256, 256, 96, 768)
    assert shapes == Plan((4, 4), widths)
    blocks = sum(
        BLOCKS * (width * 2 * width + 2 * width + 2 * width * 16 * 9 + 2 * width + 2 * width * width)
        for width in widths
    )
    mixes = 768 * 384 + 384 * 192 + 192 * 96
    with torch.device("meta"):
        generator, judge = Generator(shapes, 3, 64), Discriminator(shapes, 3)
        pictures = generator(torch.empty(2, 64))
        assert pictures.shape == (2, 3, 256, 256) and judge(pictures).shape == (2,)
    ends = 16 * 768 + 64 * 768 + 96 * 3 + 3, 3 * 96 + 16 * 768 + 768
    assert [count(net) for net in (generator, judge)] == [blocks + mixes + end for end in ends]
    with torch.device("meta"):
        labelled = Generator(shapes, 3, 64, 10), Discriminator(shapes, 3, 10)
    more = 10 * EMBEDDING + EMBEDDING * 768, 10 * EMBEDDING + (EMBEDDING - 1) * 768
    for net, before, extra in zip(labelled, (generator, judge), more, strict=True):
        assert count(net) == count(before) + extra


@pytest.mark.parametrize(
    ("size", "patch", "expected"),
    [
        ((28, 28), 1, ((7, 7), (32, 16, 8))),
        ((32, 32), 1, ((4, 4), (32, 32, 16, 8))),
        ((28, 28), 2, ((7, 7), (16, 8))),
        ((4, 4), 1, ((4, 4), (8,))),
        ((48, 80), 1, ((6, 10), (32, 32, 16, 8))),
        ((64, 256), 1, ((4, 16), (32, 32, 32, 16, 8))),
    ],
)
def test_sizes(size: tuple[int, int], patch: int, expected: tuple[tuple[int, int], tuple[int, ...]]) -> None:
    shapes = plan(*size, 8, 32, patch)
    assert (shapes.shape, shapes.widths) == expected
    torch.manual_seed(0)
    pictures = Generator(shapes, 1, 3)(noise(2, 3))
    assert pictures.shape == (2, 1, *size)
    assert Discriminator(shapes, 1)(pictures).shape == (2,)


@pytest.mark.parametrize(("size", "near"), [((30, 30), (32, 32)), ((100, 100), (96, 96)), ((2, 9), (4, 9))])
def test_the_nearest_size_is_named_and_fits(size: tuple[int, int], near: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{near[0]}x{near[1]} can"):
        doublings(*size)
    for height in range(1, 80, 3):
        for patch in (1, 2):
            doublings(*nearest(height, 2 * height, patch), patch)  # raises if what is named does not fit


def test_resampling_is_bilinear_inside() -> None:
    up, down = Resample(2, 2, up=True), Resample(2, 2, up=False)
    x = noise(1, 2, 6, 8)
    inside = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(up(x)[inside], F.interpolate(x, scale_factor=2, mode="bilinear")[inside])
    smaller = F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
    torch.testing.assert_close(down(x)[inside], smaller[inside])
    assert not list(up.state_dict()), "the filter is no weight"


def test_blocks_begin_as_nothing_and_at_the_papers_scale() -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(64, residual_gain(16)), noise(2, 64, 4, 4)
    assert torch.equal(block(x), x)
    first, second = (layer for layer in block.layers if isinstance(layer, nn.Conv2d) and layer.bias is not None)
    gain = math.sqrt(2 / 1.04) / 2  # 16 ** (-1 / 4)
    assert second.groups == 8
    for layer, inputs in ((first, 64), (second, 16 * 9)):
        assert layer.weight.std().item() == pytest.approx(gain / math.sqrt(inputs), rel=0.03)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("patch", [1, 2])
def test_the_gradient_penalty_reaches_every_weight(classes: int, patch: int) -> None:
    torch.manual_seed(0)
    net = Discriminator(plan(16, 16, 8, 16, patch), 3, classes)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)  # as after some steps: the last of each block are zero before
    x = noise(4, 3, 16, 16).requires_grad_()
    label = torch.tensor([0, 1, 2, 0]) if classes else None
    gradient_penalty(net(x, label), x).backward()
    kernels = {name: weight for name, weight in net.named_parameters() if not name.endswith("bias")}
    assert [name for name, weight in kernels.items() if weight.grad is None or not weight.grad.any()] == []


def test_labels_are_heard() -> None:
    torch.manual_seed(0)
    shapes = plan(8, 8, 8, 8)
    generator, judge = Generator(shapes, 1, 4, classes=2), Discriminator(shapes, 1, classes=2)
    z, labels = noise(1, 4).expand(2, 4), torch.tensor([0, 1])
    pictures = generator(z, labels)
    assert not torch.allclose(pictures[0], pictures[1])
    logits = judge(pictures[:1].expand(2, 1, 8, 8), labels)
    assert logits[0] != logits[1]
    with pytest.raises(ValueError, match="needs labels"):
        generator(z)


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())
