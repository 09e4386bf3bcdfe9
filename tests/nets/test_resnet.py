"""The residual generator is the reference's to the digit, takes any size, and shows CUT its insides."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets.norms import InstanceNorm, norm_layer
from limner.nets.resample import BlurDouble, BlurHalve
from limner.nets.resnet import ResidualBlock, ResNet

VARIANTS: list[dict[str, Any]] = [{}, {"slope": 0.2}, {"resampling": "blur"}, {"norm": "batch"}, {"norm": "none"}]


def small(**options: Any) -> ResNet:
    torch.manual_seed(0)
    return ResNet(**({"channels_in": 3, "channels_out": 3, "filters": 4, "blocks": 5} | options))


def picture(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_parameter_counts() -> None:
    with torch.device("meta"):
        assert count(ResNet(3, 3)) == 11_378_179
        assert count(ResNet(3, 3, resampling="blur")) == 11_378_179
        assert count(ResNet(3, 3, blocks=6)) == 11_378_179 - 3 * 2 * (256 * 256 * 9 + 256)
        # BatchNorm: gain and shift for 2 * (64 + 128) + 256 + 18 * 256 channels, and no bias but the last
        assert count(ResNet(3, 3, norm="batch")) == 11_378_179 + 2 * 5_248 - 5_248
        assert ResNet(3, 3, filters=32)(torch.empty(1, 3, 128, 128)).shape == (1, 3, 128, 128)


@pytest.mark.parametrize("options", VARIANTS)
def test_sizes_and_gradients(options: dict[str, Any]) -> None:
    net = small(channels_in=1, **options)
    for height, width in [(16, 16), (18, 33), (1, 1), (3, 40)]:
        made = net(picture(1, 1, height, width))
        assert made.shape == (1, 3, height, width) and made.abs().max() <= 1
        assert made.isfinite().all()
    net(picture(2, 1, 16, 16)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in net.parameters())


def test_the_sketch_report_leaks_everywhere_and_adds_bare() -> None:
    net = small(slope=0.2, filters=32, blocks=6)
    leaks = [module for module in net.modules() if isinstance(module, nn.LeakyReLU)]
    assert len(leaks) == 1 + 2 + 6 + 2 and {leak.negative_slope for leak in leaks} == {0.2}
    assert not any(isinstance(module, nn.ReLU) for module in net.modules())
    block, x = ResidualBlock(8, "instance", 0.2), picture(1, 8, 6, 6)
    torch.testing.assert_close(block(x), x + block.body(x))
    assert block(x).min() < 0


@pytest.mark.parametrize("resampling", ["strided", "blur"])
def test_layers_are_numbered_as_in_cut(resampling: str) -> None:
    net, x = small(resampling=resampling), picture(2, 3, 16, 24)
    half, quarter = ((8, 12), (4, 6)) if resampling == "strided" else ((16, 24), (8, 12))
    pixels, first, second, block1, block5 = net.encode(x)
    assert torch.equal(pixels, F.pad(x, (3, 3, 3, 3), mode="reflect"))
    assert first.shape == (2, 8, *half) and second.shape == (2, 16, *quarter)
    assert block1.shape == block5.shape == (2, 16, 4, 6)

    seen: dict[int, Tensor] = {}
    for number, stage in ((4, net.encoder[1][0]), (8, net.encoder[2][0]), (12, net.encoder[3]), (16, net.encoder[7])):
        stage.register_forward_hook(lambda _module, _inputs, made, n=number: seen.update({n: made.detach().clone()}))
    net(x)
    for number, feature in zip((4, 8, 12, 16), (first, second, block1, block5), strict=True):
        torch.testing.assert_close(feature, seen[number], msg=f"layer {number} is another one in `forward`")

    later, normalised, active = net.encode(x, (13, 2, 3))
    assert later.shape == block1.shape and not torch.equal(later, block1)
    assert normalised.min() < 0, "the activation writes over it, but not over what was asked for"
    torch.testing.assert_close(active, normalised.relu())
    block5.sum().backward()
    for wrong in ((), (17,), (-1,)):
        with pytest.raises(ValueError, match="layers 0 to 16"):
            net.encode(x, wrong)


@pytest.mark.parametrize("options", VARIANTS)
def test_checkpointing_changes_nothing_but_memory(options: dict[str, Any]) -> None:
    plain = small(**options)
    thrifty = copy.deepcopy(plain)
    thrifty.checkpoint = True
    x = picture(2, 3, 18, 16)
    kept: dict[bool, int] = {}
    for net in (plain, thrifty):
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: (s.append(t.numel()), t)[1], lambda t: t):
            made = net(x)
        kept[net.checkpoint] = sum(sizes)
        ((made - 0.5 * x).square().mean() + sum(f.abs().mean() for f in net.encode(x))).backward()
    assert kept[True] < 0.6 * kept[False]
    for (name, ours), theirs in zip(thrifty.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-6, msg=name)
    for (name, ours), theirs in zip(thrifty.named_buffers(), plain.buffers(), strict=True):
        assert torch.equal(ours, theirs), f"{name}: the second run must not count as a second batch"
    torch.testing.assert_close(thrifty(x), plain(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("batch", [1, 3])
def test_instance_norm_is_pytorchs(batch: int) -> None:
    ours, theirs = InstanceNorm(5).train(), nn.InstanceNorm2d(5).train()
    x = picture(batch, 5, 6, 7).requires_grad_()
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs(x), msg="it has no running statistics")
    weight = picture(batch, 5, 6, 7)
    gradients = [torch.autograd.grad((layer(x) * weight).sum(), x)[0] for layer in (ours, theirs)]
    torch.testing.assert_close(*gradients)
    last = x.detach().contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours(last), theirs(x))
    assert batch > 1 or ours(last).is_contiguous(memory_format=torch.channels_last)


def test_norms_by_name() -> None:
    x = picture(1, 48, 1, 1)
    assert norm_layer("none", 48)(x) is x
    group = norm_layer("group", 48)
    assert isinstance(group, nn.GroupNorm) and group.num_groups == 3
    assert group(x).abs().max() > 0.5, "a map of one pixel keeps its differences between channels"
    with pytest.raises(ValueError, match="'layer'"):
        norm_layer("layer", 48)  # pyright: ignore[reportArgumentType]


def test_blurs_are_their_kernels() -> None:
    x = picture(2, 3, 8, 6)
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(3, 1, 3, 3)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=3)
    torch.testing.assert_close(BlurHalve()(x), expected)
    kernel = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(3, 1, 4, 4)
    wide = F.conv_transpose2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, padding=1, groups=3)
    torch.testing.assert_close(BlurDouble()(x), wide[..., 2:-2, 2:-2])


def test_memory_format_does_not_show() -> None:
    net, x = small(), picture(2, 3, 16, 16)
    last = copy.deepcopy(net).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for some in (x, x[:1]):
        torch.testing.assert_close(last(some.contiguous(memory_format=torch.channels_last)), net(some))


def test_exports_for_any_size_and_batch() -> None:
    net, n, h, w = small(blocks=1).eval(), *(torch.export.Dim(name, min=2, max=300) for name in "nhw")
    program = torch.export.export(net, (picture(2, 3, 16, 24),), dynamic_shapes=({0: n, 2: 4 * h, 3: 4 * w},))
    x = picture(3, 3, 28, 12)
    torch.testing.assert_close(program.module()(x), net(x))


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())
