"""Run by test_distributed under torchrun: a tiny training of every method, and each rank's weights after it."""

import os
import sys
from pathlib import Path

import torch

import tiny
from limner import presets
from limner.commands import train as command
from limner.engine import loop
from limner.methods import METHODS

LAST: list[torch.nn.Module] = []
fit = loop.fit


def preset_of(method: str) -> str:
    """The first preset that trains a method."""
    return next(name for name in tiny.PRESETS if presets.get(name).method == method)


def watched(training, *others):
    """Train, and keep the networks."""
    fit(training, *others)
    LAST[:] = training.method.nets.values()


if __name__ == "__main__":
    loop.fit = watched
    pictures, out = map(Path, sys.argv[1:])
    for method in METHODS.names():
        command.train(tiny.command(preset_of(method), pictures, out / method, images=3 * tiny.BATCH, frames=1))
        weights = [weight for net in LAST for weight in net.parameters()]
        torch.save(weights, out / f"{method}-{os.environ['RANK']}.pt")
