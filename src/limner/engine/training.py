"""Everything a run is at one moment: what a checkpoint saves and a resume brings back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from limner.core.clock import Clock
from limner.core.config import TrainConfig
from limner.core.contract import Method, Stateful
from limner.engine.augmentation import PLAIN, Augmentation, Choice, D
from limner.engine.distributed import Ranks, average_, from_first, gather
from limner.engine.ema import Ema
from limner.engine.health import Diverged, Health
from limner.engine.ledger import Ledger
from limner.engine.machine import Machine
from limner.engine.state import Checkpoints, gather_state, restore_state
from limner.engine.update import Updater


class Training:
    """A method on a machine, with its optimizers, averages, clock and watchers."""

    def __init__(
        self,
        config: TrainConfig,
        method: Method,
        clock: Clock,
        health: Health,
        machine: Machine,
        ranks: Ranks,
        augment: Choice = PLAIN,
    ) -> None:
        self.config = config
        self.method = method
        self.clock = clock
        self.health = health
        self.machine = machine
        self.ranks = ranks
        for name, net in method.nets.items():
            method.nets[name] = machine.place(net).train()
        assert config.ema is not None, "the half-life is chosen before, with what else suits the machine"
        self.ema = Ema(method.nets, config.ema)
        self.augment = augment
        self.augmentation: Augmentation | None = None
        if augment.kind != "none":  # after the averages were copied, which judge pictures as they are
            self.augmentation = Augmentation(augment.kind, method.nets[D], config.batch, machine.device)
        self.update = Updater(method.groups, method.nets, clock, machine.fused)
        self.ledger = Ledger()
        self.seconds = 0.0
        self.mark: tuple[int, float] = (0, 0.0)
        """images and seconds when speed was last measured"""
        self.rollbacks = 0

    def step(self, batch: dict[str, Tensor]) -> None:
        """Train on one batch of this rank, advance the clock by the whole batch, move the average."""
        with self.machine.autocast():
            scalars = self.method.step(batch, self.update, self.clock)
        if self.augmentation is not None:
            scalars = {**scalars, **self.augmentation.adapt(scalars)}
        self.ledger.add(scalars)
        average_([buffer for net in self.method.nets.values() for buffer in _floating(net.buffers())])
        self.clock.advance(self.config.batch)
        self.ema.update(self.config.batch, self.clock.images)

    def check_weights(self) -> None:
        """Raise Diverged when any weight or running statistic is NaN or infinite."""
        for name, net in self.method.nets.items():
            tensors = _floating([*net.parameters(), *net.buffers()])
            if tensors and not torch.stack([tensor.isfinite().all() for tensor in tensors]).all().item():
                raise Diverged(f"a weight of {name} became NaN or infinite")

    def state(self) -> dict[str, Any]:
        """The state of everything, for a checkpoint; every rank must call it."""
        extras = gather(gather_state(self._extras()))
        return {
            **{kind: gather_state(parts) for kind, parts in self._parts().items()},
            "extras": extras,
            "images": self.clock.images,
            "seconds": self.seconds,
            "rollbacks": self.rollbacks,
            "lr_scale": self.update.lr_scale,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Bring a checkpoint's state back; UserError when it belongs to another method."""
        for kind, parts in self._parts().items():
            restore_state(parts, state[kind])
        extras = state["extras"]
        restore_state(self._extras(), extras[self.ranks.rank % len(extras)])
        self.clock.images = self.clock.previous = state["images"]
        self.seconds = state["seconds"]
        self.rollbacks = state["rollbacks"]
        self.update.lr_scale = state["lr_scale"]

    def restore_latest(self, checkpoints: Checkpoints) -> bool:
        """Bring the newest whole checkpoint back, the first rank's on every rank; return whether there was one."""
        content = from_first(checkpoints.latest() if self.ranks.first else None)
        if content is None:
            return False
        self.restore(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        return True

    def _extras(self) -> Mapping[str, Stateful]:
        # what differs among ranks
        if self.augmentation is None or self.augmentation.kind != "adaptive":
            return self.method.extras
        return {**self.method.extras, "augmentation": self.augmentation}

    def _parts(self) -> Mapping[str, Mapping[str, Stateful]]:
        return {
            "nets": self.method.nets,
            "ema": self.ema.nets,
            "optimizers": self.update.optimizers,
            "watchers": {"health": self.health, "ledger": self.ledger},
        }


def _floating(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
