"""What D is shown, varied, so that few pictures last: one wrapper around the network "D" of any method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from limner.core.config import Augment
from limner.core.errors import UserError
from limner.engine.distributed import average_
from limner.losses import ada, diff_augment

Kind = Literal["none", "diff", "adaptive"]

FEW = 1_000  # pictures below which D knows all by heart before adaptive augmentation has risen
MANY = 5_000  # pictures from which on the runs that a person makes do without
PASSES = 10  # over the data, below which D meets each picture too seldom to know it
D = "D"


@dataclasses.dataclass(frozen=True)
class Choice:
    """How what D is shown is varied, and why."""

    kind: Kind
    reason: str


def choose(
    asked: Augment,
    nets: Mapping[str, nn.Module],
    dreams: bool,
    count: int,
    total: int,
    before: Mapping[str, Any] | None = None,
) -> Choice:
    """Choose for a run of `total` images over `count` pictures; `dreams` says that pictures are made from noise.

    "auto" becomes all of DiffAugment below 1,000 pictures, where its paper finds all of it needed (arXiv 2006.10738)
    and where D has learned the set before adaptive augmentation rises, which takes 100,000 images for
    p = 0.2; adaptive below 5,000, as that stays off while D does not overfit; and nothing above, or in runs of fewer
    than 10 passes over the data. What a run chose when it began, in its config.json `before`, stands.
    Errors: UserError when it is asked for with a method that has no such discriminator.
    """
    if before is not None:
        return Choice(**before["resolved"].get("augment", {"kind": "none", "reason": "as the run began"}))
    if not dreams or D not in nets:
        if asked in ("auto", "none"):
            return Choice("none", "it is for methods that make pictures from noise")
        raise UserError(
            f"--augment {asked} varies what the discriminator of a method that makes pictures from noise is shown, and "
            "this method is none: leave it out. Pairs have --d-augment, and all pictures --rotate, --shift and --zoom"
        )
    if asked != "auto":
        return Choice(asked, "as asked for")
    passes = total / count
    if passes < PASSES:
        return Choice("none", f"the run goes through the pictures {passes:.3g} times, too seldom to know them by heart")
    if count < FEW:
        return Choice("diff", f"{count:,} pictures, gone through {passes:,.0f} times, would be known by heart")
    if count < MANY:
        return Choice(
            "adaptive", f"{count:,} pictures, gone through {passes:,.0f} times, may come to be known by heart"
        )
    return Choice("none", f"{count:,} pictures are enough")


PLAIN = Choice("none", "nothing was asked for")


class Augmentation:
    """Varies all pictures that `judge`, a network, is given: reals and fakes alike, in everybody's step.

    It works inside the network's call. So the gradient passes through to whoever made the pictures, penalties are
    taken with respect to the pictures as they were, and names in a checkpoint stay. "diff" is DiffAugment (arXiv
    2006.10738); "adaptive" the transformations of ADA (arXiv 2006.06676), each with a chance p that `adapt` moves.
    """

    TARGET = 0.6  # of the mean sign of D on reals (section 3)
    EVERY = 4  # steps between moves of p
    SPEED = 500_000  # images in which p can rise from 0 to 1
    UNTOLD = 0.3  # p in the end where D's opinion of reals is no sign of anything
    MOST = 0.8  # beyond, augmentations leak into what G makes (section 2)

    def __init__(self, kind: Kind, judge: nn.Module, batch: int, device: str | torch.device) -> None:
        """`batch` counts the pictures of a step over all ranks."""
        self.kind, self.batch = kind, batch
        self.p = torch.zeros((), device=device)
        self.signs = torch.zeros((), device=device)
        self.seen = self.steps = 0
        self.told = False
        judge.register_forward_pre_hook(self._vary)

    def _vary(self, judge: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        pictures, *others = arguments
        # Half precision would shake the pixels.
        with torch.autocast(pictures.device.type, enabled=False):
            return self.vary(pictures.float()), *others

    def vary(self, pictures: Tensor) -> Tensor:
        """Vary pictures (B, C, H, W); differentiable."""
        if self.kind == "diff":
            draws = diff_augment.draw(len(pictures), pictures.device)
            return diff_augment.augment(pictures, draws, get_args(diff_augment.Kind))
        return ada.augment(pictures, self.p, ada.draw(len(pictures), pictures.device))

    def adapt(self, scalars: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Look at the scalars of a step and move p every fourth time; return what to log.

        The mean sign of D on reals is read off the share of reals that it takes for real, "accuracy/real". Losses
        that only compare give the share of pairs in which the real one scores higher instead: p then rises while D
        ranks more than four of five pairs right. Methods that log neither, since a critic shall tell all apart, get a
        p that rises to 0.3 and stays (arXiv 2501.05441 sets it by a schedule, too). Nothing here waits for the device;
        all ranks move p alike.
        """
        if self.kind != "adaptive":
            return {}
        if "accuracy/real" in scalars:
            self.signs = self.signs + 2 * scalars["accuracy/real"].detach().float() - 1
            self.seen += 1
            self.told = True
        self.steps += 1
        step = self.EVERY * self.batch / self.SPEED
        if self.steps % self.EVERY == 0 and self.seen:
            mean = self.signs / self.seen
            average_([mean])
            self.p = (self.p + step * torch.sign(mean - self.TARGET)).clamp(0.0, self.MOST)
            self.signs, self.seen = torch.zeros_like(self.signs), 0
        elif self.steps % self.EVERY == 0 and not self.told:
            self.p = (self.p + step).clamp(max=self.UNTOLD)
        return {"augment/p": self.p}

    def state_dict(self) -> dict[str, Any]:
        """p, and what has been seen since it was moved."""
        return {"p": self.p, "signs": self.signs, "seen": self.seen, "steps": self.steps, "told": self.told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.p, self.signs = (state[name].to(self.p.device) for name in ("p", "signs"))
        self.seen, self.steps, self.told = state["seen"], state["steps"], state["told"]
