"""The discriminators are the reference's to the digit, and every option of them does what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets import disco
from limner.nets.patch import MultiScaleDiscriminator, PatchDiscriminator, ResidualDiscriminator

SMALL: dict[str, Callable[[], nn.Module]] = {
    "patch": lambda: PatchDiscriminator(4, filters=4),
    "instance": lambda: PatchDiscriminator(4, filters=4, norm="instance"),
    "group": lambda: PatchDiscriminator(4, 2, filters=4, norm="group"),
    "spectral": lambda: PatchDiscriminator(4, filters=4, norm="none", spectral_norm=True),
    "pixel": lambda: PatchDiscriminator(4, 0, filters=4),
    "image": lambda: PatchDiscriminator(4, "image", filters=4, size=(40, 32)),
    "maps": lambda: PatchDiscriminator(4, 3, filters=4, activation_first=True),
    "residual": lambda: ResidualDiscriminator(4, filters=4),
    "residual-batch": lambda: ResidualDiscriminator(4, filters=4, norm="batch", spectral_norm=True),
}


def picture(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return SMALL[name]()


def test_parameter_counts() -> None:
    with torch.device("meta"):
        assert count(PatchDiscriminator(6)) == 2_768_705
        assert count(PatchDiscriminator(3, norm="instance")) == 2_764_737
        assert count(PatchDiscriminator(6, 0)) == 448 + 8_192 + 256 + 128


def test_logits_per_picture() -> None:
    with torch.device("meta"):
        x = torch.empty(2, 6, 256, 256)
        assert PatchDiscriminator(6)(x).shape == (2, 1, 30, 30)
        assert PatchDiscriminator(6, 4, activation_first=True)(x).shape == (2, 1, 16, 16)
        assert PatchDiscriminator(6, 0)(x).shape == (2, 1, 256, 256)
        assert PatchDiscriminator(6, "image", size=(256, 256))(x).shape == (2, 1, 1, 1)
        assert ResidualDiscriminator(6)(x).shape == (2, 1, 32, 32)
        assert PatchDiscriminator(6)(x[..., :24, :24]).shape == (2, 1, 1, 1), "the smallest that three layers judge"
        assert PatchDiscriminator(6, "image", size=(75, 100))(x[..., :75, :100]).shape == (2, 1, 1, 1)
        for size in (None, (7, 64)):
            with pytest.raises(ValueError, match="size"):
                PatchDiscriminator(6, "image", size=size)


def test_the_layers_of_the_reports() -> None:
    """The sketch report: 64-128-256-512-1 with strides 2, 2, 2, 1, 1, which is PatchGAN; the maps report's order."""
    with torch.device("meta"):
        convs = [m for m in PatchDiscriminator(3, norm="instance").modules() if isinstance(m, nn.Conv2d)]
        assert [conv.out_channels for conv in convs] == [64, 128, 256, 512, 1]
        assert [conv.stride[0] for conv in convs] == [2, 2, 2, 1, 1]
        assert {conv.kernel_size for conv in convs} == {(4, 4)}
        maps = PatchDiscriminator(6, 4, activation_first=True)
    kinds = [[type(layer).__name__ for layer in stage] for stage in maps.stages]
    assert kinds == [["Conv2d", "LeakyReLU", "Identity"], *[["Conv2d", "LeakyReLU", "BatchNorm2d"]] * 3]


def test_a_logit_sees_its_patch_and_no_more() -> None:
    """A change of one pixel moves the logits whose 70x70 patch it is in."""
    net, x = PatchDiscriminator(1, filters=2, norm="none"), picture(1, 1, 256, 256).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x)[0, 0, 15, 15], x)
    rows = gradient[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


@pytest.mark.parametrize("name", SMALL)
def test_features_and_gradients(name: str) -> None:
    net, x = build(name), picture(2, 4, 40, 32).requires_grad_()
    logits, features = net(x, features=True)
    assert len(features) == len(net.stages)
    kept = [feature.detach().clone() for feature in features]
    assert torch.equal(net.eval()(x), net(x, features=True)[0])
    for feature, before in zip(features, kept, strict=True):
        assert torch.equal(feature, before), "a later layer wrote over a feature"
    loss = F.softplus(logits).mean() + sum(feature.abs().mean() for feature in features)
    loss.backward()
    assert [key for key, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@pytest.mark.parametrize("name", SMALL)
def test_gradient_penalties_reach_the_weights(name: str) -> None:
    net, x = build(name), picture(2, 4, 40, 32).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    kernels = [weight.grad for weight in net.parameters() if weight.dim() == 4]
    assert all(grad is not None and grad.isfinite().all() and grad.any() for grad in kernels)


@pytest.mark.parametrize("name", ["spectral", "residual-batch"])
def test_spectral_norm_bounds_every_weight_and_keeps_its_start(name: str) -> None:
    net, x = build(name), picture(1, 4, 40, 32)
    for _ in range(50):
        net(x)
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1.0, abs=0.02)
        start = layer.parametrizations.weight.original
        assert float(start.detach().std()) == pytest.approx(0.02, rel=0.5)


def test_several_scales() -> None:
    torch.manual_seed(0)
    net, x = (
        MultiScaleDiscriminator(PatchDiscriminator(3, 2, filters=4) for _ in range(3)).eval(),
        picture(2, 3, 64, 48),
    )
    logits, features = net(x, features=True)
    assert [tuple(logit.shape[2:]) for logit in logits] == [(14, 10), (6, 4), (2, 1)]
    assert len(features) == 9
    assert all(torch.equal(a, b) for a, b in zip(net(x), logits, strict=True))
    flat = torch.full_like(x, 0.7)
    halves: list[Tensor] = []
    net.judges[2].register_forward_pre_hook(lambda _module, inputs: halves.append(inputs[0]))
    net(flat)
    torch.testing.assert_close(halves[0], flat[..., :16, :12], msg="borders are means of pixels, not of zeros")
    with pytest.raises(ValueError, match="no discriminator"):
        MultiScaleDiscriminator([])


def test_discogan_at_64_pixels_and_beyond() -> None:
    with torch.device("meta"):
        generator = disco.Generator(3, 3)
        convs = [m.out_channels for m in generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        assert convs == [64, 128, 256, 512, 100, 512, 256, 128, 64, 3]
        logits, features = disco.Discriminator(3)(torch.empty(2, 3, 64, 64), features=True)
        assert logits.shape == (2,)
        assert [tuple(feature.shape[1:]) for feature in features] == [(128, 16, 16), (256, 8, 8), (512, 4, 4)]
    torch.manual_seed(0)
    for height, width in ((64, 64), (32, 32), (128, 64), (50, 70)):
        steps = disco.rungs(height, width)
        x = picture(2, 1, height, width)
        made = disco.Generator(1, 3, filters=2, code=5, halvings=steps)(x)
        assert made.shape == (2, 3, height, width) and made.abs().max() <= 1
        logits, features = disco.Discriminator(3, height, width, filters=2)(made, features=True)
        assert logits.shape == (2,) and len(features) == min(3, steps - 1)
        logits.sum().backward()
    assert [disco.rungs(side, side) for side in (8, 16, 64, 128, 256)] == [1, 2, 4, 5, 6]
    with pytest.raises(ValueError, match="8 or more"):
        disco.rungs(64, 7)


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())
