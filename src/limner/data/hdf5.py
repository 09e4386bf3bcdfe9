"""Two kinds of pictures as two arrays of one HDF5 file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError, listing
from limner.data.source import Source

NAMES_A, NAMES_B = ("a", "front", "input", "x", "source"), ("b", "side", "target", "y", "output")


class Array(Source):
    """One array of an HDF5 file: (N, H, W) or (N, H, W, C) with C of 1, 3 or 4, or (N, C, H, W).

    uint8 as it is, uint16 scaled to 8 bits, floats in [0, 1]. Pictures are read one at a time; the file is opened
    anew for each, so that every thread and process may read.
    """

    def __init__(self, path: Path, key: str, shape: tuple[int, ...], dtype: str) -> None:
        self.path, self.key, self.shape = path, key, shape
        status = path.stat()
        self.channels_first = len(shape) == 4 and shape[3] not in images.MODES and shape[1] in images.MODES
        words = f"{path.name} {status.st_size} {key} {shape} {dtype}"
        self.fingerprint, self.stamp = hashlib.sha256(words.encode()).hexdigest(), str(status.st_mtime_ns)

    def __len__(self) -> int:
        return self.shape[0]

    def name(self, index: int) -> str:
        return f"{self.key}[{index}]"

    def probe(self, index: int) -> tuple[Size, int]:
        if len(self.shape) == 3:
            return Size(*self.shape[1:]), 1
        channels, height, width = self.shape[1:] if self.channels_first else (self.shape[3], *self.shape[1:3])
        return Size(height, width), channels

    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                array = np.asarray(file[self.key][index])  # pyright: ignore[reportIndexIssue]
        except OSError as error:
            raise UserError(f"{self.name(index)}: it cannot be read ({error})") from error
        if array.ndim == 2:
            array = array[..., None]
        elif self.channels_first:
            array = array.transpose(1, 2, 0)
        return images.from_array(_eight_bit(array))


def open_arrays(path: Path) -> tuple[Array, Array]:
    """Open the two arrays of pictures in a file: A and B by their names, where those say it, else in order.

    Errors: UserError for a file that is absent, is no HDF5, or holds another number of arrays of pictures.
    """
    try:
        import h5py
    except ImportError as error:
        raise UserError("HDF5 files need the package h5py: pip install 'limner[hdf5]'") from error
    if not path.is_file():
        raise UserError(f"data {str(path)!r}: there is no such file.")
    found: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and _is_pictures(item.shape):
            found[name] = (item.shape, str(item.dtype))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(look)
    except OSError as error:
        raise UserError(f"{path} is no HDF5 file, or is cut short ({error}).") from error
    if len(found) != 2:
        words = listing(f"{name} {shape}" for name, (shape, _) in found.items()) or "none"
        raise UserError(
            f"{path} should hold two arrays of pictures, (N, height, width) or (N, height, width, channels), and holds "
            f"{words}."
        )
    names = sorted(found, key=_side)
    a, b = (Array(path, name, *found[name]) for name in names)
    return a, b


def _side(name: str) -> tuple[int, str]:
    last = name.rpartition("/")[2].lower()
    return (0 if last in NAMES_A else 2 if last in NAMES_B else 1), name


def _is_pictures(shape: tuple[int, ...]) -> bool:
    if len(shape) == 3:
        return min(shape[1:]) > 1
    return len(shape) == 4 and (shape[3] in images.MODES or shape[1] in images.MODES)


def _eight_bit(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.rint(array / 257.0).astype(np.uint8)
    if array.dtype.kind == "f":
        return np.clip(np.rint(array * 255.0), 0, 255).astype(np.uint8)
    return np.clip(array, 0, 255).astype(np.uint8)
