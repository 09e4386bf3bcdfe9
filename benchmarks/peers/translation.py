"""pix2pix and CycleGAN trained the way the authors' public PyTorch code does it: eager, NCHW, Adam as it comes.

Networks nested block in block, `requires_grad` switched off and on round the generators' step, D run again for it, the
targets of the losses expanded to the logits' shape, a pool of single pictures. Fed ready floats in [-1, 1].
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import torch
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor], None]


class Level(nn.Module):
    """One halving of a U-Net, all that lies within it, and the doubling; what came in is joined to what goes out."""

    def __init__(
        self, outside: int, inside: int, within: Level | None, channels: int = 0, dropout: bool = False
    ) -> None:
        super().__init__()
        self.outermost = channels > 0
        down: list[nn.Module] = [nn.Conv2d(channels or outside, inside, 4, 2, 1, bias=False)]
        deeper = inside if within is None else 2 * inside
        up: list[nn.Module] = [nn.ReLU(True)]
        if self.outermost:
            up += [nn.ConvTranspose2d(deeper, outside, 4, 2, 1), nn.Tanh()]
        else:
            down.insert(0, nn.LeakyReLU(0.2, True))
            up += [nn.ConvTranspose2d(deeper, outside, 4, 2, 1, bias=False), nn.BatchNorm2d(outside)]
            if within is not None:
                down.append(nn.BatchNorm2d(inside))
        if dropout:
            up.append(nn.Dropout(0.5))
        self.body = nn.Sequential(*down, *([] if within is None else [within]), *up)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 C, H, W), or the picture."""
        return self.body(x) if self.outermost else torch.cat((x, self.body(x)), 1)


class Residual(nn.Module):
    """x + [reflect, convolution, instance norm, ReLU, reflect, convolution, instance norm](x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x + self.body(x)


class Pool:
    """Up to 50 earlier fakes, of which D is shown one half of the time."""

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.kept: list[Tensor] = []

    def query(self, fakes: Tensor) -> Tensor:
        """As many fakes as were given, some of them earlier ones."""
        given: list[Tensor] = []
        for fake in fakes:
            one = fake.detach().unsqueeze(0)
            if len(self.kept) < self.size:
                self.kept.append(one)
                given.append(one)
            elif random.random() > 0.5:
                place = random.randrange(self.size)
                given.append(self.kept[place].clone())
                self.kept[place] = one
            else:
                given.append(one)
        return torch.cat(given)


class Towards(nn.Module):
    """A loss towards 1 or 0 everywhere."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.real, self.fake = torch.tensor(1.0), torch.tensor(0.0)

    def forward(self, logits: Tensor, real: bool) -> Tensor:
        """The loss of logits (B, 1, h, w), a scalar."""
        return self.loss(logits, (self.real if real else self.fake).expand_as(logits))


def unet(channels: int = 3, filters: int = 64, depth: int = 8) -> nn.Module:
    """pix2pix's generator: 54,413,955 parameters as it is."""
    level = Level(8 * filters, 8 * filters, None)
    for _ in range(depth - 5):
        level = Level(8 * filters, 8 * filters, level, dropout=True)
    for times in (4, 2, 1):
        level = Level(times * filters, 2 * times * filters, level)
    return initialised(Level(channels, filters, level, channels=channels))


def resnet(channels: int = 3, filters: int = 64, blocks: int = 6) -> nn.Module:
    """CycleGAN's generator, with 6 blocks as for 128 px."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, filters, 7), nn.InstanceNorm2d(filters)]
    layers.append(nn.ReLU(True))
    for width in (filters, 2 * filters):
        layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU(True)]
    layers += [Residual(4 * filters) for _ in range(blocks)]
    for width in (4 * filters, 2 * filters):
        half = width // 2
        layers += [nn.ConvTranspose2d(width, half, 3, 2, 1, 1), nn.InstanceNorm2d(half), nn.ReLU(True)]
    return initialised(nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(filters, channels, 7), nn.Tanh()))


def patches(channels: int, norm: type[nn.Module], filters: int = 64) -> nn.Module:
    """The 70x70 PatchGAN."""
    layers: list[nn.Module] = [nn.Conv2d(channels, filters, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    bias = norm is nn.InstanceNorm2d
    for i, stride in enumerate((2, 2, 1)):
        before, after = filters * 2**i, filters * 2 ** (i + 1)
        layers += [nn.Conv2d(before, after, 4, stride, 1, bias=bias), norm(after), nn.LeakyReLU(0.2, True)]
    return initialised(nn.Sequential(*layers, nn.Conv2d(8 * filters, 1, 4, 1, 1)))


def pix2pix_nets() -> dict[str, nn.Module]:
    """G and D for 256 px, 3 channels to 3."""
    return {"G": unet(), "D": patches(6, nn.BatchNorm2d)}


def cyclegan_nets() -> dict[str, nn.Module]:
    """Two generators and two discriminators for 128 px, 3 channels to 3."""
    judges = {f"D_{side}": patches(3, nn.InstanceNorm2d) for side in "AB"}
    return {"G_AB": resnet(), "G_BA": resnet(), **judges}


def pix2pix_step(nets: dict[str, nn.Module]) -> Step:
    """Return a function that trains on inputs A and targets B, both (b, 3, H, W)."""
    G, D = nets["G"], nets["D"]
    towards, l1 = Towards(nn.BCEWithLogitsLoss()), nn.L1Loss()
    adam_g, adam_d = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))

    def step(a: Tensor, b: Tensor) -> None:
        fake = G(a)

        learning(True, D)
        adam_d.zero_grad()
        of_fake = towards(D(torch.cat((a, fake), 1).detach()), False)
        of_real = towards(D(torch.cat((a, b), 1)), True)
        ((of_fake + of_real) * 0.5).backward()
        adam_d.step()

        learning(False, D)
        adam_g.zero_grad()
        adversarial = towards(D(torch.cat((a, fake), 1)), True)
        (adversarial + l1(fake, b) * 100.0).backward()
        adam_g.step()

    return step


def cyclegan_step(nets: dict[str, nn.Module]) -> Step:
    """Return a function that trains on pictures of the two kinds, both (b, 3, H, W)."""
    G_AB, G_BA, D_A, D_B = (nets[name] for name in ("G_AB", "G_BA", "D_A", "D_B"))
    towards, cycle, same = Towards(nn.MSELoss()), nn.L1Loss(), nn.L1Loss()
    adam_g, adam_d = (
        torch.optim.Adam(itertools.chain(one.parameters(), other.parameters()), 2e-4, (0.5, 0.999))
        for one, other in ((G_AB, G_BA), (D_A, D_B))
    )
    pools = {"A": Pool(), "B": Pool()}

    def judge(D: nn.Module, real: Tensor, fake: Tensor) -> None:
        ((towards(D(real), True) + towards(D(fake.detach()), False)) * 0.5).backward()

    def step(a: Tensor, b: Tensor) -> None:
        fake_b = G_AB(a)
        back_a = G_BA(fake_b)
        fake_a = G_BA(b)
        back_b = G_AB(fake_a)

        learning(False, D_A, D_B)
        adam_g.zero_grad()
        identity = (same(G_AB(b), b) + same(G_BA(a), a)) * 10.0 * 0.5
        adversarial = towards(D_B(fake_b), True) + towards(D_A(fake_a), True)
        (adversarial + (cycle(back_a, a) + cycle(back_b, b)) * 10.0 + identity).backward()
        adam_g.step()

        learning(True, D_A, D_B)
        adam_d.zero_grad()
        judge(D_B, b, pools["B"].query(fake_b))
        judge(D_A, a, pools["A"].query(fake_a))
        adam_d.step()

    return step


def learning(on: bool, *nets: nn.Module) -> None:
    """Switch the gradients of networks on or off."""
    for net in nets:
        for parameter in net.parameters():
            parameter.requires_grad = on


def initialised(net: nn.Module) -> nn.Module:
    """Draw weights from N(0, 0.02)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return net
