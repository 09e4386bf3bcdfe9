"""DiscoGAN's generator and discriminator (arXiv 1703.05192, section 3.1): all convolutions 4x4."""

from __future__ import annotations

from torch import Tensor, nn

from limner.nets.init import normal_init
from limner.nets.resample import crop, pad_to


def rungs(height: int, width: int) -> int:
    """How often pictures of this size are halved until the shorter side is 4 to 7 px: 4 times at 64 px.

    Errors: ValueError for pictures under 8 px.
    """
    if min(height, width) < 8:
        raise ValueError(f"{height}x{width} px are too few: DiscoGAN's networks need 8 or more")
    return (min(height, width) // 4).bit_length() - 1


class Generator(nn.Module):
    """Halvings to 4x4, a code of 1x1x100, and doublings back: LeakyReLU 0.2 going in, ReLU going out, tanh.

    Widths double from `filters` to eight times that; BatchNorm everywhere but beside the pictures; no biases. There
    are no skips: all that is known of the picture goes through the code, so batches of one picture cannot be trained
    (BatchNorm would make their code zero; PyTorch raises ValueError). Larger pictures than 64 px have more rungs.
    Those whose sides are no multiples of 2^halvings are padded by reflection, and the output is cropped back.
    """

    def __init__(
        self, channels_in: int, channels_out: int, filters: int = 64, code: int = 100, halvings: int = 4
    ) -> None:
        super().__init__()
        widths = [filters * min(8, 2**i) for i in range(halvings)]
        layers: list[nn.Module] = []
        before = channels_in
        for i, after in enumerate(widths):
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(after)] if i else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = after
        layers += [nn.Conv2d(before, code, 4, bias=False), nn.BatchNorm2d(code), nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.ConvTranspose2d(code, before, 4, bias=False), nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
        for after in reversed(widths[:-1]):
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
            before = after
        layers += [nn.ConvTranspose2d(before, channels_out, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.multiple = 2**halvings
        normal_init(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures (B, channels_in, H, W) in [-1, 1] to (B, channels_out, H, W) in [-1, 1]."""
        x, inside = pad_to(x, self.multiple, 4 * self.multiple)
        return crop(self.layers(x), inside)


class Discriminator(nn.Module):
    """Halvings to 4x4 with LeakyReLU 0.2 (BatchNorm on all but the first), then one logit for the picture.

    Built for pictures of `height` x `width`, 8 px or more (ValueError); no biases.
    """

    def __init__(self, channels: int, height: int = 64, width: int = 64, filters: int = 64) -> None:
        super().__init__()
        halvings = rungs(height, width)
        self.stages = nn.ModuleList()
        before = channels
        for i in range(halvings):
            after = filters * min(8, 2**i)
            normal = [nn.BatchNorm2d(after)] if i else []
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=False)
            self.stages.append(nn.Sequential(conv, *normal, nn.LeakyReLU(0.2, inplace=True)))
            before = after
        self.judge = nn.Conv2d(before, 1, (height >> halvings, width >> halvings), bias=False)
        normal_init(self)

    def forward(self, x: Tensor, features: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Judge pictures (B, channels, height, width): logits (B,).

        With `features` also the last three stages' maps, for feature matching: 128, 256 and 512 wide at 64 px.
        """
        found: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        logits = self.judge(x).flatten()
        return (logits, found[1:][-3:]) if features else logits
