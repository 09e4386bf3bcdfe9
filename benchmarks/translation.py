"""Training steps of pix2pix and CycleGAN, engine and all, against the authors' way to train the same networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import harness
from benchmarks.peers import translation as peer
from benchmarks.step import training
from limner.core.contract import Spec
from limner.core.images import to_float
from limner.engine.loop import prepare

CASES = (
    ("`pix2pix`, 256 px, batch 1", "pix2pix", 256, peer.pix2pix_nets, peer.pix2pix_step, 25),
    ("`cyclegan`, 128 px, batch 1", "cyclegan", 128, peer.cyclegan_nets, peer.cyclegan_step, 11),
)


def spec(size: int) -> Spec:
    """Square colour pictures into square colour pictures."""
    return Spec(3, size, size, channels_in=3)


def pair(size: int) -> dict[str, Tensor]:
    """One uint8 pair of noise, (1, 3, size, size) each: time and memory do not depend on what is in the pictures."""
    return {side: torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8) for side in "AB"}


def sizes(nets: dict[str, nn.Module]) -> dict[str, int]:
    """Parameters of each network."""
    return {name: sum(parameter.numel() for parameter in net.parameters()) for name, net in nets.items()}


def gflop(step: Callable[[], object]) -> float:
    """Floating-point work of convolutions and matrix products in one call, in GFLOP."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e9


def main() -> None:
    """Race both methods and write the result."""
    rate = harness.matrix_rate() / 1e9
    rows, counts = [], []
    for title, preset, size, nets, steps, rounds in CASES:
        run, others = training(preset, spec(size), 1), nets()
        if sizes(run.method.nets) != sizes(others):
            raise AssertionError(f"{preset}: {sizes(run.method.nets)} parameters against {sizes(others)}")
        counts.append(", ".join(f"{name} {count:,}" for name, count in sizes(others).items()))
        raw, reference = pair(size), steps(others)
        a, b = to_float(raw["A"]), to_float(raw["B"])

        def ours(run=run, raw=raw) -> None:
            run.step(prepare(run, raw))

        def theirs(reference=reference, a=a, b=b) -> None:
            reference(a, b)

        result = harness.race(ours, theirs, rounds)
        rate = max(rate, harness.matrix_rate() / 1e9)
        work = gflop(ours), gflop(theirs)
        reached = [
            f"{one / figures.low / rate:.0%}" for one, figures in zip(work, (result.ours, result.peer), strict=True)
        ]
        rows.append(
            f"| {title} | {result.ours.scaled(1e3)} | {result.peer.scaled(1e3)} | **{result.ratio}** | {rounds} | "
            f"{work[0]:.0f}, {work[1]:.0f} | {reached[0]}, {reached[1]} |"
        )
    harness.write(
        "translation",
        "Training steps of pix2pix and CycleGAN against the reference's way",
        f"""
Both alternate in one process; min / median / max. Ours is the whole engine: uint8 pair to [-1, 1], step, weights for use,
logged scalars. The reference trains the same networks the way the authors' public code does, written anew: eager, NCHW,
Adam as PyTorch gives it, `requires_grad` switched off and on round the generators' step, D run again for it, a pool of 50
fakes, identity loss; fed ready floats. Ratio: the reference's time over ours, round by round; above 1, ours is faster.
Aim 1.25, floor 1.1.

| step | ours, ms | reference, ms | ratio | rounds | GFLOP, ours and theirs | of the matrix rate |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Equal numbers of parameters, checked: {"; ".join(counts)}.

The machine's best float32 matrix product (2048 x 2048) reached {rate:.0f} GFLOP/s in this run. The last column says what
share of it the fastest step reached (work counted by PyTorch's own counter, convolutions and matrix products only). No
step can do better than all of it, but one can do with less work: in `cyclegan`, 3x3 convolutions of large maps take a
quarter of the multiplications here (arXiv 1509.09308), with outputs and gradients equal to about 1e-5 of the largest.
Memory that a step frees is kept by the process and not given back to the system, denormals are flushed, and OpenMP's
threads spin shortly: limner's settings, from which the reference gains too as it runs in the same process. How each
fares in a process of its own, with neighbours, is in [neighbour](neighbour.md).
""",
    )
