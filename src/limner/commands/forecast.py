"""What a training will need on this machine, found out before it begins: memory, and how long a step takes."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limner.core.config import TrainConfig
    from limner.core.contract import Spec

STEPS = 2  # that are timed, after one that warms up


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Bytes of memory that a run is likely to need (None: not known) and that are free; seconds for an image."""

    memory: int | None
    free: int
    seconds_per_image: float


def forecast(config: TrainConfig, spec: Spec) -> Forecast:
    """Train a few steps on noise, in memory; nothing is written. UserError for what the method refuses."""
    import numpy as np
    import torch

    from limner import methods
    from limner.commands.train import suited
    from limner.core.clock import Clock
    from limner.engine import memory
    from limner.engine.distributed import Ranks
    from limner.engine.health import Health
    from limner.engine.loop import prepare
    from limner.engine.machine import resolve
    from limner.engine.training import Training

    machine = resolve(config.engine, Ranks(), config.batch)
    config = suited(config, machine.device)
    method = methods.build(config.method, config.settings, spec)
    need, room = memory.expected(config, method, spec), memory.available(machine.device)
    shape = (config.batch, spec.channels, spec.height, spec.width)
    training = Training(config, method, Clock(10**9), Health(np.zeros((8, *shape[1:]), np.uint8)), machine, Ranks())
    target = torch.randint(0, 256, shape, dtype=torch.uint8)
    if spec.channels_in:
        given = torch.randint(0, 256, (config.batch, spec.channels_in, *shape[2:]), dtype=torch.uint8)
        batch = {"A": given, "B": target}
    else:
        batch = {"image": target, "label": torch.zeros(config.batch, dtype=torch.long)}
    training.step(prepare(training, batch))
    begun = time.perf_counter()
    for _ in range(STEPS):
        training.step(prepare(training, batch))
    return Forecast(need, room, (time.perf_counter() - begun) / STEPS / config.batch)
