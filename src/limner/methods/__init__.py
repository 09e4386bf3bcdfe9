"""Ways to train networks, one file each."""

from __future__ import annotations

from typing import Any

import torch

from limner.core.contract import Method, Spec
from limner.core.registry import Registry

METHODS = Registry(
    "method",
    {
        "dcgan": "limner.methods.dcgan:DCGAN",
        "acgan": "limner.methods.acgan:ACGAN",
        "wgan": "limner.methods.wgan:WGAN",
        "degan": "limner.methods.degan:DEGAN",
        "r3gan": "limner.methods.r3gan:R3GAN",
        "pix2pix": "limner.methods.pix2pix:Pix2Pix",
        "cyclegan": "limner.methods.cyclegan:CycleGAN",
        "discogan": "limner.methods.discogan:DiscoGAN",
        "cut": "limner.methods.cut:CUT",
    },
    group="limner.methods",
)


def build(name: str, settings: Any, spec: Spec, seed: int = 0) -> Method:
    """Build the method called `name` for pictures of this spec, its weights drawn from `seed`.

    Errors: UserError when there is no such method, or when the pictures do not fit it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return METHODS.load(name)(settings, spec)
