"""The U-Net is the reference's to the digit, takes any size, and its dense bottleneck is alive."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets.resample import DoublingConv, HalvingConv, PoolConv, ResizeConv, crop, pad_to
from limner.nets.unet import UNet

VARIANTS: list[dict[str, Any]] = [
    {},
    {"norm": "instance", "dropout": ()},
    {"norm": "group", "upsampling": "resize-conv"},
    {"norm": "none", "dropout": (0, 1)},
    {"upsampling": "resize-conv", "activation_first": True, "dropout": (1,)},
    {"dense": 5, "size": (16, 16)},
]


def small(**options: Any) -> UNet:
    torch.manual_seed(0)
    return UNet(**({"channels_in": 3, "channels_out": 3, "filters": 4, "depth": 4} | options))


def picture(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_parameter_counts() -> None:
    with torch.device("meta"):
        assert count(UNet(3, 3)) == 54_413_955
        assert count(UNet(3, 3, dropout=(0, 1, 2))) == 54_413_955
        # InstanceNorm has no parameters (9,856 fewer), so the convolutions have biases (8,384 more)
        assert count(UNet(3, 3, norm="instance")) == 54_413_955 - 9_856 + sum((64, 128, 256)) * 2 + 512 * 9
        assert count(UNet(3, 3, dense=5, size=(256, 256))) == 54_413_955 + 5 * (512 * 512 + 512)
        assert count(UNet(1, 3, depth=7)) < count(UNet(3, 3, depth=7)) < 54_413_955


@pytest.mark.parametrize("options", VARIANTS)
def test_sizes_and_gradients(options: dict[str, Any]) -> None:
    net = small(channels_in=1, **options)
    sizes = [(16, 16)] if "dense" in options else [(16, 16), (32, 48), (17, 30), (1, 1), (3, 100)]
    for height, width in sizes:
        made = net(picture(1, 1, height, width))  # batches of one, in training
        assert made.shape == (1, 3, height, width) and made.abs().max() <= 1
        assert made.isfinite().all()
    net(picture(2, 1, 16, 16)).square().sum().backward()
    assert [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_the_innermost_code_is_not_normalised_away() -> None:
    """With batches of one, a normalised 1x1 code would be the same for every picture."""
    net = small()
    codes: list[Tensor] = []
    net.down[-1].register_forward_hook(lambda _module, _inputs, code: codes.append(code.detach().clone()))
    net(picture(1, 3, 16, 16))
    net(-picture(1, 3, 16, 16))
    assert codes[0].shape == (1, 32, 1, 1)
    assert codes[0].abs().max() > 0 and not torch.allclose(codes[0], codes[1], atol=1e-6)


def test_padding_reflects_and_is_cropped_away() -> None:
    x = picture(1, 2, 5, 6)
    padded, inside = pad_to(x, 4)
    assert padded.shape == (1, 2, 8, 8)
    assert torch.equal(padded, F.pad(x, (1, 1, 1, 2), mode="reflect")) and torch.equal(crop(padded, inside), x)
    tiny, inside = pad_to(x[..., :1, :2], 8)
    assert tiny.shape == (1, 2, 8, 8) and torch.equal(crop(tiny, inside), x[..., :1, :2])
    whole, inside = pad_to(x, 1)
    assert whole is x and crop(x, inside) is x
    net = small(norm="instance", dropout=()).eval()
    wide = picture(1, 3, 20, 32)
    padded, inside = pad_to(wide, 16)
    torch.testing.assert_close(net(wide), crop(net(padded), inside))


def test_dropout_levels_are_counted_from_the_code() -> None:
    def places(net: UNet) -> list[int]:
        return [level for level, up in enumerate(net.up) if isinstance(up.dropout, nn.Dropout)]

    with torch.device("meta"):
        assert places(UNet(3, 3)) == [1, 2, 3]
        seen: list[int] = []
        net = UNet(3, 3, filters=1)
        for level in (1, 2, 3):
            net.up[level].register_forward_hook(lambda _module, _inputs, made: seen.append(made.shape[-1]))
        net(torch.empty(1, 3, 256, 256))
        assert seen == [4, 8, 16]
    assert places(small()) == [1, 2], "the last level never drops"
    assert places(small(dropout=())) == []
    net, x = small(), picture(1, 3, 16, 16)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


def test_every_dense_layer_learns_and_the_decoder_takes_what_they_make() -> None:
    for size in ((16, 16), (16, 48), (20, 30)):  # codes of 1x1, 1x3 and, padded, 2x2
        net = small(dense=5, size=size, dropout=())
        layers = [module for module in net.dense.modules() if isinstance(module, nn.Linear)]
        assert len(layers) == 5
        x = picture(2, 3, *size)
        (net(x) - picture(2, 3, *size).flip(3)).abs().mean().backward()
        for layer in layers:
            assert layer.weight.grad is not None and layer.weight.grad.norm() > 1e-6
        before = net(x)
        with torch.no_grad():
            layers[-1].weight.zero_()
        assert (net(x) - before).abs().max() > 1e-3
    with pytest.raises(ValueError, match="32 x 32"):
        net(picture(1, 3, 64, 64))
    with pytest.raises(ValueError, match="size"):
        small(dense=5)


def test_the_maps_report_normalises_after_the_activation() -> None:
    net = small(activation_first=True, upsampling="resize-conv", dropout=())
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 2 + 3 and {(module.momentum, module.eps) for module in norms} == {(0.2, 1e-3)}
    seen: list[Tensor] = []
    for place in (net.down[1].norm, net.up[1].norm):
        place.register_forward_hook(lambda _module, inputs, made: seen.extend((inputs[0], made)))
    net(picture(2, 3, 32, 32))
    encoder_in, encoder_out, decoder_in, _ = seen
    torch.testing.assert_close(encoder_out.mean((0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    assert encoder_in.min() < 0 < encoder_in.max() and decoder_in.min() == 0


@pytest.mark.parametrize("kernel", [3, 4])
def test_resize_conv_is_repetition_and_convolution(kernel: int) -> None:
    torch.manual_seed(0)
    layer = ResizeConv(5, 7, kernel).double()
    for height, width in ((3, 5), (20, 24)):  # both ways to compute it
        x = torch.randn(2, 5, height, width, dtype=torch.float64)
        large = F.pad(x.repeat_interleave(2, 2).repeat_interleave(2, 3), (1, kernel - 2, 1, kernel - 2))
        torch.testing.assert_close(layer(x), F.conv2d(large, layer.weight, layer.bias))


def test_pool_conv_is_convolution_and_mean() -> None:
    torch.manual_seed(0)
    layer, x = PoolConv(5, 7).double(), torch.randn(2, 5, 8, 6, dtype=torch.float64)
    torch.testing.assert_close(layer(x), F.avg_pool2d(F.conv2d(x, layer.weight, layer.bias, padding=1), 2))


@pytest.mark.parametrize("options", VARIANTS)
def test_checkpointing_changes_nothing_but_memory(options: dict[str, Any]) -> None:
    plain = small(**options)
    thrifty = copy.deepcopy(plain)
    thrifty.checkpoint = True
    x = picture(2, 3, 16, 16)
    kept: dict[bool, int] = {}
    for net in (plain, thrifty):
        torch.manual_seed(7)  # dropout draws the same masks
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: (s.append(t.numel()), t)[1], lambda t: t):
            made = net(x)
        kept[net.checkpoint] = sum(sizes)
        (made - 0.5 * x).square().mean().backward()
    assert kept[True] < kept[False]
    for (name, ours), theirs in zip(thrifty.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-6, msg=name)
    for (name, ours), theirs in zip(thrifty.named_buffers(), plain.buffers(), strict=True):
        assert torch.equal(ours, theirs), f"{name}: the second run must not count as a second batch"
    torch.testing.assert_close(thrifty.eval()(x), plain.eval()(x), atol=1e-6, rtol=0)


def test_memory_format_does_not_show() -> None:
    net, x = small(dropout=(), upsampling="resize-conv"), picture(2, 3, 64, 64)
    last = copy.deepcopy(net).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(last(x.contiguous(memory_format=torch.channels_last)), net(x), atol=1e-5, rtol=1e-4)


def test_exports_to_onnx(tmp_path: Path) -> None:
    net = small(norm="group", upsampling="resize-conv").eval()
    x, file = picture(3, 3, 24, 16), tmp_path / "net.onnx"
    with warnings.catch_warnings():
        # the exporter copies a class of PyTorch's own that is on its way out
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        program = torch.onnx.export(
            net,
            (x,),
            dynamo=True,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            input_names=["image"],
        )
    assert program is not None
    program.save(file)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for batch in (x, x[:1]):
        made = session.run(None, {"image": batch.numpy()})[0]
        with torch.inference_mode():
            np.testing.assert_allclose(np.asarray(made), net(batch).numpy(), atol=2e-6)


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize("side", [1, 2, 8, 32])
@pytest.mark.parametrize("bias", [True, False])
def test_small_maps_go_through_products_that_are_the_convolutions(side: int, bias: bool) -> None:
    for layer, size in ((HalvingConv(3, 5, bias), 2 * side), (DoublingConv(3, 5, bias), side)):
        plain = nn.Conv2d(3, 5, 4, 2, 1) if isinstance(layer, HalvingConv) else nn.ConvTranspose2d(3, 5, 4, 2, 1)
        plain.load_state_dict({"bias": torch.zeros(5), **layer.state_dict()})
        x = torch.randn(2, 3, size, size, requires_grad=True)
        twin = x.detach().clone().requires_grad_()
        made, wanted = layer(x), plain(twin)
        torch.testing.assert_close(made, wanted)
        weight = torch.randn_like(made)
        (made * weight).sum().backward()
        (wanted * weight).sum().backward()
        torch.testing.assert_close(x.grad, twin.grad)
        torch.testing.assert_close(layer.weight.grad, plain.weight.grad)
        torch.testing.assert_close(layer.eval()(x), wanted)
