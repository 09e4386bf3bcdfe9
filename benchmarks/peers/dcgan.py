"""A plain eager DCGAN loop, the way PyTorch's public example does it: NCHW, ordinary Adam, gradients of all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def example_nets(channels: int = 3, latent: int = 100, filters: int = 64) -> tuple[nn.Module, nn.Module]:
    """The example's networks for 64 px: all transposed convolutions, the first from 1x1."""
    wide = [8 * filters, 4 * filters, 2 * filters, filters]
    up: list[nn.Module] = [nn.ConvTranspose2d(latent, wide[0], 4, 1, 0, bias=False)]
    for before, after in zip(wide, [*wide[1:], channels], strict=True):
        up += [nn.BatchNorm2d(before), nn.ReLU(True), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
    down: list[nn.Module] = [nn.Conv2d(channels, filters, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for before, after in zip(reversed(wide[1:]), reversed(wide[:-1]), strict=True):
        down += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2, True)]
    down.append(nn.Conv2d(wide[0], 1, 4, 1, 0, bias=False))
    generator = nn.Sequential(nn.Unflatten(1, (latent, 1, 1)), *up, nn.Tanh())
    return generator, nn.Sequential(*down, nn.Flatten(0), nn.Sigmoid())


def digit_nets() -> tuple[nn.Module, nn.Module]:
    """The faces report's networks for digits of 28 px."""
    generator = nn.Sequential(
        nn.Linear(100, 7 * 7 * 128, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(True),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(True),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(64, 128, 5, 2, 2, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2, True),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
        nn.Flatten(0),
        nn.Sigmoid(),
    )
    return generator, discriminator


def plain_step(generator: nn.Module, discriminator: nn.Module, latent: int = 100) -> Callable[[Tensor], None]:
    """Return a function that trains both on one batch of pictures in [-1, 1]."""
    steppers = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (generator, discriminator)]
    judge = nn.BCELoss()

    def step(real: Tensor) -> None:
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        discriminator.zero_grad()
        judge(discriminator(real), ones).backward()
        fake = generator(torch.randn(len(real), latent))
        judge(discriminator(fake.detach()), zeros).backward()
        steppers[1].step()
        generator.zero_grad()
        judge(discriminator(fake), ones).backward()  # also leaves gradients in the discriminator that nobody uses
        steppers[0].step()

    return step
