"""Sets of pictures for metrics: from a source, from a store in training, from a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from limner.core import images
from limner.core.config import Size
from limner.core.contract import Spec
from limner.data.source import together
from limner.metrics.pictures import PictureSet, choose

if TYPE_CHECKING:
    from limner.data.source import Source
    from limner.data.store import Store
    from limner.inference import Pipeline


def of_source(
    source: Source, title: str, count: int, seed: int, spec: Spec | None = None, crop: float = 1.0
) -> PictureSet:
    """Some pictures of a source: as they are, or as training with `spec` and `crop` would load them."""
    positions = together(choose(len(source), count, seed), source.windows)

    def one(position: int) -> np.ndarray:
        index = int(positions[position])
        if spec is None:
            return images.as_array(source.read(index))
        size = Size(spec.height, spec.width)
        load = Size(round(size.height * crop), round(size.width * crop))
        picture = images.convert(source.read(index, load), spec.channels)
        return middle(images.as_array(images.fit(picture, load)), size)

    def read(some: Sequence[int]) -> list[np.ndarray]:
        if source.array is not None:
            return [one(position) for position in some]
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            return list(pool.map(one, some))

    return PictureSet(
        len(positions),
        read,
        lambda position: source.name(int(positions[position])),
        title,
        len(source),
        _key(source.fingerprint, spec, crop, 0, len(positions), seed),
        source.stamp,
        background=True,
    )


def of_store(store: Store, stamp: str, title: str, count: int, seed: int, crop: float) -> PictureSet:
    """Some pictures of a store: without broken ones, the very pictures that `of_source` reads."""
    positions = together(choose(store.count, count, seed), store.windows)

    def read(some: Sequence[int]) -> list[np.ndarray]:
        return [middle(store.pixels[positions[position]].transpose(1, 2, 0), store.size) for position in some]

    key = _key(store.fingerprint, store.spec, crop, len(store.skipped), len(positions), seed)
    return PictureSet(len(positions), read, lambda i: f"picture {positions[i] + 1}", title, store.count, key, stamp)


def of_model(pipeline: Pipeline, title: str, count: int, seed: int, labels: Sequence[str] | None) -> PictureSet:
    """The pictures of seeds from `seed` on, each of the class that `labels` names for it."""

    def read(some: Sequence[int]) -> list[np.ndarray]:
        wanted = None if labels is None else [labels[position] for position in some]
        return list(pipeline.generate([seed + position for position in some], wanted).array)

    return PictureSet(
        count, read, lambda position: f"seed {seed + position}", f"{title}, seeds {seed}-{seed + count - 1}"
    )


def asked_labels(labels: np.ndarray | None, classes: Sequence[str], count: int, seed: int) -> list[str]:
    """Which class each generated picture shall have: as often as among the real ones, or all equally often."""
    if labels is None or not len(labels):
        return [classes[position % len(classes)] for position in range(count)]
    drawn = labels[np.resize(choose(len(labels), min(count, len(labels)), seed), count)]
    return [classes[int(label)] for label in drawn]


def middle(picture: np.ndarray, size: Size) -> np.ndarray:
    """Cut the middle out of a picture (H, W, C) that was loaded larger than it is trained on."""
    top, left = (picture.shape[0] - size.height) // 2, (picture.shape[1] - size.width) // 2
    return picture[top : top + size.height, left : left + size.width]


def _key(fingerprint: str, spec: Spec | None, crop: float, skipped: int, count: int, seed: int) -> str:
    shape = f"{spec.channels}x{spec.height}x{spec.width} {crop:g}" if spec else "as they are"
    return f"{fingerprint} {shape} {skipped} {count} {seed}"
