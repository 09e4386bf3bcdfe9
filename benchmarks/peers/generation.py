"""Plain eager loops over given networks, the way public code trains them: ordinary Adam, gradients of all, floats."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets.resample import ResizeConv

Nets = dict[str, nn.Module]
Step = Callable[[Tensor, Tensor], None]


def plain(net: nn.Module) -> nn.Module:
    """A copy that computes the same with PyTorch's own layers: pixels repeated first, then convolved."""
    net = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    for name, layer in list(net.named_modules()):
        if isinstance(layer, ResizeConv):
            conv = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding="same")
            conv.weight, conv.bias = layer.weight, layer.bias
            net.set_submodule(name, nn.Sequential(nn.Upsample(scale_factor=2), conv))
    return net


def dcgan(nets: Nets, latent: int, rate: float = 2e-4) -> Step:
    """Cross-entropy, D and G in turn (PyTorch's public example)."""
    G, D, adam_g, adam_d = _both(nets, rate, (0.5, 0.999))

    def step(real: Tensor, label: Tensor) -> None:
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        D.zero_grad()
        F.binary_cross_entropy_with_logits(D(real), ones).backward()
        fake = G(torch.randn(len(real), latent))
        F.binary_cross_entropy_with_logits(D(fake.detach()), zeros).backward()
        adam_d.step()
        G.zero_grad()
        F.binary_cross_entropy_with_logits(D(fake), ones).backward()
        adam_g.step()

    return step


def acgan(nets: Nets, latent: int, rate: float = 2e-4) -> Step:
    """Source and class losses, D on reals and fakes apart (arXiv 1610.09585, section 3)."""
    G, D, adam_g, adam_d = _both(nets, rate, (0.5, 0.999))

    def step(real: Tensor, label: Tensor) -> None:
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        D.zero_grad()
        source, named = D(real)
        (F.binary_cross_entropy_with_logits(source, ones) + F.cross_entropy(named, label)).backward()
        fake = G(torch.randn(len(real), latent), label)
        F.binary_cross_entropy_with_logits(D(fake.detach())[0], zeros).backward()
        adam_d.step()
        G.zero_grad()
        source, named = D(fake)
        (F.binary_cross_entropy_with_logits(source, ones) + F.cross_entropy(named, label)).backward()
        adam_g.step()

    return step


def degan(nets: Nets, latent: int, rate: float = 2e-4) -> Step:
    """D and G on a frozen autoencoder's codes, with the hidden-space loss (arXiv 1807.03923, section 3)."""
    G, D, adam_g, adam_d = _both(nets, rate, (0.5, 0.999))
    vae = nets["VAE"]

    def step(real: Tensor, label: Tensor) -> None:
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        with torch.no_grad():
            noise = vae.codes(torch.randn(len(real), latent))
        D.zero_grad()
        F.binary_cross_entropy_with_logits(D(real), ones).backward()
        fake = G(noise)
        F.binary_cross_entropy_with_logits(D(fake.detach()), zeros).backward()
        adam_d.step()
        G.zero_grad()
        hidden = F.mse_loss(vae.features(fake).mean(0), vae.features(real).mean(0))
        (F.binary_cross_entropy_with_logits(D(fake), ones) + hidden).backward()
        adam_g.step()

    return step


def wgan_gp(nets: Nets, latent: int, rate: float = 1e-4) -> Step:
    """One step of the critic, and every fifth one of G (arXiv 1704.00028, algorithm 1)."""
    G, D, adam_g, adam_d = _both(nets, rate, (0.0, 0.9))
    count = 0

    def step(real: Tensor, label: Tensor) -> None:
        nonlocal count
        count += 1
        D.zero_grad()
        fake = G(torch.randn(len(real), latent))
        alpha = torch.rand(len(real), 1, 1, 1)
        x_hat = (alpha * real + (1 - alpha) * fake.detach()).requires_grad_()
        (slope,) = torch.autograd.grad(D(x_hat).sum(), x_hat, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        (D(fake.detach()).mean() - D(real).mean() + 10 * penalty).backward()
        adam_d.step()
        if count % 5 == 0:
            G.zero_grad()
            (-D(G(torch.randn(len(real), latent))).mean()).backward()
            adam_g.step()

    return step


def r3gan(nets: Nets, latent: int, gamma: float, rate: float = 2e-4) -> Step:
    """Pairs and two penalties (arXiv 2501.05441, section 2), G's step first judged without its own update."""
    G, D, adam_g, adam_d = _both(nets, rate, (0.0, 0.9))

    def step(real: Tensor, label: Tensor) -> None:
        D.zero_grad()
        fake = G(torch.randn(len(real), latent), label).detach().requires_grad_()
        real = real.detach().requires_grad_()
        of_real, of_fake = D(real, label), D(fake, label)
        penalties = []
        for logits, pictures in ((of_real, real), (of_fake, fake)):
            (slope,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
            penalties.append(slope.square().sum((1, 2, 3)).mean())
        (F.softplus(of_fake - of_real).mean() + gamma / 2 * sum(penalties)).backward()
        adam_d.step()
        G.zero_grad()
        of_fake, of_real = D(G(torch.randn(len(real), latent), label), label), D(real.detach(), label)
        F.softplus(of_real - of_fake).mean().backward()
        adam_g.step()

    return step


def _both(
    nets: Nets, rate: float, betas: tuple[float, float]
) -> tuple[nn.Module, nn.Module, torch.optim.Adam, torch.optim.Adam]:
    adams = [torch.optim.Adam(nets[name].parameters(), rate, betas) for name in "GD"]
    return nets["G"], nets["D"], *adams
