"""Large pictures in tiles: the same as whole, without seams, in little memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.core.images import to_float, to_uint8
from limner.inference import tiling
from limner.inference.tiling import tiled
from limner.nets.norms import Norm
from limner.nets.resnet import ResNet
from limner.nets.unet import UNet


def scene(height: int, width: int, channels: int = 3) -> Tensor:
    """A picture, uint8 (1, C, H, W), that is not the same everywhere: noise on the left, light on the right."""
    y, x = torch.arange(height)[:, None].float(), torch.arange(width)[None].float()
    waves = [128 + 80 * torch.sin(x / (17 + 5 * c) + y / 40) * (0.3 + y / height) for c in range(channels)]
    noise = torch.randn(channels, height, width, generator=torch.Generator().manual_seed(1)) * 12 * (x < width / 2)
    return (torch.stack(waves) + noise + 40 * x / width).clamp(0, 255).byte()[None]


def lively(net: nn.Module, picture: Tensor) -> nn.Module:
    """Let an untrained network use the full range: running statistics of `picture`, outputs of deviation 0.7."""
    convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    with torch.no_grad():
        net.train()(to_float(picture))
        spread = torch.atanh(net.eval()(to_float(picture)).clamp(-0.999, 0.999)).std()
        convs[-1].weight *= 0.7 / spread
    return net


def build(kind: str, norm: Norm, picture: Tensor) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = UNet(3, 3, 8, 4, norm) if kind == "unet" else ResNet(3, 3, 8, 3, norm)
    return lively(net, picture)


@torch.inference_mode()
def both(net: nn.Module, picture: Tensor, tile: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (H, W, C) of the whole picture at once and of its tiles."""
    whole, parts = to_uint8(net(to_float(picture))), tiled(net, [net], picture, tile)
    return tuple(made[0].permute(1, 2, 0).numpy().astype(float) for made in (whole, parts))  # type: ignore[return-value]


@pytest.mark.parametrize("size", [(300, 421), (256, 384)])
@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
@pytest.mark.parametrize("kind", ["unet", "resnet"])
def test_tiles_are_the_whole_picture_without_seams(kind: str, norm: Norm, size: tuple[int, int]) -> None:
    picture = scene(*size)
    whole, parts = both(build(kind, norm, picture), picture, 128)
    assert whole.shape == parts.shape == (*size, 3) and whole.std() > 30
    difference = np.abs(whole - parts)
    assert difference.mean() < 1.0, "one level of 255"
    assert seams(whole, parts) < 1.5


def seams(whole: np.ndarray, parts: np.ndarray) -> float:
    """How much more the error jumps from one pixel to the next in its worst row or column than in a usual one.

    A grid is a line along which the error jumps: its mean jump along a row or a column of the picture tells.
    """
    error = parts - whole
    jumps = [np.abs(np.diff(error, axis=axis)).mean(axis=(1 - axis, 2)) for axis in (0, 1)]
    smooth = [np.convolve(jump, np.ones(9) / 9, mode="same")[4:-4] for jump in jumps]
    lines = [jump[4:-4] - around for jump, around in zip(jumps, smooth, strict=True)]
    return float(max(line.max() for line in lines))


def test_a_grid_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = scene(300, 421)
    net = build("unet", "instance", picture)
    monkeypatch.setattr(tiling.WholeStatistics, "__init__", lambda self, modules: vars(self).update(layers=[]))
    monkeypatch.setattr(tiling, "REACH", 0)
    monkeypatch.setattr(tiling, "LEAST_OVERLAP", 0)
    whole, parts = both(net, picture, 128)  # tiles side by side, each with its own statistics
    assert np.abs(whole - parts).mean() > 3.0
    assert seams(whole, parts) > 3.0


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (63, 5), (40, 300), (131, 129)])
@pytest.mark.parametrize("kind", ["unet", "resnet"])
def test_any_size(kind: str, size: tuple[int, int]) -> None:
    net = build(kind, "batch", scene(64, 64))
    whole, parts = both(net, scene(*size), 128)
    assert whole.shape == parts.shape == (*size, 3)
    assert np.abs(whole - parts).mean() < 1.0


def test_a_picture_smaller_than_a_tile_is_the_whole() -> None:
    net = build("unet", "batch", scene(64, 64))
    whole, parts = both(net, scene(90, 100), 128)
    assert np.abs(whole - parts).max() <= 1


def test_layers_are_as_before_afterwards() -> None:
    picture = scene(200, 200)
    net = build("resnet", "instance", picture)
    with torch.inference_mode():
        before = net(to_float(picture))
        tiled(net, [net], picture, 128)
        assert torch.equal(net(to_float(picture)), before)
    assert not any("forward" in vars(layer) for layer in net.modules())


def test_a_very_wide_picture_is_seen_a_tile_at_a_time() -> None:
    seen: list[tuple[int, ...]] = []

    def net(x: Tensor) -> Tensor:
        seen.append(tuple(x.shape))
        return x.flip(1)

    picture = scene(40, 60_000)
    made = tiled(net, [nn.Identity()], picture, 2048)
    assert (made.int() - picture.flip(1).int()).abs().max() == 0, "blending what agrees changes nothing"
    assert max(shape[3] for shape in seen) <= 2048 and max(shape[2] for shape in seen) == 40
    assert len(seen) < 1.5 * 60_000 / 2048


def test_tiles_lie_on_the_grid_of_the_network() -> None:
    seen: list[Tensor] = []

    class Halving(nn.Module):
        multiple = 64

    def net(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    place = torch.arange(1000).remainder(256).byte().expand(1, 1, 70, 1000)
    tiled(net, [Halving()], place, 300)
    left = (1024 - 1000) // 2
    assert all(x.shape[-2:] == (128, 256) for x in seen)
    columns = [round((float(x[0, 0, 64, 100]) + 1) * 127.5) for x in seen]
    assert {(column + left - 100) % 64 for column in columns} == {0}
