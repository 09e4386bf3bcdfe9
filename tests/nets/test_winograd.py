"""The fast 3x3 convolution is the plain one: outputs, gradients, gradients of gradients, exported graphs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nets import winograd
from limner.nets.winograd import Conv3x3


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "WIDTH", 1)
    monkeypatch.setattr(winograd, "AREA", 1)


def layer(before: int = 3, after: int = 5, padding: int = 0, bias: bool = True) -> Conv3x3:
    torch.manual_seed(0)
    return Conv3x3(before, after, padding, bias)


def plain(conv: Conv3x3, x: Tensor) -> Tensor:
    return F.conv2d(x, conv.weight, conv.bias, padding=conv.padding)  # type: ignore[arg-type]


def used(x: Tensor) -> bool:
    """Whether the fast way made this."""
    nodes = [x.grad_fn]
    for node in nodes:
        if node is not None:
            nodes += [before for before, _ in node.next_functions]
    return any(type(node).__name__ == "_WinogradBackward" for node in nodes)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("shape", [(1, 3, 6, 6), (2, 3, 34, 18), (3, 3, 9, 15), (1, 3, 3, 4)])
def test_outputs_and_gradients_are_the_plain_ones(
    shape: tuple[int, ...], padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "TILES", 3)  # several strips, also where the map is small
    conv = layer(padding=padding)
    x = torch.randn(shape, requires_grad=True)
    made, expected = conv(x), plain(conv, x)
    assert used(made) and not used(expected)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)
    weight = torch.randn_like(expected)
    inputs = (x, *conv.parameters())
    for one, other in zip(
        torch.autograd.grad(made, inputs, weight), torch.autograd.grad(expected, inputs, weight), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_memory_formats_and_frozen_inputs() -> None:
    conv, x = layer(bias=False), torch.randn(2, 3, 10, 14)
    nhwc = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(conv(nhwc), conv(x))
    torch.testing.assert_close(layer(bias=False).to(memory_format=torch.channels_last)(nhwc), conv(x))
    conv(x).sum().backward()  # a picture asks for no gradient
    assert conv.weight.grad is not None
    frozen = layer().requires_grad_(False)
    x.requires_grad_()
    (found,) = torch.autograd.grad(frozen(x).square().sum(), x)
    (expected,) = torch.autograd.grad(plain(frozen, x).square().sum(), x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_it_can_be_differentiated_twice() -> None:
    conv, x = layer(), torch.randn(1, 3, 10, 10, requires_grad=True)

    def penalty(made: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(made.tanh().sum(), x, create_graph=True)
        return gradient.square().sum()

    found = torch.autograd.grad(penalty(conv(x)), conv.weight)[0]
    torch.testing.assert_close(
        found, torch.autograd.grad(penalty(plain(conv, x)), conv.weight)[0], rtol=1e-4, atol=1e-4
    )


def test_small_maps_few_filters_and_other_precisions_go_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, x = layer(), torch.randn(1, 3, 10, 10)
    assert used(conv(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert not used(conv(x))
    assert not used(layer().double()(x.double()))
    monkeypatch.setattr(winograd, "AREA", 65)
    assert not used(conv(x))
    assert used(conv(torch.randn(1, 3, 12, 10)))
    monkeypatch.setattr(winograd, "WIDTH", 4)
    assert not used(conv(torch.randn(1, 3, 12, 10)))


def test_a_graph_that_is_exported_has_a_plain_convolution() -> None:
    program = torch.export.export(layer(), (torch.randn(1, 3, 10, 10),))
    assert "conv2d" in str(program.graph)
