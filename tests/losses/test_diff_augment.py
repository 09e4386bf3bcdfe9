"""DiffAugment: one geometry for what belongs together, a gradient through all of it, and the paper's ranges."""

from __future__ import annotations

import pytest
import torch

from limner.losses.diff_augment import GEOMETRIC, augment, draw

ALL = ("colour", *GEOMETRIC)


@pytest.mark.parametrize("channels", [(1, 3), (3, 3), (4, 1)])
@pytest.mark.parametrize("size", [(16, 16), (15, 22)])
def test_pairs_move_together(channels: tuple[int, int], size: tuple[int, int]) -> None:
    """Number the pixels in both pictures of a pair: the same ones must come to the same places, or be cleared."""
    numbers = torch.arange(1.0, size[0] * size[1] + 1).view(1, 1, *size)
    a, b = (numbers.expand(32, count, *size) for count in channels)
    draws = draw(32, torch.device("cpu"))
    moved_a, moved_b = augment(a, draws, GEOMETRIC), augment(b, draws, GEOMETRIC)
    assert moved_a.shape == a.shape and moved_b.shape == b.shape
    assert torch.equal(moved_a[:, 0], moved_b[:, 0])
    assert len({tuple(picture.flatten().tolist()) for picture in moved_a[:, 0]}) > 24, "all pictures move alike"
    assert set(moved_a.unique().tolist()) <= {0.0, *numbers.flatten().tolist()}
    joined = augment(torch.cat((a, b), 1), draws, GEOMETRIC)
    assert torch.equal(joined, torch.cat((moved_a, moved_b), 1))


def test_same_draws_same_result_others_another() -> None:
    pictures = torch.rand(4, 3, 16, 16) * 2 - 1
    draws, others = draw(4, torch.device("cpu")), draw(4, torch.device("cpu"))
    assert torch.equal(augment(pictures, draws, ALL), augment(pictures, draws, ALL))
    assert not torch.equal(augment(pictures, draws, ALL), augment(pictures, others, ALL))
    assert augment(pictures, draws, ()) is pictures


def test_gradient_goes_through() -> None:
    pictures = torch.rand(2, 3, 8, 8, dtype=torch.float64) * 2 - 1
    pictures.requires_grad_()
    draws = draw(2, torch.device("cpu")).double()
    assert torch.autograd.gradcheck(lambda x: augment(x, draws, ALL), pictures)
    assert torch.autograd.gradgradcheck(lambda x: augment(x, draws, ALL).square(), pictures)


def test_translation_reaches_an_eighth_each_way() -> None:
    pictures = torch.zeros(512, 1, 32, 32)
    pictures[:, :, 16, 16] = 1.0
    moved = augment(pictures, draw(512, torch.device("cpu")), ("translation",))
    rows, columns = moved.flatten(1).argmax(1) // 32, moved.flatten(1).argmax(1) % 32
    for found in (rows, columns):
        assert sorted(set(found.tolist())) == list(range(12, 21))


def test_cutout_clears_at_most_a_quarter() -> None:
    left = augment(torch.ones(512, 1, 32, 32), draw(512, torch.device("cpu")), ("cutout",)).mean((1, 2, 3))
    assert left.min().item() == pytest.approx(0.75)
    assert 0.75 < left.max().item() <= 1 - 0.25 / 4  # at least a quarter of the square is inside
    whole = augment(torch.ones(1, 1, 32, 32), torch.full((1, 7), 0.5), ("cutout",))[0, 0]
    assert whole[8:24, 8:24].sum() == 0 and whole.sum() == 32 * 32 - 16 * 16


def test_colours_in_the_middle_of_the_ranges_stay() -> None:
    pictures = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(augment(pictures, torch.full((2, 7), 0.5), ("colour",)), pictures)
    grey = augment(pictures, torch.tensor([[0.5, 0.0, 0.5, 0, 0, 0, 0]]).expand(2, 7), ("colour",))
    torch.testing.assert_close(grey, pictures.mean(1, keepdim=True).expand_as(grey))
    lighter = augment(pictures, torch.tensor([[1.0, 0.5, 0.5, 0, 0, 0, 0]]).expand(2, 7), ("colour",))
    torch.testing.assert_close(lighter, pictures + 0.5)


def test_alpha_keeps_its_values() -> None:
    pictures = torch.rand(8, 4, 8, 8)
    varied = augment(pictures, draw(8, torch.device("cpu")), ("colour",))
    assert torch.equal(varied[:, 3], pictures[:, 3]) and not torch.equal(varied[:, :3], pictures[:, :3])
