"""The decode-once store: every picture as uint8 at load size, in memory or in one memory-mapped file."""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError, listing
from limner.data.cache import Cache
from limner.data.lazy import LazyPixels
from limner.data.parallel import in_order
from limner.data.source import EncodedSource, Source, together

if TYPE_CHECKING:
    from limner.core.contract import Spec

MINIMUM = 4  # readable pictures below which a set is refused
IN_MEMORY = 1_000_000_000  # bytes up to which the pictures of an array source stay in memory
PIECE = 16_000_000  # bytes that are cut out of an array at a time

Progress = Callable[[int, int], None]
Skipped = list[tuple[int, str, str]]  # number, name, reason


@dataclasses.dataclass(frozen=True)
class Store:
    """All pictures of a source, ready to be cut into batches.

    `pixels` is uint8 (N, C, H, W) at load size: `size`, or larger when random windows are to be cut out. `labels` is
    int64 (N,), or None without classes. `skipped` holds (name, reason) of the pictures that could not be read, which
    are in neither. `fingerprint` is the source's.
    """

    pixels: np.ndarray | LazyPixels
    labels: np.ndarray | None
    classes: tuple[str, ...]
    size: Size
    channels: int
    skipped: tuple[tuple[str, str], ...]
    fingerprint: str
    skipped_at: tuple[int, ...] = ()
    """numbers of the skipped pictures in the source"""
    windows: np.ndarray | None = None
    """of a stream, whose pictures are in no store: as the source has them"""

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self.pixels)

    def spread(self, count: int) -> np.ndarray:
        """Numbers of so many pictures, or up to twice as many, spread over the set, which may be sorted by class."""
        return together(np.arange(0, self.count, max(1, self.count // count))[: 2 * count], self.windows)

    @property
    def spec(self) -> Spec:
        """What fixes the shapes of networks."""
        from limner.core.contract import Spec  # needs PyTorch, which those who only prepare pictures wait for in vain

        return Spec(self.channels, self.size.height, self.size.width, self.classes)

    @classmethod
    def build(
        cls,
        source: Source,
        size: Size | None,
        channels: int | None,
        crop: float,
        cache: Path,
        progress: Progress | None = None,
        least: int = MINIMUM,
    ) -> Store:
        """Decode a source, or take up what an earlier call with the same arguments left in the folder `cache`.

        `size` and `channels` of None are read off the pictures; a `crop` above 1 loads them that much larger.
        `progress` is called with (done, total). Of several processes that share `cache`, let one build first.
        Errors: UserError when the pictures' sizes or channels differ and none was stated, when fewer than `least` are
        readable, or when `cache` cannot be written; nothing half-made is left.
        """
        if crop < 1.0:
            raise UserError(f"--crop {crop:g}: expected 1 (off) or more, such as 1.12.")
        asked = {"size": [size.height, size.width] if size else None, "channels": channels, "crop": crop}
        kept = Cache(cache)
        found = kept.find(source.fingerprint + source.stamp, asked)
        if found is not None:
            pixels, index = found
            return _store(source, pixels, Size(*index["size"]), index["channels"], index["skipped"])
        progress = progress or _quiet
        progress(0, len(source))
        size = size or natural_size(source)
        channels = channels or common_channels(source)
        load = Size(round(size.height * crop), round(size.width * crop))
        if source.windows is not None and isinstance(source, EncodedSource):
            if len(source) < least:
                raise _too_few(len(source), [], least)
            pixels = LazyPixels(source, channels, load)
            return Store(
                pixels, source.labels, source.classes, size, channels, (), source.fingerprint, windows=source.windows
            )
        shape = (len(source), channels, load.height, load.width)
        skipped: Skipped = []
        rows = _decode(source, channels, load, skipped, progress, least)
        as_it_is = source.shape == (load.height, load.width, channels)
        if (source.array is not None or as_it_is) and math.prod(shape) <= IN_MEMORY:
            if source.array is not None and as_it_is:
                pixels = np.ascontiguousarray(source.array.transpose(0, 3, 1, 2))
            else:
                pixels = np.empty(shape, dtype=np.uint8)
                for number, row in enumerate(rows):
                    pixels[number] = row
                pixels = pixels[: len(source) - len(skipped)]
            if len(pixels) < least:
                raise _too_few(len(pixels), skipped, least)
        else:
            index = {"fingerprint": source.fingerprint + source.stamp, "asked": asked}
            index |= {"size": [size.height, size.width]}
            index |= {"channels": channels, "skipped": skipped}  # a list that fills while the rows are written
            pixels = kept.write(rows, shape, index)
        return _store(source, pixels, size, channels, skipped)


def _quiet(done: int, total: int) -> None:
    pass


def _store(source: Source, pixels: np.ndarray, size: Size, channels: int, skipped: Skipped) -> Store:
    labels = source.labels
    if labels is not None and skipped:
        labels = np.delete(labels, [number for number, _, _ in skipped])
    reasons = tuple((name, reason) for _, name, reason in skipped)
    numbers = tuple(number for number, _, _ in skipped)
    return Store(pixels, labels, source.classes, size, channels, reasons, source.fingerprint, numbers)


def _decode(
    source: Source, channels: int, load: Size, skipped: Skipped, progress: Progress, least: int
) -> Iterator[np.ndarray]:
    # yields the readable pictures (C, H, W) in order and lists the others in `skipped`
    total = len(source)
    as_it_is = source.shape == (load.height, load.width, channels)
    one = functools.partial(load_picture, source, channels=channels, load=load)
    results = _pieces(source) if as_it_is else in_order(one, total)
    for number, result in enumerate(results):
        if isinstance(result, str):
            skipped.append((number, source.name(number), result))
        else:
            yield result.transpose(2, 0, 1)
        progress(number + 1, total)
    if total - len(skipped) < least:
        raise _too_few(total - len(skipped), skipped, least)


def load_picture(source: Source, number: int, channels: int, load: Size) -> np.ndarray | str:
    """Read one picture as training sees it, uint8 (H, W, C) at load size; of a broken one, what is wrong with it."""
    try:
        picture = images.convert(source.read(number, load), channels)
        return images.as_array(images.fit(picture, load))
    except UserError as error:
        return str(error).removeprefix(f"{source.name(number)}: ")


def _pieces(source: Source) -> Iterator[np.ndarray | str]:
    # of a set that is an array of just what is wanted: many pictures at a time, and nothing to convert
    assert source.shape is not None
    many = max(1, PIECE // math.prod(source.shape))
    for first in range(0, len(source), many):
        last = min(len(source), first + many)
        try:
            yield from source.block(first, last)
        except UserError:  # one of them is broken, or all: which?
            size = Size(*source.shape[:2])
            yield from (load_picture(source, number, source.shape[2], size) for number in range(first, last))


def _too_few(readable: int, skipped: Skipped, least: int) -> UserError:
    broken = f"; {len(skipped):,} could not be read: " + listing(f"{name} ({why})" for _, name, why in skipped)
    return UserError(
        f"the data has {readable} readable picture{'' if readable == 1 else 's'}{broken if skipped else ''}. Expected "
        f"at least {least}, and some hundreds to learn from."
    )


def natural_size(source: Source) -> Size:
    """The size that all pictures share; UserError, asking for --size, when they differ."""
    if source.natural_size is not None:
        return source.natural_size
    if not source.sizes:  # are all broken, or only those that were looked at?
        collections.deque(_decode(source, 3, Size(64, 64), [], _quiet, MINIMUM), maxlen=0)
        raise UserError("the pictures' size cannot be told, as all that were looked at are broken: give it by --size.")
    small, large = source.sizes[0], source.sizes[-1]
    raise UserError(
        f"the pictures differ in size, from {small.height}x{small.width} to {large.height}x{large.width} (height x "
        "width): choose one by --size, such as --size 64 or --size 64x96. They are scaled to cover it and cut to its "
        "middle; nothing is stretched."
    )


def common_channels(source: Source) -> int:
    """The channels that all pictures have; UserError, asking for --channels, when they differ."""
    if source.shape is not None:
        return source.shape[-1]
    found: dict[int, list[int]] = collections.defaultdict(list)

    def one(number: int) -> int | None:
        try:
            return source.probe(number)[1]
        except UserError:
            return None  # it will be skipped when it is decoded

    looked_at = range(len(source)) if source.windows is None else source.sample
    for number, channels in zip(looked_at, in_order(lambda place: one(looked_at[place]), len(looked_at)), strict=True):
        if channels is not None:
            found[channels].append(number)
    if len(found) == 1:
        return next(iter(found))
    if not found:
        return 3  # decoding will say why
    words = {1: "grey (1 channel)", 3: "colour (3 channels)", 4: "with transparency (4 channels)"}
    parts = [
        f"{len(numbers):,} {words[channels]}: {listing(map(source.name, numbers), 3)}"
        for channels, numbers in sorted(found.items())
    ]
    raise UserError(
        f"the pictures differ in channels; {'; '.join(parts)}. Choose for all: --channels 3 makes them colour, "
        "--channels 1 grey; transparency is then laid on white."
    )
