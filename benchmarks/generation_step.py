"""Training steps of the methods that make pictures from noise, engine and all, against plain loops over equal nets."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from benchmarks import harness
from benchmarks.peers import generation as peer
from benchmarks.step import training
from limner.core.contract import Spec
from limner.core.images import to_float
from limner.engine.augmentation import Augmentation
from limner.engine.loop import prepare

BATCH = 64
DIGITS = tuple(str(digit) for digit in range(10))
AIM, FLOOR = 1.2, 1.1
ROUNDS = 25
CASES = (
    ("dcgan", Spec(3, 64, 64), lambda method: peer.dcgan(method.nets, method.latent)),
    ("hr-dcgan-digits", Spec(1, 28, 28), lambda method: peer.dcgan(method.nets, method.latent)),
    ("acgan-digits", Spec(1, 28, 28, DIGITS), lambda method: peer.acgan(method.nets, method.latent)),
    ("degan-digits", Spec(1, 28, 28), lambda method: peer.degan(method.nets, method.latent)),
    ("wgan-gp", Spec(1, 28, 28), lambda method: peer.wgan_gp(method.nets, method.latent)),
    ("r3gan-tiny", Spec(1, 28, 28, DIGITS), lambda method: peer.r3gan(method.nets, method.latent, 2.0)),
)
CYCLES = {"wgan-gp": 5}  # steps of a round, so that each has as many of G as the next
CHANGED = {
    "hr-dcgan-digits": {"gamma": 0.0},  # the plain loop has no R1 either
    "r3gan-tiny": {"penalty_every": 1},  # nor does it spare penalties
    "degan-digits": {"vae_share": 1e-9},  # the step after the first is the generator's then
}


def batch(spec: Spec) -> dict[str, torch.Tensor]:
    """Pictures of noise, uint8: time does not depend on what is in them."""
    pixels = torch.randint(0, 256, (BATCH, spec.channels, spec.height, spec.width), dtype=torch.uint8)
    labels = {"label": torch.randint(0, len(spec.classes), (BATCH,))} if spec.classes else {}
    return {"image": pixels, **labels}


def stepping(preset: str, spec: Spec) -> tuple[Callable[[], None], Callable[[], None]]:
    """Our step and the plain loop's, over networks that begin equal."""
    run = training(preset, spec, BATCH, **CHANGED.get(preset, {}))
    raw = batch(spec)
    case = next(one for one in CASES if one[0] == preset)
    for _ in range(2):
        run.step(prepare(run, raw))
    plain = copy.copy(run.method)
    plain.nets = {name: peer.plain(net) for name, net in run.method.nets.items()}
    step = case[2](plain)
    pictures, label = to_float(raw["image"]), raw.get("label", torch.zeros(BATCH, dtype=torch.long))
    steps = CYCLES.get(preset, 1)

    def ours() -> None:
        for _ in range(steps):
            run.step(prepare(run, raw))

    def theirs() -> None:
        for _ in range(steps):
            step(pictures, label)

    return ours, theirs


def augmented() -> harness.Race:
    """DCGAN at 64 px without and with DiffAugment: above 1, the one without is faster."""
    spec = Spec(3, 64, 64)
    plain, varied, raw = training("dcgan", spec, BATCH), training("dcgan", spec, BATCH), batch(spec)
    Augmentation("diff", varied.method.nets["D"], BATCH, "cpu")
    return harness.race(lambda: plain.step(prepare(plain, raw)), lambda: varied.step(prepare(varied, raw)), ROUNDS)


def main() -> None:
    """Race every method and write the result."""
    rows = []
    for preset, spec, _ in CASES:
        result, steps = harness.race(*stepping(preset, spec), ROUNDS, warm_up=5), CYCLES.get(preset, 1)
        rows.append(
            f"| `{preset}`, {spec.height} px | {result.ours.scaled(1e3 / steps)} | {result.peer.scaled(1e3 / steps)} | "
            f"**{result.ratio}** | {BATCH * steps / result.ours.middle:,.0f} |"
        )
    extra = augmented()
    harness.write(
        "generation_step",
        "Training steps of methods that make pictures from noise",
        f"""
Both alternate in one process, batch {BATCH}; min / median / max. Ours is the whole engine: uint8 batch to [-1, 1], step,
running average of the weights, logged scalars. The peer trains copies of the same networks in a plain eager loop: NCHW,
PyTorch's own layers (pixels repeated, then convolved, where ours does both at once), ordinary Adam, D on reals and fakes
apart, gradients of all, fed ready floats. Ratio: peer's time over ours, round by
round; above 1, ours is faster. Aim {AIM}, floor {FLOOR}.

| step | ours, ms | plain loop, ms | ratio | images/s |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

DiffAugment, all three kinds, makes a step of `dcgan` at 64 px take **{extra.ratio.middle - 1:+.1%}** longer (min / median /
max of the ratio: {extra.ratio}); the aim is below 5 %. `wgan-gp` counts steps of the critic, of which every fifth trains G
too; a round of its race is five.
""",
    )
