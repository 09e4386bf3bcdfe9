"""The Inception network of FID: TensorFlow's of December 2015 (Szegedy et al. 2015, arXiv 1512.00567), for inference.

It differs from the later ImageNet networks of the same name in its weights, in average pools that leave the padding
out, in a max pool in the last block, and in 1008 answers.

Three exact rearrangements make it fast. Batch norm is folded into the convolution before it. An average pool and the
1x1 convolution after it change places, so that the pool sees fewer channels: both are linear, and the pool's weights
sum to 1 everywhere, which lets the bias pass. The 1x1 convolutions that read the same input, then, are one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 299
FEATURES = 2048
ANSWERS = 1008
EPSILON = 1e-3  # of batch norm; its scale is 1 everywhere in this network, and no file needs to hold it


class Conv(nn.Module):
    """One or several convolutions of the files that read the same input, as one, with their batch norms folded in.

    `sources` are the names in the files and the channels each gives. The padding keeps the size unless it is 0.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        sources: Mapping[str, int],
        fan_in: int,
        kernel: tuple[int, int] = (1, 1),
        stride: int = 1,
        padded: bool = True,
    ) -> None:
        super().__init__()
        self.sources = dict(sources)
        self.stride = stride
        self.padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
        fan_out = sum(sources.values())
        self.register_buffer("weight", torch.empty(fan_out, fan_in, *kernel, memory_format=torch.channels_last))
        self.register_buffer("bias", torch.empty(fan_out))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the tensors of the sources from those of a file."""
        folded = [_fold(tensors, source) for source in self.sources]
        self.weight.copy_(torch.cat([weight for weight, _ in folded]))
        self.bias.copy_(torch.cat([bias for _, bias in folded]))

    def convolve(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class Layer(Conv):
    """A convolution of one source, and ReLU."""

    def __init__(
        self, source: str, fan_in: int, fan_out: int, kernel: tuple[int, int], stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__({source: fan_out}, fan_in, kernel, stride, padded)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x).relu_()


class Entry(Conv):
    """The 1x1 convolutions at a block's entry, each followed by ReLU; `branch_pool` is averaged over 3x3 before that.

    Takes (B, C, H, W); gives one tensor per source, in order.
    """

    def __init__(self, block: str, fan_in: int, **branches: int) -> None:
        super().__init__({f"{block}.{name}": channels for name, channels in branches.items()}, fan_in)
        self.pooled = "branch_pool" in branches

    def forward(self, x: Tensor) -> list[Tensor]:
        shares = list(self.convolve(x).split(list(self.sources.values()), dim=1))
        if self.pooled:
            shares[-1] = F.avg_pool2d(shares[-1], 3, stride=1, padding=1, count_include_pad=False)
        return [share.relu() for share in shares]  # not in place: the next convolution wants the share by itself


def _tower(block: str, fan_in: int, *layers: tuple[str, int, tuple[int, int]]) -> nn.Sequential:
    tower = nn.Sequential()
    for name, fan_out, kernel in layers:
        tower.append(Layer(f"{block}.{name}", fan_in, fan_out, kernel))
        fan_in = fan_out
    return tower


class BlockA(nn.Module):
    """35x35: 1x1, 5x5, two 3x3, pool; (B, fan_in, 35, 35) -> (B, 224 + pool, 35, 35)."""

    def __init__(self, block: str, fan_in: int, pool: int) -> None:
        super().__init__()
        self.entry = Entry(block, fan_in, branch1x1=64, branch5x5_1=48, branch3x3dbl_1=64, branch_pool=pool)
        self.five = _tower(block, 48, ("branch5x5_2", 64, (5, 5)))
        self.threes = _tower(block, 64, ("branch3x3dbl_2", 96, (3, 3)), ("branch3x3dbl_3", 96, (3, 3)))

    def forward(self, x: Tensor) -> Tensor:
        one, five, threes, pool = self.entry(x)
        return torch.cat([one, self.five(five), self.threes(threes), pool], dim=1)


class BlockB(nn.Module):
    """35x35 to 17x17: (B, 288, 35, 35) -> (B, 768, 17, 17)."""

    def __init__(self, block: str) -> None:
        super().__init__()
        self.three = Layer(f"{block}.branch3x3", 288, 384, (3, 3), stride=2, padded=False)
        self.threes = _tower(block, 288, ("branch3x3dbl_1", 64, (1, 1)), ("branch3x3dbl_2", 96, (3, 3)))
        self.threes.append(Layer(f"{block}.branch3x3dbl_3", 96, 96, (3, 3), stride=2, padded=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.three(x), self.threes(x), F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockC(nn.Module):
    """17x17: 1x1, 7x7 in two steps, twice 7x7 in four, pool; (B, 768, 17, 17) -> the same."""

    def __init__(self, block: str, width: int) -> None:
        super().__init__()
        self.entry = Entry(block, 768, branch1x1=192, branch7x7_1=width, branch7x7dbl_1=width, branch_pool=192)
        self.seven = _tower(block, width, ("branch7x7_2", width, (1, 7)), ("branch7x7_3", 192, (7, 1)))
        self.sevens = _tower(
            block,
            width,
            ("branch7x7dbl_2", width, (7, 1)),
            ("branch7x7dbl_3", width, (1, 7)),
            ("branch7x7dbl_4", width, (7, 1)),
            ("branch7x7dbl_5", 192, (1, 7)),
        )

    def forward(self, x: Tensor) -> Tensor:
        one, seven, sevens, pool = self.entry(x)
        return torch.cat([one, self.seven(seven), self.sevens(sevens), pool], dim=1)


class BlockD(nn.Module):
    """17x17 to 8x8: (B, 768, 17, 17) -> (B, 1280, 8, 8)."""

    def __init__(self, block: str) -> None:
        super().__init__()
        self.entry = Entry(block, 768, branch3x3_1=192, branch7x7x3_1=192)
        self.three = Layer(f"{block}.branch3x3_2", 192, 320, (3, 3), stride=2, padded=False)
        self.seven = _tower(block, 192, ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1)))
        self.seven.append(Layer(f"{block}.branch7x7x3_4", 192, 192, (3, 3), stride=2, padded=False))

    def forward(self, x: Tensor) -> Tensor:
        three, seven = self.entry(x)
        return torch.cat([self.three(three), self.seven(seven), F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockE(nn.Module):
    """8x8: (B, fan_in, 8, 8) -> (B, 2048, 8, 8); `last` has a max pool before its convolution, not an average."""

    def __init__(self, block: str, fan_in: int, last: bool) -> None:
        super().__init__()
        branches = {"branch1x1": 320, "branch3x3_1": 384, "branch3x3dbl_1": 448}
        self.entry = Entry(block, fan_in, **branches, **({} if last else {"branch_pool": 192}))
        self.pool = Layer(f"{block}.branch_pool", fan_in, 192, (1, 1)) if last else None
        self.wide = Layer(f"{block}.branch3x3_2a", 384, 384, (1, 3))
        self.tall = Layer(f"{block}.branch3x3_2b", 384, 384, (3, 1))
        self.second = Layer(f"{block}.branch3x3dbl_2", 448, 384, (3, 3))
        self.second_wide = Layer(f"{block}.branch3x3dbl_3a", 384, 384, (1, 3))
        self.second_tall = Layer(f"{block}.branch3x3dbl_3b", 384, 384, (3, 1))

    def forward(self, x: Tensor) -> Tensor:
        one, three, second, *average = self.entry(x)
        second = self.second(second)
        pool = self.pool(F.max_pool2d(x, 3, stride=1, padding=1)) if self.pool is not None else average[0]
        fans = [self.wide(three), self.tall(three), self.second_wide(second), self.second_tall(second)]
        return torch.cat([one, *fans, pool], dim=1)


class InceptionV3(nn.Module):
    """Pictures (B, 3, 299, 299) in [-1, 1] to features (B, 2048), and logits (B, 1008) where the weights have them.

    `tensors` are those of the files by pytorch-fid's names: NAME.conv.weight, NAME.bn.bias, NAME.bn.running_mean and
    NAME.bn.running_var of every convolution, and fc.weight where there is one. The logits come without the bias of
    the last layer, as the Inception Score of the reference uses them. Errors: KeyError for a tensor that is missing,
    RuntimeError for one of another shape.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Layer("Conv2d_1a_3x3", 3, 32, (3, 3), stride=2, padded=False),  # (B, 32, 149, 149)
            Layer("Conv2d_2a_3x3", 32, 32, (3, 3), padded=False),
            Layer("Conv2d_2b_3x3", 32, 64, (3, 3)),
            nn.MaxPool2d(3, stride=2),  # (B, 64, 73, 73)
            Layer("Conv2d_3b_1x1", 64, 80, (1, 1)),
            Layer("Conv2d_4a_3x3", 80, 192, (3, 3), padded=False),
            nn.MaxPool2d(3, stride=2),  # (B, 192, 35, 35)
        )
        self.blocks = nn.Sequential(
            BlockA("Mixed_5b", 192, pool=32),
            BlockA("Mixed_5c", 256, pool=64),
            BlockA("Mixed_5d", 288, pool=64),
            BlockB("Mixed_6a"),
            BlockC("Mixed_6b", 128),
            BlockC("Mixed_6c", 160),
            BlockC("Mixed_6d", 160),
            BlockC("Mixed_6e", 192),
            BlockD("Mixed_7a"),
            BlockE("Mixed_7b", 1280, last=False),
            BlockE("Mixed_7c", 2048, last=True),
        )
        self.answers: Tensor | None
        self.register_buffer("answers", tensors["fc.weight"].float() if "fc.weight" in tensors else None)
        for conv in self.modules():
            if isinstance(conv, Conv):
                conv.load(tensors)
        self.eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        x = self.blocks(self.stem(x.contiguous(memory_format=torch.channels_last)))  # (B, 2048, 8, 8)
        features = x.mean(dim=(2, 3))
        return features, None if self.answers is None else features @ self.answers.T


def _fold(tensors: Mapping[str, Tensor], source: str) -> tuple[Tensor, Tensor]:
    # (w * x - mean) / sqrt(var + eps) + beta = (w / sqrt(var + eps)) * x + (beta - mean / sqrt(var + eps))
    weight, beta, mean, var = (
        tensors[f"{source}.{name}"].double() for name in ("conv.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    )
    scale = torch.rsqrt(var + EPSILON)
    return weight * scale[:, None, None, None], beta - mean * scale
