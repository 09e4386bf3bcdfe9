"""The callable that a method trains its groups with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import ParamGroup
from limner.core.schedule import Schedule
from limner.engine.distributed import average_


def optimizer(group: ParamGroup, nets: Mapping[str, nn.Module], fused: bool) -> torch.optim.Optimizer:
    """Build the optimizer of a group; its learning rate and momenta are set before every step."""
    parameters = [parameter for name in group.nets for parameter in nets[name].parameters()]
    rate = group.lr(0.0)
    if group.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, alpha=0.99, eps=group.eps, weight_decay=group.weight_decay)
    return torch.optim.Adam(
        parameters, lr=rate, betas=momenta(group, 0.0), eps=group.eps, weight_decay=group.weight_decay, fused=fused
    )


def momenta(group: ParamGroup, progress: float) -> tuple[float, float]:
    """Return Adam's two momenta at this progress of the run."""
    first, second = group.betas
    return first, second(progress) if isinstance(second, Schedule) else second


class Updater:
    """Zero, backward for a group's parameters only, average over ranks, learning rate by the schedule, step.

    Several losses at once are all differentiated before any optimizer steps. `lr_scale` is what health lowers.
    """

    def __init__(
        self, groups: Mapping[str, ParamGroup], nets: Mapping[str, nn.Module], clock: Clock, fused: bool
    ) -> None:
        self.groups = dict(groups)
        self.clock = clock
        self.optimizers = {name: optimizer(group, nets, fused) for name, group in groups.items()}
        self.lr_scale = 1.0

    def rate(self, name: str) -> float:
        """The learning rate of a group now."""
        return self.groups[name].lr(self.clock.progress) * self.lr_scale

    def __call__(self, **losses: Tensor) -> None:
        """Train each named group on its loss: `update(D=loss)` or, simultaneously, `update(D=loss_d, G=loss_g)`."""
        parameters = {name: self._parameters(name) for name in losses}
        last = next(reversed(losses))
        # Mixed precision is for the forward pass; autograd replays each operation in the type it ran in.
        with torch.autocast(next(iter(losses.values())).device.type, enabled=False):
            for name, loss in losses.items():
                torch.autograd.backward(loss, inputs=parameters[name], retain_graph=name != last)
        for name in losses:
            average_([p.grad for p in parameters[name] if p.grad is not None])
            stepper = self.optimizers[name]
            for group in stepper.param_groups:
                group["lr"] = self.rate(name)
                if "betas" in group:
                    group["betas"] = momenta(self.groups[name], self.clock.progress)
            stepper.step()
            stepper.zero_grad(set_to_none=True)

    def _parameters(self, name: str) -> list[Tensor]:
        return [p for group in self.optimizers[name].param_groups for p in group["params"] if p.requires_grad]
