"""Every preset at a size that trains in a second, and what two runs must have in common to be the same."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

from limner import presets
from limner.commands.train import Train
from limner.core.config import TrainConfig
from limner.core.runs import Run
from limner.engine.state import Checkpoints
from limner.methods import METHODS
from limner.presets.overlay import overlay

PRESETS = presets.PRESETS.names()
SIZE = 32
BATCH = 8
SMALL = {"filters": 4, "d_filters": 4, "vae_filters": 4}


class Killed(BaseException):
    """Nothing catches it, as nothing catches a SIGKILL."""


def config(preset: str, data: Path | str, images: int = 8 * BATCH, **overrides: Any) -> TrainConfig:
    """Shrink a preset: 32 px, a sixteenth of the filters, batches of 8."""
    full = presets.get(preset)
    small = {"size": SIZE, "batch": BATCH, "images": images, "epochs": None, "data": str(data), "ema": 20, "threads": 1}
    small["augment"] = "auto" if translates(preset) else "none"  # so that losses and looks tell of the method alone
    settings = {field.name: getattr(full.settings, field.name) for field in dataclasses.fields(full.settings)}
    for widths in ("widths", "d_widths", "vae_dense"):
        if settings.get(widths):
            small[widths] = tuple(max(4, width // 16) for width in settings[widths])
    small |= {name: SMALL[name] for name in settings if name in SMALL}
    if "d_layers" in settings:
        small["d_layers"] = min(2, settings["d_layers"])
    if settings.get("depth"):
        small["depth"] = min(4, settings["depth"])
    return overlay(full, **{**small, **overrides})[0]


def translates(preset: str) -> str:
    """Whether a preset learns from "paired" or "unpaired" sets, or "" from pictures of one kind."""
    return METHODS.load(presets.get(preset).method).translates


def classes(preset: str) -> tuple[str, ...]:
    """The classes of the pictures that a preset is tried on: none but for methods that cannot do without."""
    return ("even", "odd") if METHODS.load(presets.get(preset).method).conditional else ()


def classes_of(pictures: Path, names: tuple[str, ...]) -> Path:
    """A folder of classes beside one of pictures, every other picture in each of two."""
    folder = pictures.with_name(f"{pictures.name}-classes")
    if not folder.exists():
        for i, path in enumerate(sorted(pictures.glob("*.png"))):
            kind = folder / names[i % len(names)]
            kind.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, kind / path.name)
    return folder


def pairs_of(pictures: Path) -> Path:
    """A folder of two kinds beside one of pictures: A as they are, B their negatives."""
    folder = pictures.with_name(f"{pictures.name}-pairs")
    if not folder.exists():
        for side in "AB":
            (folder / side).mkdir(parents=True, exist_ok=True)
        for path in pictures.glob("*.png"):
            picture = Image.open(path)
            picture.save(folder / "A" / path.name)
            ImageOps.invert(picture).save(folder / "B" / path.name)
    return folder


def command(preset: str, data: Path | str, out: Path, images: int = 8 * BATCH, **overrides: Any) -> Train:
    """The command that trains a shrunk preset quietly, on pairs or classes made of the pictures if it needs them."""
    if isinstance(data, Path) and data.is_dir():
        if translates(preset):
            data = pairs_of(data)
        elif classes(preset) and not any(path.is_dir() for path in data.iterdir()):
            data = classes_of(data, classes(preset))
    names = ("save_every", "workers", "frames", "keep", "evaluate_every")
    keep = {name: overrides.pop(name) for name in names if name in overrides}
    return Train(config(preset, data, images, **overrides), out, _keep(**keep), show="quiet")


def flags(train: Train) -> list[str]:
    """The same command in words, for a process of its own."""
    config, full = train.config, presets.get(train.config.preset)
    words = ["train", config.preset, "--out", str(train.out), "--data", config.data, "--size", str(config.size)]
    words += ["--batch", str(config.batch), "--images", str(config.images), "--ema", str(config.ema)]
    words += ["--threads", str(config.engine.threads), "--augment", config.augment, "--show", "quiet"]
    for field in dataclasses.fields(config.settings):
        value = getattr(config.settings, field.name)
        if value != getattr(full.settings, field.name):
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{field.name.replace('_', '-')}", *map(str, values)]
    keep = train.keep
    words += ["--frames", str(keep.frames), "--keep", str(keep.keep)]
    words += ["--save-every", str(keep.save_every)] if keep.save_every else []
    words += ["--workers", str(keep.workers)] if keep.workers is not None else []
    return words


def fingerprint(folder: Path) -> dict[str, Any]:
    """Everything that two equal runs must share to the last bit: state, model, sample sheets, metrics."""
    run = Run(folder)
    content = Checkpoints(run.checkpoints).latest()
    assert content is not None, f"{folder} has no checkpoint"
    state = torch.load(__import__("io").BytesIO(content), weights_only=True)
    state.pop("seconds")
    lines = [
        {key: value for key, value in line.items() if key not in ("seconds", "speed")}
        for line in run.metrics()
        if line["kind"] == "log"
    ]
    sheets = {path.name: path.read_bytes() for path in run.sample_sheets()}
    return {"state": state, "model": load_file(run.model_file), "metrics": lines, "sheets": sheets}


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two nested values differ in any bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [where]
    if isinstance(a, dict) and isinstance(b, dict):
        missing = [f"{where}/{key} is in one only" for key in a.keys() ^ b.keys()]
        return missing + [d for key in a.keys() & b.keys() for d in differences(a[key], b[key], f"{where}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{where}[{i}]")]
    return [] if a == b else [where]


def _keep(**values: Any) -> Any:
    from limner.core.config import KeepConfig

    return KeepConfig(**values)
