"""Adversarial losses as pairs of pure functions of logits (any shape); every function returns a scalar.

A discriminator's function takes (real, fake); a generator's takes (fake, real) and only paired losses look at `real`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def bce_d(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of the discriminator on logits (Goodfellow et al. 2014, algorithm 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def bce_g(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Non-saturating generator loss: -log D(G(z)) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def least_squares_d(real: Tensor, fake: Tensor) -> Tensor:
    """Least squares towards 1 on reals and 0 on fakes (LSGAN, arXiv 1611.04076, equation 9)."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_g(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Least squares of fakes towards 1 (LSGAN, arXiv 1611.04076, equation 9)."""
    return 0.5 * (fake - 1).square().mean()


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss with margin 1 (Geometric GAN, arXiv 1705.02894; SAGAN, arXiv 1805.08318, equation 4)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """Negative of the critic's estimate of the distance (WGAN, arXiv 1701.07875, equation 3)."""
    return fake.mean() - real.mean()


def minus_mean_g(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Raise the critic's output on fakes: the generator's side of WGAN and of the hinge loss."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """Each real should score above its paired fake (relativistic pairing, arXiv 2501.05441, equation 2)."""
    return F.softplus(fake - real).mean()


def relativistic_g(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Each fake should score above its paired real; needs `real` logits (arXiv 2501.05441, equation 2)."""
    if real is None:
        raise ValueError("the relativistic loss of a generator needs the logits of reals")
    return F.softplus(real - fake).mean()


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """The two sides of a loss.

    `border` divides reals from fakes when the output is an absolute judgement; None when only differences count.
    `paired` says that the generator's side needs the logits of reals.
    """

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor, Tensor | None], Tensor]
    border: float | None = 0.0
    paired: bool = False


LOSSES = {
    "bce": AdversarialLoss(bce_d, bce_g),
    "least-squares": AdversarialLoss(least_squares_d, least_squares_g, border=0.5),
    "hinge": AdversarialLoss(hinge_d, minus_mean_g),
    "wasserstein": AdversarialLoss(wasserstein_d, minus_mean_g, border=None),
    "relativistic": AdversarialLoss(relativistic_d, relativistic_g, border=None, paired=True),
}


def accuracies(real: Tensor, fake: Tensor, border: float | None) -> dict[str, Tensor]:
    """Share of reals and of fakes on the right side of the border, in [0, 1].

    Without a border both are the share of pairs in which the real scores above the fake.
    """
    if border is None:
        ranked = (real.detach() > fake.detach()).float().mean()
        return {"accuracy/real": ranked, "accuracy/fake": ranked}
    return {
        "accuracy/real": (real.detach() > border).float().mean(),
        "accuracy/fake": (fake.detach() < border).float().mean(),
    }
