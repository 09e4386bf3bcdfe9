"""R1 and R2: their value where it can be worked out by hand, and that training feels them."""

from __future__ import annotations

import pytest
import torch

from limner.losses.penalties import gradient_penalty


def test_value_of_a_linear_judge() -> None:
    slope = torch.randn(3, 4, 4)
    pictures = torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = gradient_penalty((pictures * slope).sum((1, 2, 3)), pictures)
    assert penalty.item() == pytest.approx(slope.square().sum().item(), rel=1e-5)


def test_a_patch_counts_as_a_judge() -> None:
    """The same judge of each quarter, apart or as four patches of one picture: the penalty is the same."""
    conv = torch.nn.Conv2d(1, 1, 4, 4)
    quarters = torch.randn(4, 1, 4, 4)
    whole = quarters.view(2, 2, 4, 4).permute(0, 2, 1, 3).reshape(1, 1, 8, 8)
    apart, joined = quarters.clone().requires_grad_(), whole.clone().requires_grad_()
    one, four = gradient_penalty(conv(apart), apart), gradient_penalty(conv(joined), joined)
    assert conv(whole).shape[2:] == (2, 2)
    torch.testing.assert_close(one, four)


def test_it_can_be_differentiated_again() -> None:
    torch.manual_seed(0)
    first, last = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 1, 3)
    judge = torch.nn.Sequential(first, torch.nn.Softplus(), last)
    pictures = torch.randn(2, 3, 8, 8)

    def value(change: float = 0.0) -> torch.Tensor:
        with torch.no_grad():
            first.weight[0, 0, 0, 0] += change
        shown = pictures.clone().requires_grad_()
        penalty = gradient_penalty(judge(shown), shown)
        with torch.no_grad():
            first.weight[0, 0, 0, 0] -= change
        return penalty

    shown = pictures.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(gradient_penalty(judge(shown), shown), first.weight)
    step = 1e-2
    slope = ((value(step) - value(-step)) / (2 * step)).item()
    assert gradient[0, 0, 0, 0].item() == pytest.approx(slope, rel=1e-2)
