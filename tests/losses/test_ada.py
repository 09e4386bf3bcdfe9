"""The transformations of adaptive augmentation: off at p = 0, in the paper's ranges, differentiable twice."""

from __future__ import annotations

import math

import pytest
import torch

from limner.losses import ada

CPU = torch.device("cpu")
ALWAYS, NEVER = torch.tensor(1.0), torch.tensor(0.0)
WAYS = ("move", "drift", "scale", "stretch", "turn", "light", "contrast", "negative", "hue", "saturation")


def only(way: str, count: int) -> ada.Draws:
    """Draws in which one way hits every picture and the others none."""
    draws = ada.draw(count, CPU)
    chances = torch.ones_like(draws.chances)
    chances[WAYS.index(way)] = 0.0
    return draws._replace(chances=chances)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 15, 22), (4, 9, 8)])
def test_nothing_happens_at_p_0(shape: tuple[int, int, int]) -> None:
    pictures = torch.rand(6, *shape) * 2 - 1
    torch.testing.assert_close(ada.augment(pictures, NEVER, ada.draw(6, CPU)), pictures)
    assert not torch.allclose(ada.augment(pictures, ALWAYS, ada.draw(6, CPU)), pictures, atol=0.1)


def test_each_way_hits_with_chance_p() -> None:
    pictures = torch.rand(4000, 3, 8, 8) * 2 - 1
    one = torch.tensor(0.1)
    changed = (ada.augment(pictures, one, ada.draw(4000, CPU)) - pictures).abs().amax((1, 2, 3)) > 1e-4
    # a move may be by no pixel (1 of 9) and a negative be none (1 of 2)
    expected = 1 - 0.9**8 * (1 - 0.1 * 8 / 9) * (1 - 0.1 / 2)
    assert changed.float().mean().item() == pytest.approx(expected, abs=0.03)


def test_moves_are_whole_pixels_up_to_an_eighth_and_reflect() -> None:
    pictures = (torch.arange(1024.0) / 1024).view(1, 1, 32, 32).repeat(500, 1, 1, 1)  # no two pixels alike
    moved = ada.augment(pictures, torch.tensor(0.5), only("move", 500))
    found = set()
    for before, after in zip(pictures[:, 0], moved[:, 0], strict=True):
        place = ((after[16, 16] - before).abs() < 1e-4).nonzero()
        assert len(place) == 1
        found.add(tuple((16 - place[0]).tolist()))
    assert {shift for pair in found for shift in pair} == set(range(-4, 5))
    row = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    draws = only("move", 1)
    draws.uniforms[:2] = torch.tensor([[0.5], [0.99]])  # no pixel down, one to the right
    assert ada.augment(row, torch.tensor(0.5), draws)[0, 0, 0].tolist() == [1, 0, 1, 2, 3, 4, 5, 6]


def test_a_turn_keeps_the_middle_and_turns_the_rest() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 65), torch.linspace(-1, 1, 65), indexing="ij")
    bar = torch.exp(-((y / 0.15) ** 2))[None, None].expand(2, 1, 65, 65).contiguous()  # a level bar
    draws = only("turn", 2)
    draws.uniforms[2] = torch.tensor([0.0, 1.0])  # 15 degrees each way
    for turned, sign in zip(ada.augment(bar, torch.tensor(0.5), draws)[:, 0], (-1, 1), strict=True):
        angle = math.radians(15) * sign
        wanted = torch.exp(-(((y * math.cos(angle) - x * math.sin(angle)) / 0.15) ** 2))
        inside = (x**2 + y**2) < 0.7**2
        errors = [(turned - w)[inside].abs().mean().item() for w in (wanted, wanted.flip(0))]
        assert min(errors) < 0.02 < 0.1 < max(errors)


def test_scale_enlarges_both_axes_and_stretch_one_against_the_other() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    blob = torch.exp(-(x**2 + y**2) / 0.02)[None, None]

    def extent(way: str) -> tuple[float, float]:
        draws = only(way, 1)
        draws.normals[2:4] = 1.0
        made = ada.augment(blob, torch.tensor(0.5), draws)[0, 0]
        return tuple(((made * axis**2).sum() / made.sum() / 0.01).sqrt().item() for axis in (y, x))  # pyright: ignore

    size = 2.0**0.2
    assert extent("scale") == pytest.approx((size, size), rel=0.02)
    assert extent("stretch") == pytest.approx((size, 1 / size), rel=0.02)


def test_colours() -> None:
    pictures = torch.rand(200, 3, 4, 4) * 2 - 1
    p = torch.tensor(0.5)

    def made(way: str) -> torch.Tensor:
        return ada.augment(pictures, p, only(way, 200))

    grey, tint = pictures.mean(1, keepdim=True), pictures - pictures.mean(1, keepdim=True)
    hued = made("hue")
    torch.testing.assert_close(hued.mean(1, keepdim=True), grey)
    torch.testing.assert_close((hued - grey).norm(dim=1), tint.norm(dim=1))  # turned around grey
    negative = made("negative")
    flipped = (negative.mean(1, keepdim=True) + grey).abs().amax((1, 2, 3)) < 1e-5
    assert 70 < flipped.sum() < 130
    torch.testing.assert_close(negative - negative.mean(1, keepdim=True), tint)
    torch.testing.assert_close(made("saturation").mean(1, keepdim=True), grey)
    lighter = made("light") - pictures
    assert lighter.flatten(1).std(1).max() < 1e-5 and lighter.mean((1, 2, 3)).std() == pytest.approx(0.2, rel=0.2)
    contrast = made("contrast") / pictures
    assert contrast.log2().mean((1, 2, 3)).std().item() == pytest.approx(0.5, rel=0.2)
    alpha = torch.rand(8, 4, 8, 8)
    assert torch.allclose(ada.augment(alpha, p, only("hue", 8))[:, 3], alpha[:, 3], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_of_both_orders(channels: int) -> None:
    pictures = (torch.rand(2, channels, 6, 7, dtype=torch.float64) * 2 - 1).requires_grad_()
    draws = ada.Draws(*(part.double() for part in ada.draw(2, CPU)))
    one = torch.tensor(1.0, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ada.augment(x, one, draws).double(), pictures)
    assert torch.autograd.gradgradcheck(lambda x: ada.augment(x, one, draws).square(), pictures)
