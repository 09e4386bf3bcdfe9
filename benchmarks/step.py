"""One DCGAN training step, the whole engine around it, against a plain eager loop over the same networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import harness
from benchmarks.peers import dcgan as peer
from limner import methods, presets
from limner.commands.train import suited
from limner.core.clock import Clock
from limner.core.contract import Spec
from limner.engine.distributed import Ranks
from limner.engine.health import Health
from limner.engine.loop import prepare
from limner.engine.machine import resolve
from limner.engine.training import Training


def training(preset: str, spec: Spec, batch: int, **settings: Any) -> Training:
    """A run of a preset in memory, without files."""
    config = dataclasses.replace(presets.get(preset), batch=batch)
    config = dataclasses.replace(config, settings=dataclasses.replace(config.settings, **settings))
    machine = resolve(config.engine, Ranks(), batch)
    machine.prepare()
    config = suited(config, machine.device)
    method = methods.build(config.method, config.settings, spec)
    real = np.random.default_rng(0).integers(0, 256, (8, spec.channels, spec.height, spec.width), dtype=np.uint8)
    return Training(config, method, Clock(10**9), Health(real), machine, Ranks())


def main() -> None:
    """Race at 64 px and at 28 px and write the result."""
    rate = harness.matrix_rate()
    rows = []
    for title, preset, spec, batch, nets, rounds in (
        ("64 px, batch 64, 3 channels", "dcgan", Spec(3, 64, 64), 64, peer.example_nets(), 25),
        ("28 px, batch 128, 1 channel", "dcgan-digits", Spec(1, 28, 28), 128, peer.digit_nets(), 61),
    ):
        ours = training(preset, spec, batch, latent=100, clusters=0, gamma=0.0)  # as the peer
        plain = peer.plain_step(*nets)
        pixels = torch.randint(0, 256, (batch, spec.channels, spec.height, spec.width), dtype=torch.uint8)
        floats = pixels.float() / 127.5 - 1
        result = harness.race(lambda: ours.step(prepare(ours, {"image": pixels})), lambda: plain(floats), rounds)  # noqa: B023
        with FlopCounterMode(display=False) as counter:
            ours.step(prepare(ours, {"image": pixels}))
        work = counter.get_total_flops()
        rows.append(
            f"| {title} | {result.ours.scaled(1e3)} | {result.peer.scaled(1e3)} | **{result.ratio}** | "
            f"{batch / result.ours.middle:,.0f} | {work / 1e9:.1f} | {work / result.ours.low / rate:.0%} |"
        )
    harness.write(
        "step",
        "A DCGAN training step against a plain eager loop",
        f"""
Both alternate in one process; min / median / max. Ours is the whole engine: uint8 batch to [-1, 1], step, running
average of the weights, logged scalars. The peer is the loop of PyTorch's public example over the same networks, fed
ready floats. Ratio: peer's time over ours, round by round; above 1, ours is faster.

| step | ours, ms | plain loop, ms | ratio | images/s | GFLOP | of the matrix rate |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

The machine's best float32 matrix product (2048 x 2048) reached {rate / 1e9:.0f} GFLOP/s in this run: that is the limit,
and the last column says what share of it the fastest of our steps reached (floating-point work counted by PyTorch's own
counter, convolutions and matrix products only). So arithmetic bounds the step. What is left is memory traffic: batch
norm, activations and Adam touch every number for little arithmetic, and layers with 1 or 3 channels are too thin.

Where the gain comes from: gradients are computed for the group that steps and for no other (the plain loop also fills
the discriminator's in the generator's step), channels-last memory for pictures and weights, one fused Adam kernel for
each network, the ends of both as matrix products instead of convolutions over one pixel, losses on logits. Memory that
a step frees is kept by the process and not given back to the system; both loops had that advantage here.
""",
    )
