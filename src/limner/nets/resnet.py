"""CycleGAN's generator of residual blocks (arXiv 1703.10593, appendix 7.2), for pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from torch import Tensor, nn

from limner.nets.init import normal_init
from limner.nets.memory import recomputed
from limner.nets.norms import Norm, norm_layer, wants_bias
from limner.nets.resample import BlurDouble, BlurHalve, crop, pad_to
from limner.nets.winograd import Conv3x3

Resampling = Literal["strided", "blur"]
MULTIPLE, LEAST = 4, 8  # two halvings; reflecting one pixel in a residual block takes a map of 2x2


class ResidualBlock(nn.Module):
    """x + [reflect, convolution 3x3, normalisation, activation, reflect, convolution 3x3, normalisation](x)."""

    def __init__(self, width: int, name: Norm, slope: float) -> None:
        super().__init__()
        bias = wants_bias(name)
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            Conv3x3(width, width, bias=bias),
            norm_layer(name, width),
            activation(slope),
            nn.ReflectionPad2d(1),
            Conv3x3(width, width, bias=bias),
            norm_layer(name, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W); no activation after the sum."""
        return x + self.body(x)


class ResNet(nn.Module):
    """7x7 convolution, two halvings, `blocks` residual blocks, two doublings, 7x7 convolution, tanh.

    Pictures whose sides are no multiples of 4 are padded by reflection and the output is cropped back.

    - `filters`: the first width, which doubles at each halving: 64 in the paper (9 blocks from 256 px on, 6 below),
      32 in the sketch report.
    - `slope`: of LeakyReLU in place of every ReLU: 0.2 in the sketch report.
    - `resampling`: "strided" convolutions as in CycleGAN, or "blur" as in CUT: convolutions of stride 1 and a blur that
      halves or doubles, four times the work in those layers.
    - `checkpoint`: compute the insides of blocks again in the backward pass: a fourth is kept for it (1.4 GB for each
      pass at 1024 px, not 5.3), and a step takes three tenths longer.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        filters: int = 64,
        blocks: int = 9,
        norm: Norm = "instance",
        slope: float = 0.0,
        resampling: Resampling = "strided",
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        first = nn.Conv2d(channels_in, filters, 7, bias=wants_bias(norm))
        self.encoder = nn.Sequential(
            nn.Sequential(nn.ReflectionPad2d(3), *_finish(first, norm, slope)),
            _halve(filters, norm, slope, resampling),
            _halve(2 * filters, norm, slope, resampling),
            *(ResidualBlock(4 * filters, norm, slope) for _ in range(blocks)),
        )
        self.decoder = nn.Sequential(
            _double(4 * filters, norm, slope, resampling),
            _double(2 * filters, norm, slope, resampling),
            nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(filters, channels_out, 7)),
        )
        normal_init(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures (B, channels_in, H, W) in [-1, 1] to (B, channels_out, H, W) in [-1, 1]."""
        x, inside = pad_to(x, MULTIPLE, LEAST)
        for stage in (*self.encoder, *self.decoder):
            x = recomputed(stage, x, on=self.checkpoint)
        return crop(x.tanh(), inside)

    def encode(self, x: Tensor, layers: Sequence[int] = (0, 4, 8, 12, 16)) -> list[Tensor]:
        """Return what these layers of the encoder make of pictures (B, channels_in, H, W), in the order of the layers.

        The numbers are those of CUT's reference (arXiv 2007.15651), whatever the `resampling`. 0: the picture with its
        reflected border of 3 px. 1, 2, 3: convolution, normalisation, activation. 4, 5, 6, 7: convolution,
        normalisation, activation and blur (if any) of the first halving; 8 to 11 of the second. 12: the first residual
        block's sum, 13 the second's ... So 0, 4, 8, 12, 16 are the pixels, both halvings' convolutions, and blocks 1
        and 5. The decoder does not run. Errors: ValueError when there is no such layer: block 5 may be missing.
        """
        steps = list(self._steps())
        if not layers or not 0 <= min(layers) <= max(layers) < len(steps):
            raise ValueError(f"layers {tuple(layers)}: this encoder has the layers 0 to {len(steps) - 1}")
        found: dict[int, Tensor] = {}
        x, _ = pad_to(x, MULTIPLE, LEAST)
        for number, step in enumerate(steps[: max(layers) + 1]):
            x = recomputed(step, x, on=self.checkpoint and isinstance(step, ResidualBlock))
            if number in layers:
                writes_over = isinstance(steps[min(number + 1, len(steps) - 1)], nn.ReLU | nn.LeakyReLU)
                found[number] = x.clone() if writes_over else x
        return [found[number] for number in layers]

    def _steps(self) -> Iterator[nn.Module]:
        for stage in self.encoder:
            if isinstance(stage, nn.Sequential):
                yield from stage
            else:
                yield stage


def activation(slope: float) -> nn.Module:
    """ReLU, or LeakyReLU of a slope above 0; it writes over its input."""
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


def _halve(width: int, name: Norm, slope: float, resampling: Resampling) -> nn.Sequential:
    bias = wants_bias(name)
    if resampling == "blur":
        return nn.Sequential(*_finish(Conv3x3(width, 2 * width, 1, bias=bias), name, slope), BlurHalve())
    return nn.Sequential(*_finish(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), name, slope), nn.Identity())


def _double(width: int, name: Norm, slope: float, resampling: Resampling) -> nn.Sequential:
    after, bias = width // 2, wants_bias(name)
    if resampling == "blur":
        return nn.Sequential(BlurDouble(), *_finish(Conv3x3(width, after, 1, bias=bias), name, slope))
    return nn.Sequential(*_finish(nn.ConvTranspose2d(width, after, 3, 2, 1, 1, bias=bias), name, slope))


def _finish(conv: nn.Conv2d | nn.ConvTranspose2d, name: Norm, slope: float) -> list[nn.Module]:
    return [conv, norm_layer(name, conv.out_channels), activation(slope)]
