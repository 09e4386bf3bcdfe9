"""Every preset that makes pictures from noise learns a small task: discs of many places, sizes and colours.

How far what it makes is from held-out pictures is the sliced Wasserstein distance of the pixels, which looks at
variety as well as at the mean; for methods with classes it is taken class by class, so wrong classes count as wrong.
The bars are far from what an untrained network reaches, and from one picture for all; every task stays below its bar
from three seeds, since a processor of another kind is as good as another seed.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from limner import presets
from limner.core.clock import Clock
from limner.core.contract import Method, Spec
from limner.engine.update import Updater
from limner.methods import METHODS, build
from limner.presets.overlay import overlay

SIZE = 8
CLASSES = ("blue", "red")
COUNT = 512

# What a preset is given at this size, and for how many steps of 32 pictures; those of fixed layers get smaller ones.
FAST: dict[str, Any] = {"steps": 200, "latent": 16, "lr_g": 2e-3, "lr_d": 1e-3, "lr_end": 0.05}
CLEAR = {**FAST, "steps": 120, "filters": 16}
PLAIN = {**CLEAR, "steps": 300, "lr_g": 1e-3, "lr_d": 2e-3}
CLASSY = {**FAST, "filters": 16, "d_filters": 16, "lr_g": 1e-3, "lr_d": 2e-3}
CRITIC = {**FAST, "steps": 300, "filters": 16, "lr_g": 5e-3, "lr_d": 2e-3}
CODES = {**FAST, "steps": 300, "lr_vae": 3e-3}
PAIRS = {**FAST, "filters": 8, "gamma": 0.05, "lr_g": 5e-3, "lr_d": 5e-3, "lr_end": 0.1, "labels": False}
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "demo": (
        "demo",
        {**FAST, "widths": (32, 32, 16), "d_widths": (32, 16), "d_strides": (2, 2), "lr_g": 1e-3, "steps": 350},
    ),
    "dcgan": ("dcgan", PLAIN),
    "dcgan, R1": ("dcgan", {**PLAIN, "gamma": 0.1}),
    "dcgan, R1, simultaneous": ("dcgan", {**PLAIN, "gamma": 0.1, "update": "simultaneous"}),
    "dcgan-digits": ("dcgan-digits", {**FAST, "widths": (32, 16)}),
    "dcgan-faces": ("dcgan-faces", {**FAST, "widths": (32, 16, 8), "strides": (2, 2, 1), "steps": 300}),
    "dcgan-faces-reduced": ("dcgan-faces-reduced", {**FAST, "widths": (32, 16), "strides": (4, 2)}),
    "hr-dcgan": ("hr-dcgan", CLEAR),
    "hr-dcgan, ELU, glasses": ("hr-dcgan", {**CLEAR, "filters": 8, "activation": "elu", "glasses": 2}),
    "hr-dcgan-digits": ("hr-dcgan-digits", {**CLEAR, "widths": (32, 32, 16)}),
    "hr-dcgan-faces": ("hr-dcgan-faces", {**CLEAR, "widths": (32, 32, 16, 8), "strides": (1, 2, 2, 1)}),
    "acgan": ("acgan", CLASSY),
    "acgan, critic": ("acgan", {**CLASSY, "source": "critic", "lr_g": 5e-3, "lr_d": 2e-3, "steps": 400}),
    "acgan-digits": ("acgan-digits", {**FAST, "steps": 120, "widths": (32, 32, 16), "d_widths": (64, 32, 16)}),
    "wgan": ("wgan", {**CRITIC, "clip": 0.05}),
    "wgan-gp": ("wgan-gp", CRITIC),
    "wgan-gp-digits": ("wgan-gp-digits", {**CRITIC, "widths": (32, 16), "lr_g": 1e-3, "lr_d": 3e-3}),
    "degan": ("degan", {**CODES, "filters": 16, "vae_filters": 16}),
    "degan-digits": ("degan-digits", {**CODES, "widths": (32, 16), "vae_dense": (64, 32)}),
    "r3gan": ("r3gan", {**PAIRS, "widest": 8}),
    "r3gan-tiny": ("r3gan-tiny", {**PAIRS, "steps": 400}),
}
BAR = 0.23
ONE_FOR_ALL = 0.285  # what the mean of the held-out pictures reaches; an untrained network is worse


def discs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures of a disc on a ground, (count, 3, SIZE, SIZE), and labels: which colour it has."""
    draw = torch.rand(count, 8, generator=torch.Generator().manual_seed(seed))[:, :, None, None]
    labels = torch.arange(count) % len(CLASSES)
    line = torch.linspace(-1, 1, SIZE)
    away = (line[:, None] - draw[:, 0] + 0.5).square() + (line[None, :] - draw[:, 1] + 0.5).square()
    disc = (away < (0.4 + 0.3 * draw[:, 2]).square()).float()[:, None]
    warm = torch.where(labels[:, None, None, None] == 1, 1.0, -1.0) * (0.4 + 0.6 * draw[:, 3:4])  # (count, 1, 1, 1)
    colour = torch.cat((warm, draw[:, 4:5] - 0.5, -warm), 1)  # (count, 3, 1, 1)
    return disc * colour + (1 - disc) * (0.4 * draw[:, 5:8] - 0.9), labels


def sliced(a: Tensor, b: Tensor) -> float:
    """Sliced Wasserstein distance between two sets of as many pictures (N, C, H, W)."""
    directions = torch.randn(3 * SIZE * SIZE, 256, generator=torch.Generator().manual_seed(0))
    directions = directions / directions.norm(dim=0)
    projected = [(pictures.flatten(1) @ directions).sort(0)[0] for pictures in (a, b)]
    return (projected[0] - projected[1]).abs().mean().item()


def distance(method: Method) -> float:
    """From what a method makes to held-out pictures; with classes, the mean over them."""
    real, labels = discs(COUNT, seed=3)
    nets = {name: method.nets[name].eval() for name in method.portable}
    inputs = {"z": torch.randn(COUNT, method.latent, generator=torch.Generator().manual_seed(4))}
    if method.conditional:
        inputs["label"] = labels
    with torch.no_grad():
        made = method.infer(nets, inputs)
    for net in nets.values():
        net.train()
    if not method.conditional:
        return sliced(made, real)
    return sum(sliced(made[labels == kind], real[labels == kind]) for kind in (0, 1)) / 2


def start(preset: str, **settings: Any) -> Method:
    config, _ = overlay(presets.get(preset), **settings)
    return build(config.method, config.settings, Spec(3, SIZE, SIZE, CLASSES), seed=0)


def learn(method: Method, steps: int, batch: int = 32) -> None:
    """Train as the loop does."""
    pictures, labels = discs(2048, seed=1)
    clock = Clock(steps * batch)
    update = Updater(method.groups, method.nets, clock, fused=True)
    for step in range(steps):
        torch.manual_seed(step)
        some = torch.randint(len(pictures), (batch,))
        method.step({"image": pictures[some], "label": labels[some]}, update, clock)
        clock.advance(batch)


@pytest.mark.parametrize("task", TASKS)
def test_every_preset_learns(task: str) -> None:
    preset, settings = TASKS[task]
    settings = dict(settings)
    steps = settings.pop("steps")
    method = start(preset, **settings)
    assert distance(method) > 1.5 * ONE_FOR_ALL
    learn(method, steps)
    assert distance(method) < BAR


def test_one_picture_and_wrong_classes_are_no_way_out() -> None:
    real, labels = discs(COUNT, seed=3)
    assert sliced(real.mean(0).expand_as(real), real) == pytest.approx(ONE_FOR_ALL, abs=0.01)
    assert sliced(real[labels == 0], real[labels == 1]) > 1.1 * BAR
    assert sliced(discs(COUNT, seed=5)[0], real) < BAR / 5


def test_every_preset_has_its_task() -> None:
    dreamers = {name for name in presets.PRESETS.entries if not METHODS.load(presets.get(name).method).translates}
    assert dreamers == {preset for preset, _ in TASKS.values()}
