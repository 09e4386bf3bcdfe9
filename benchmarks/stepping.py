"""One pix2pix step of 256 px for each line on stdin, answered with its seconds: a process for `benchmarks.neighbour`.

Argument `limner`: our engine, in the environment that limner gives its processes. Argument `reference`: the authors'
way, in PyTorch's own defaults.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def limner() -> Callable[[], None]:
    """Our step, behind what every limner process does first."""
    from limner.core.environment import first_torch_call, prepare

    prepare()
    first_torch_call()
    from benchmarks.step import training
    from benchmarks.translation import pair, spec
    from limner.engine import loop

    run, raw = training("pix2pix", spec(256), 1), pair(256)
    return lambda: run.step(loop.prepare(run, raw))


def reference() -> Callable[[], None]:
    """The reference's step."""
    import torch

    from benchmarks.peers import translation as peer

    step = peer.pix2pix_step(peer.pix2pix_nets())
    a, b = (2 * torch.rand(1, 3, 256, 256) - 1 for _ in "AB")
    return lambda: step(a, b)


def main() -> None:
    """Answer each line with one: the seconds of a step."""
    step = {"limner": limner, "reference": reference}[sys.argv[1]]()
    for _ in sys.stdin:
        begun = time.perf_counter()
        step()
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main()
