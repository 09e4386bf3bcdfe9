"""`limner demo`: small digits in a few minutes, from nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner import presets
from limner.commands.train import Train, train


@dataclasses.dataclass(frozen=True)
class Demo:
    """Learn handwritten digits in about three minutes on two CPU cores: pictures, time-lapse, plots and a page."""

    out: Path = Path("runs/demo")
    """run folder"""


def demo(command: Demo) -> None:
    """Train the preset `demo` on the built-in digits; the same command goes on where it stopped."""
    train(Train(presets.get("demo"), command.out))
