"""From what a person calls data to decoded pictures: one kind for generation, two for translation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import torch

from limner import data, methods
from limner.core.config import Size, TrainConfig, to_dict
from limner.core.console import TrainingDisplay
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.data.pair_store import PairStore
from limner.data.pairs import Pairs, Part, open_pairs
from limner.data.source import Source
from limner.data.store import MINIMUM, Store
from limner.engine.distributed import Ranks, barrier

Show = Literal["auto", "json", "quiet"]


@dataclasses.dataclass(frozen=True)
class Stock:
    """Decoded pictures of a run: to learn from, and held out to look at (translation only).

    `stamp` changes when files are written anew; `words` say which side is A and which is B.
    """

    store: Store | PairStore
    held_out: PairStore | None = None
    stamp: str = ""
    words: str = ""

    @property
    def facts(self) -> dict[str, object]:
        """What config.json says of the pictures."""
        store = self.store
        found = {"count": store.count, "skipped": len(store.skipped), "fingerprint": store.fingerprint}
        spec = to_dict(store.spec)
        return {**found, **(spec if store.spec.channels_in else {k: v for k, v in spec.items() if k != "channels_in"})}


class Opened:
    """What the data of a config holds; nothing is decoded yet, but a size that does not fit is refused already."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        kind = methods.METHODS.load(config.method).translates
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
            return Stock(store, stamp=self.source.stamp)
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
        way = "A becomes B" if settings.direction == "AtoB" else "B becomes A"
        return Stock(store, PairStore(a, b, pairs.paired), self.source.stamp, f"{pairs.layout}. {way}.")

    def _sides(self, part: Part) -> tuple[Source, Source]:
        # target and input
        return (part.b, part.a) if self.config.settings.direction == "AtoB" else (part.a, part.b)

    def _check_size(self) -> None:
        config = self.config
        size = config.size or self.source.natural_size
        if size is not None:
            with torch.device("meta"):  # refused before hours of decoding
                spec = Spec(config.channels or 3, size.height, size.width, self.source.classes)
                if self.pairs is not None:
                    spec = dataclasses.replace(spec, classes=(), channels_in=config.settings.channels_in or 3)
                methods.build(config.method, config.settings, spec)


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
