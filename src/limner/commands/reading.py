"""From what a person calls data to decoded pictures: one kind for generation, two for translation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from limner import data, methods
from limner.core.config import Size, TrainConfig, to_dict
from limner.core.console import TrainingDisplay
from limner.core.contract import Spec
from limner.core.errors import UserError, listing
from limner.data.aside import count_aside, put_aside
from limner.data.pair_store import PairStore
from limner.data.pairs import Pairs, Part, open_pairs
from limner.data.source import Source
from limner.data.store import MINIMUM, Store
from limner.engine.distributed import Ranks, barrier

Show = Literal["auto", "json", "quiet"]


@dataclasses.dataclass(frozen=True)
class Stock:
    """Decoded pictures of a run: to learn from, and held out to look at (translation only).

    `stamp` changes when files are written anew; `words` say which side is A and which is B, `sides` which of them is
    given and which is made. `split` holds the rows of `store` that are learned from and those kept aside, where some
    are (generation only).
    """

    store: Store | PairStore
    held_out: PairStore | None = None
    stamp: str = ""
    words: str = ""
    sides: tuple[str, str] = ("A", "B")
    split: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def rows(self) -> np.ndarray | None:
        """The rows of `store` that training sees; None: all."""
        return self.split[0] if self.split else None

    @property
    def facts(self) -> dict[str, object]:
        """What config.json says of the pictures."""
        store = self.store
        found = {"count": store.count, "skipped": len(store.skipped), "fingerprint": store.fingerprint}
        found |= {"held_out": len(self.split[1])} if self.split else {}
        spec = to_dict(store.spec)
        return {**found, **(spec if store.spec.channels_in else {k: v for k, v in spec.items() if k != "channels_in"})}


class Opened:
    """What the data of a config holds; nothing is decoded yet, but a size that does not fit is refused already."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        kind = methods.METHODS.load(config.method).translates
        if kind and config.hold_out:
            raise UserError(
                "--hold-out is for pictures made from noise: sets of two kinds bring their held-out pictures"
            )
        self.pairs: Pairs | None = open_pairs(config.data, kind == "paired") if kind else None
        self.source: Source = self.pairs.train.b if self.pairs else data.open(config.data)
        self._check_size()

    def decode(self, cache: Path, here: Ranks, show: Show) -> Stock:
        """Decode everything once, rank 0 first; the others find what it has left."""
        if not here.first:
            barrier()
        stock = self._decode(cache, show if here.first else "quiet")
        if here.first:
            barrier()
        return stock

    def _decode(self, cache: Path, show: Show) -> Stock:
        config = self.config
        if self.pairs is None:
            store = _build(self.source, config.size, config.channels, config.crop, cache, show)
            aside = count_aside(store.count, config.hold_out)
            return Stock(store, stamp=self.source.stamp, split=put_aside(store.count, aside) if aside else None)
        settings, pairs = config.settings, self.pairs
        target, given = self._sides(pairs.train)
        crop = config.crop if settings.copies == 1 else 1.0  # the target of many copies is left alone
        b = _build(target, config.size, config.channels, crop, cache / "target", show)
        a = _build(given, b.size, settings.channels_in, config.crop, cache / "input", show)
        store = PairStore(a, b, pairs.paired, settings.copies)
        if store.count < 1:
            raise UserError(f"{config.data}: no pair is left of which both pictures can be read")
        target, given = self._sides(pairs.held_out)
        apart = cache / "held-out"
        b = _build(target, b.size, b.channels, 1.0, apart / "target", show, least=1)
        a = _build(given, b.size, a.channels, 1.0, apart / "input", show, least=1)
        sides = ("A", "B") if settings.direction == "AtoB" else ("B", "A")
        words = f"{pairs.layout}. {sides[0]} becomes {sides[1]}."
        return Stock(store, PairStore(a, b, pairs.paired), self.source.stamp, words, sides)

    def _sides(self, part: Part) -> tuple[Source, Source]:
        # target and input
        return (part.b, part.a) if self.config.settings.direction == "AtoB" else (part.a, part.b)

    def _check_size(self) -> None:
        config = self.config
        if methods.METHODS.load(config.method).conditional and len(self.source.classes) < 2:
            raise UserError(
                f"{config.data} has {'one class only' if self.source.classes else 'no classes'}, and {config.preset} "
                "makes pictures of the class that one names. Put the pictures of each class into a sub-folder named "
                "after it, or give a .csv with a column of labels; without classes, take another preset, such as dcgan."
            )
        size = config.size or self.source.natural_size
        if size is not None:
            with torch.device("meta"):  # refused before hours of decoding
                spec = Spec(config.channels or 3, size.height, size.width, self.source.classes)
                if self.pairs is not None:
                    spec = dataclasses.replace(spec, classes=(), channels_in=config.settings.channels_in or 3)
                method = methods.build(config.method, config.settings, spec)
            if method.conditional:
                _check_classes(config, self.source)


def _check_classes(config: TrainConfig, source: Source) -> None:
    counts = np.bincount(source.labels, minlength=len(source.classes)) if source.labels is not None else ()
    lone = [name for name, count in zip(source.classes, counts, strict=False) if count < 2]
    if lone:
        raise UserError(
            f"{config.data}: {listing(lone)} {'is a class' if len(lone) == 1 else 'are classes'} of one picture. "
            "A class is learned from many, at the very least two: add pictures to it, or take it out of the data."
        )


def _build(
    source: Source,
    size: Size | None,
    channels: int | None,
    crop: float,
    cache: Path,
    show: Show,
    least: int = MINIMUM,
) -> Store:
    with TrainingDisplay("reading pictures", len(source), 0, show) as display:
        return Store.build(source, size, channels, crop, cache, lambda done, total: display.tick(done), least)
