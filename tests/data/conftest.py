"""Small sets in every format, made by the tests themselves."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from limner import data
from limner.core.config import Size
from limner.data.store import Store

COUNT, SIDE, CLASSES = 12, 8, ("0", "1", "2")


def pixels(count: int = COUNT, side: int = SIDE, channels: int = 1) -> np.ndarray:
    """Pictures (N, H, W, C) that all differ."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def labels(count: int = COUNT) -> np.ndarray:
    """Labels (N,), all classes in turn."""
    return np.arange(count) % len(CLASSES)


def save(path: Path, array: np.ndarray) -> Path:
    """Write one picture (H, W, C), without loss when the name ends in .png."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(path)
    return path


def make_folder(root: Path, count: int = COUNT, channels: int = 1) -> Path:
    """Pictures in one sub-folder per class, in the order of `pixels` once sorted."""
    order = np.argsort(labels(count), kind="stable")
    for number, (array, label) in enumerate(zip(pixels(count, SIDE, channels), labels(count)[order], strict=True)):
        save(root / CLASSES[label] / f"{number:04d}.png", array)
    return root


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 as an idx file."""
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def make_idx(root: Path) -> Path:
    """Pictures and labels under the names of MNIST, packed."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels()[..., 0])))
    (root / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels())))
    return root


def rows() -> list[str]:
    """A label and the numbers of each picture."""
    table = np.column_stack([labels(), pixels().reshape(COUNT, -1)])
    return [",".join(map(str, row)) for row in table.tolist()]


def make_csv(root: Path) -> Path:
    """The rows under a header, as Kaggle writes them."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / "train.csv"
    header = ",".join(["label", *(f"pixel{number}" for number in range(SIDE * SIDE))])
    path.write_text("\n".join([header, *rows()]) + "\n")
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {"folder": make_folder, "idx": make_idx, "csv": make_csv}


def build(root: Path, cache: Path, size: int | None = None, channels: int | None = None, crop: float = 1.0) -> Store:
    """Open and decode in one go."""
    return Store.build(data.open(str(root)), Size(size, size) if size else None, channels, crop, cache)
