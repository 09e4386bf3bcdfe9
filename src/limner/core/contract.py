"""All that the loop and a method know of each other."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.schedule import Schedule

Batch = Mapping[str, Tensor]
"""What a step is given, pictures (B, C, H, W) in [-1, 1]: "image", and "label" (B,) int64 when the data has classes;
or, for methods that translate, the inputs "A" and the targets "B"."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """What the pictures are: fixes every shape of a method's networks.

    `classes` holds the names of the labels in order; empty when the data has none. `channels_in` is the number of
    channels of the pictures that are translated into these; 0 when pictures are made from noise.
    """

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()
    channels_in: int = 0


@dataclasses.dataclass(frozen=True)
class ParamGroup:
    """The networks that one optimizer trains, by their names in `Method.nets`, and how."""

    nets: tuple[str, ...]
    lr: Schedule
    optimizer: Literal["adam", "rmsprop"] = "adam"
    betas: tuple[float, float | Schedule] = (0.5, 0.999)
    """momenta of Adam; the second may change over the run"""
    eps: float = 1e-8
    weight_decay: float = 0.0


class Stateful(Protocol):
    """Anything a resume would otherwise lose; its state holds tensors, numbers, strings, lists and dicts only."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class Update(Protocol):
    """`update(D=loss)`: zero, backward for that group's parameters only, average over ranks, optimizer step.

    `update(D=loss_d, G=loss_g)` takes both gradients before either optimizer steps (simultaneous update).
    """

    def __call__(self, **losses: Tensor) -> None: ...


class Method(abc.ABC):
    """A way to train networks; `step` reads like the paper's algorithm box. Implementations are final.

    A method is built from its settings and the data's Spec, and fills the three dicts. It draws random numbers from
    torch's global generator, which the loop seeds before every step, and from nowhere else.
    """

    Settings: ClassVar[type]
    """the frozen dataclass of the method's own numbers; every field has a default"""
    portable: ClassVar[tuple[str, ...]] = ("G",)
    """the networks that `infer` needs: what a model file holds"""
    translates: ClassVar[Literal["", "paired", "unpaired"]] = ""
    """for methods that turn pictures into others: whether they learn from pairs or from two independent sets"""
    smallest_batch: ClassVar[int] = 1
    """the fewest pictures that a step of one process can learn from"""
    both_ways: bool = False
    """for methods that translate: whether `infer_back` turns targets into inputs"""
    any_size: bool = True
    """for methods that translate: whether pictures of any height and width may be given; else only those of the spec"""
    latent: int = 0
    """size of the noise vector that `infer` takes; 0 for methods that take pictures"""
    conditional: bool = False
    """whether `infer` takes labels; set it when the spec has classes and the method learns them"""

    words: Sequence[str] = ()
    """sentences about what the method chose by itself, and why; said when a run starts"""

    nets: dict[str, nn.Module]
    """what is moved, averaged, saved, exported"""
    groups: dict[str, ParamGroup]
    """what each optimizer trains; every parameter belongs to exactly one group"""
    extras: dict[str, Stateful]
    """image pools, adaptive probabilities: whatever else a resume would lose"""

    @abc.abstractmethod
    def __init__(self, settings: Any, spec: Spec) -> None: ...

    @classmethod
    def suited(cls, settings: Any, device: str) -> Any:
        """Choose what settings leave to the machine, such as "cpu" or "cuda"; a run and its model keep the choice."""
        return settings

    @abc.abstractmethod
    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train one step on one batch; return scalars to log, as tensors without gradient."""

    @abc.abstractmethod
    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn inputs ("z" (B, latent), "label" (B,) or "image" (B, C, H, W)) into pictures (B, C, H, W) in [-1, 1]."""

    def infer_back(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn a target "image" into an input, both (B, C, H, W) in [-1, 1]; for methods that learn both ways."""
        raise NotImplementedError
