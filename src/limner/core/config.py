"""What a run was asked to do: frozen dataclasses without logic, and their strict JSON round trip."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, Literal

from tyro.conf import Suppress

from limner.core.errors import UserError, nearest

MAY_BE_ZERO = {"seed", "ema", "workers", "beta1", "beta2", "evaluate_every", "rotate", "shift", "zoom", "colour"}
MAY_BE_ZERO |= {"dense", "dropout", "feature_matching", "gamma", "identity", "nce_layers", "pool", "slope"}
MAY_BE_ZERO |= {"clusters", "hidden", "hold_out", "weight_decay"}
BELOW_ONE = {"beta1", "beta2", "shift", "colour"}

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
Switch = Literal["auto", "on", "off"]
Augment = Literal["auto", "none", "diff", "adaptive"]


@dataclasses.dataclass(frozen=True)
class Size:
    """Height and width in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}" if self.height == self.width else f"{self.height}x{self.width}"


@dataclasses.dataclass(frozen=True)
class EngineConfig:
    """How the machine is used; "auto" is chosen per device and recorded in the run, so that a resume repeats it."""

    device: DeviceName = "auto"
    """where to train: a CUDA GPU if there is one, else Apple's MPS, else the CPU"""
    precision: Precision = "auto"
    """fp32, or bf16 autocast (auto: bf16 on GPUs that have it)"""
    channels_last: Switch = "auto"
    """memory format of pictures and weights (auto: on for GPUs, and for batches of 32 and more)"""
    compile: Switch = "auto"
    """torch.compile of the networks (auto: off; it pays on GPUs in long runs)"""
    fused: Switch = "auto"
    """one-kernel optimizer steps (auto: on where the device has them)"""
    threads: int | None = None
    """CPU threads of each process; auto: the cores of this machine shared among its ranks"""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes: the same config and data give the same weights."""

    preset: Suppress[str]
    """the recipe's name"""
    method: Suppress[str]
    """the method's name in the registry"""
    settings: Any
    """the method's own numbers"""
    data: str = "digits"
    """a folder, a file, or the name of a built-in set"""
    size: Size | None = None
    """picture size, one number or HEIGHTxWIDTH; auto: the preset's, else the data's"""
    channels: Literal[1, 3, 4] | None = None
    """1 grey, 3 colour, 4 with alpha; none: as the pictures are"""
    mirror: bool = False
    """show pictures mirrored left to right half of the time, drawn anew in every pass"""
    crop: float = 1.0
    """load pictures this much larger and cut out a random window (1: off; 1.12 is usual)"""
    rotate: float = 0.0
    """turn pictures by up to this many degrees, for small sets"""
    shift: float = 0.0
    """move pictures by up to this share of their size, for small sets"""
    zoom: float = 0.0
    """scale pictures by up to this share, for small sets"""
    colour: float = 0.0
    """change brightness, contrast and saturation by up to this share, for small sets"""
    augment: Augment = "auto"
    """vary what D is shown, for small sets: diff (DiffAugment), adaptive (ADA) or none; auto: by how many there are"""
    hold_out: int | None = None
    """pictures kept aside to see whether D learns the others by heart; auto: 5 % of 200 to 5,000; 0: none"""
    images: int | None = None
    """length of the run in images seen, such as 200k"""
    epochs: float | None = None
    """length of the run in passes over the data, instead of --images"""
    batch: int = 64
    """pictures per step, over all processes together"""
    seed: int = 0
    """decides every random number of the run"""
    ema: int | None = 5_000
    """half-life, in images, of the running average of the weights that is used to generate (0: off); auto: 10,000 for
    every 32 of the batch"""
    engine: EngineConfig = EngineConfig()


@dataclasses.dataclass(frozen=True)
class KeepConfig:
    """What a run leaves on the disk; changing it does not change what is learned, so a resume may."""

    frames: int = 48
    """sample sheets over the run, denser at its start; they are the frames of the time-lapse"""
    save_every: int | None = None
    """images between checkpoints; auto: a twentieth of the run; and at least every five minutes"""
    keep: int = 2
    """how many of the newest checkpoints stay"""
    evaluate_every: int | None = None
    """images between evaluations; auto: as often as a twentieth of the training time allows; 0: never"""
    best: str | None = None
    """the result by which the best checkpoint is kept, such as kid, fid, recall or lpips; auto: kid, for pairs l1"""
    workers: int | None = None
    """processes that prepare batches; auto: 0 on a CPU, 2 beside a GPU"""
    track: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """also write to these trackers"""


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a config dataclass into plain JSON values."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(cls: type, values: dict[str, Any], where: str = "config", **overrides: type) -> Any:
    """Build `cls` from JSON values, strictly: an unknown or a missing key or a wrong type raises UserError.

    `overrides` names the dataclass of a field whose annotation is open, such as settings=DCGANSettings.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object, found {type(values).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            guess = nearest(key, fields)
            raise UserError(f"{where}: unknown key {key!r}" + (f": did you mean {guess!r}?" if guess else ""))
    arguments = {}
    for name, field in fields.items():
        if name in values:
            arguments[name] = _parse(overrides.get(name, hints[name]), values[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"{where}: the key {name!r} is missing")
    return cls(**arguments)


def check(config: Any) -> None:
    """Refuse numbers that no run can work with; UserError naming the flag.

    Every number is above 0, but for the few that say "off" or begin at 0; momenta are below 1.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            check(value)
            continue
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            flag = f"--{field.name.replace('_', '-')}"
            if not math.isfinite(number) or number < 0 or (number == 0 and field.name not in MAY_BE_ZERO):
                least = "0 or more" if field.name in MAY_BE_ZERO else "a number above 0"
                raise UserError(f"{flag} {number:g}: expected {least}")
            if field.name in BELOW_ONE and number >= 1:
                raise UserError(f"{flag} {number:g}: expected a number from 0 to below 1")


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """List what differs between two configs in JSON form, as "batch: 64 -> 128"."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {before} -> {after}")
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _parse(hint: Any, value: Any, where: str) -> Any:
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in choices:
            return None
        problems = []
        for choice in choices:
            if choice is type(None):
                continue
            try:
                return _parse(choice, value, where)
            except UserError as error:
                problems.append(error)
        raise problems[-1]
    if origin is Literal:
        if value in choices and not (isinstance(value, bool) and True not in choices):
            return value
        raise UserError(f"{where}: expected one of {', '.join(map(repr, choices))}, found {value!r}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{where}: expected a list, found {value!r}")
        inner = [choices[0]] * len(value) if len(choices) == 2 and choices[1] is Ellipsis else list(choices)
        if len(inner) != len(value):
            raise UserError(f"{where}: expected {len(inner)} values, found {len(value)}")
        return tuple(_parse(one, item, f"{where}[{i}]") for i, (one, item) in enumerate(zip(inner, value, strict=True)))
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type, hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kind = origin or hint
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value
