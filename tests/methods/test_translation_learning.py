"""Every preset that translates learns a small task: grey pictures of a disc on a ground come out in two colours.

The bars are far from what an untrained network reaches, and from one picture for all: the mean of the targets.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner import presets
from limner.core.clock import Clock
from limner.core.contract import Method, Spec
from limner.engine.update import Updater
from limner.methods import build
from limner.presets.overlay import overlay

SIZE = 16
INK = torch.tensor([1.0, 0.6, -1.0])[:, None, None]
PAPER = torch.tensor([-0.8, -0.4, 0.6])[:, None, None]
SMALL = {"filters": 8, "d_filters": 8, "d_layers": 1, "lr_g": 1e-3, "lr_d": 2e-3}
PAIRED: dict[str, Any] = {**SMALL, "steps": 100, "lr_g": 2e-3, "lr_d": 5e-4}
CYCLE: dict[str, Any] = {**SMALL, "steps": 150, "blocks": 1}
PATCHES: dict[str, Any] = {
    **SMALL,
    "steps": 200,
    "blocks": 1,
    "nce_layers": (0, 4, 8, 12),
    "nce_patches": 16,
    "nce_width": 32,
}
TASKS: dict[str, tuple[str, dict[str, Any], float]] = {
    "pix2pix": ("pix2pix", PAIRED, 0.12),
    "pix2pix, relativistic": ("pix2pix", {**PAIRED, "loss": "relativistic"}, 0.12),
    "pix2pix-paper": ("pix2pix-paper", PAIRED, 0.12),
    "pix2pix-maps": ("pix2pix-maps", {**PAIRED, "depth": 4}, 0.12),
    "mugshot": ("mugshot", PAIRED, 0.12),
    "pix2pix-plus": ("pix2pix-plus", PAIRED, 0.12),
    "cyclegan": ("cyclegan", CYCLE, 0.2),
    "cyclegan, relativistic": ("cyclegan", {**CYCLE, "loss": "relativistic"}, 0.2),
    "cyclegan-sketch": ("cyclegan-sketch", CYCLE, 0.2),
    "cut": ("cut", PATCHES, 0.2),
    # Where a patch is a sixteenth of the picture, ten times the weight outweighs D for hundreds of steps.
    "fastcut": ("fastcut", {**PATCHES, "nce": 1.0}, 0.2),
}
ANY_MEAN = 0.26  # L1 between the held-out targets and their mean colour


def discs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures of a bright disc on a dark ground, both of uneven brightness: grey, and from one colour to another."""
    draw = torch.rand(count, 20, generator=torch.Generator().manual_seed(seed))[:, :, None, None]
    line = torch.linspace(-1, 1, SIZE)
    away = (line[:, None] - draw[:, 0] + 0.5).square() + (line[None, :] - draw[:, 1] + 0.5).square()
    disc = (away < (0.4 + 0.2 * draw[:, 2]).square()).float()[:, None]
    uneven = F.interpolate(draw[:, 3:19].view(count, 1, 4, 4), size=(SIZE, SIZE), mode="bilinear")
    share = disc * (0.6 + 0.4 * uneven) + (1 - disc) * 0.4 * uneven  # (count, 1, SIZE, SIZE)
    return (share * 2 - 1).expand(-1, 3, -1, -1), share * INK + (1 - share) * PAPER


HELD_OUT = discs(64, seed=3)


def start(preset: str, **settings: Any) -> Method:
    config, _ = overlay(presets.get(preset), **settings)
    return build(config.method, config.settings, Spec(3, SIZE, SIZE, channels_in=3), seed=0)


def learn(method: Method, steps: int, batch: int) -> None:
    """Train as the loop does, on pairs or on two independent sets."""
    a, b = discs(512, seed=1)
    if method.translates == "unpaired":
        _, b = discs(512, seed=2)
    clock = Clock(steps * batch)
    update = Updater(method.groups, method.nets, clock, fused=True)
    for step in range(steps):
        torch.manual_seed(step)
        of_a, of_b = torch.randint(512, (2, batch))
        method.step({"A": a[of_a], "B": b[of_a if method.translates == "paired" else of_b]}, update, clock)
        clock.advance(batch)


def translated(method: Method, pictures: Tensor, back: bool = False) -> Tensor:
    nets = {name: method.nets[name].eval() for name in method.portable}
    with torch.no_grad():
        made = (method.infer_back if back else method.infer)(nets, {"image": pictures})
    for net in nets.values():
        net.train()
    return made


def distance(method: Method) -> float:
    return F.l1_loss(translated(method, HELD_OUT[0]), HELD_OUT[1]).item()


@pytest.mark.parametrize("task", TASKS)
def test_every_preset_learns(task: str) -> None:
    preset, settings, bar = TASKS[task]
    settings = dict(settings)
    steps = settings.pop("steps")
    method = start(preset, **settings)
    assert distance(method) > 1.1 * ANY_MEAN
    learn(method, steps, batch=4)
    assert distance(method) < bar


def test_discogan_learns() -> None:
    """Which disc belongs to which is free, so: the way back leads home, and targets look like targets."""
    method = start("discogan", filters=8, code=32, lr_g=2e-3, lr_d=1e-3)
    grey, coloured = HELD_OUT

    def scores() -> tuple[float, float, float]:
        made = translated(method, grey)
        home = F.l1_loss(translated(method, made, back=True), grey).item()
        return home, F.l1_loss(made.mean(0), coloured.mean(0)).item(), (made.std(0) / coloured.std(0)).mean().item()

    home, mean, variety = scores()
    assert home > 0.5 and mean > 0.2 and variety < 0.1
    learn(method, 250, batch=16)
    home, mean, variety = scores()
    assert home < 0.26 and mean < 0.12 and variety > 0.5
    assert F.l1_loss(grey.mean(0).expand_as(grey), grey) > 0.3


def test_the_mean_is_no_way_out() -> None:
    _, coloured = HELD_OUT
    flat = coloured.mean((0, 2, 3), keepdim=True).expand_as(coloured)
    assert F.l1_loss(flat, coloured).item() == pytest.approx(ANY_MEAN, abs=0.01)


def test_every_preset_has_its_task() -> None:
    translators = {name for name in presets.PRESETS.entries if hasattr(presets.get(name).settings, "direction")}
    assert translators == {preset for preset, _, _ in TASKS.values()} | {"discogan"}


def spots(count: int, seed: int) -> Tensor:
    """Pictures of a small bright spot anywhere: (count, 3, SIZE, SIZE)."""
    draw = torch.rand(count, 2, 1, 1, generator=torch.Generator().manual_seed(seed)) * 10 + 3
    line = torch.arange(SIZE)
    near = torch.exp(-((line[:, None] - draw[:, 0]).square() + (line[None, :] - draw[:, 1]).square()) / 4)
    return (near * 2 - 1)[:, None].expand(-1, 3, -1, -1)


def places(pictures: Tensor) -> Tensor:
    """Where the brightness of each picture lies, in pixels: (count,) along the width."""
    weight = (pictures.mean(1) + 1).square().sum(1)  # (count, SIZE)
    return (weight * torch.arange(SIZE)).sum(1) / weight.sum(1)


def test_dense_layers_carry_parts_elsewhere() -> None:
    """The target is the mirrored input: as the spot moves to the right, what comes out must move to the left."""
    settings = {name: value for name, value in PAIRED.items() if name != "steps"}
    method = start("mugshot", **{**settings, "filters": 16})
    held_out, train = spots(64, seed=3), spots(512, seed=1)
    wanted = places(held_out.flip(3))

    def away() -> Tensor:
        return (places(translated(method, held_out)) - wanted).abs().mean()

    assert away() > 2
    clock = Clock(10**6)
    update = Updater(method.groups, method.nets, clock, fused=True)
    for step in range(250):
        torch.manual_seed(step)
        some = torch.randint(512, (8,))
        method.step({"A": train[some], "B": train[some].flip(3)}, update, clock)
    assert away() < 0.7
