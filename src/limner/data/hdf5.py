"""Arrays of pictures in HDF5 files: one for generation, two for translation."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from limner.core import files
from limner.core.errors import UserError, listing
from limner.data.arrays import Stack, is_pictures, number_classes, texts
from limner.data.source import begins_with, fingerprint_of

SUFFIXES = (".h5", ".hdf5", ".hdf")
NAMES_A = ("a", "imagea", "image_a", "front", "input", "x", "source")
NAMES_B = ("b", "imageb", "image_b", "side", "target", "y", "output")
PICTURES = ("images", "image", "pictures", "imgs", "photos")
LABELS = ("labels", "label", "class", "target", "targets", "y")
_MAGIC = b"\x89HDF\r\n\x1a\n"
_HELD_OUT = re.compile(r"(^|[^a-z])(test|testing|val|valid|validation)([^a-z]|$)", re.IGNORECASE)


class Array(Stack):
    """One array of an HDF5 file: (N, H, W) or (N, H, W, C) with C of 1, 3 or 4, or (N, C, H, W).

    uint8, uint16 and fractions from 0 to 1 or from -1 to 1 are told apart by their values. The file is opened anew for
    every piece that is read, so that every thread and process may read. `names` is the key of an array of the
    pictures' names, where there is one.
    Errors: UserError for numbers that are no pixels.
    """

    def __init__(self, path: Path, key: str, shape: tuple[int, ...], dtype: np.dtype, names: str | None = None) -> None:
        self.path, self.key, self.names_key = path, key, names
        super().__init__(shape, dtype)
        content, self.stamp = fingerprint_of([path])
        self.fingerprint = files.sha256_of(f"{content} {key}".encode())
        try:
            self.range  # noqa: B018  looked at now, so that an array of something else is refused at once
        except UserError as error:
            raise UserError(f"{path}: the array {key}: {error}") from error

    def name(self, index: int) -> str:
        return self.names[index] if self.names else f"{self.key}[{index}]"

    @functools.cached_property
    def names(self) -> list[str]:
        """What the pictures were called where they came from; empty when the file does not say it."""
        return [] if self.names_key is None else texts(_read(self.path, self.names_key))

    def cut(self, first: int, last: int) -> np.ndarray:
        return _read(self.path, self.key, slice(first, last))


class Hdf5(Array):
    """The pictures of an HDF5 file that holds one array of them, found by its shape; of splits, the train part.

    Of several arrays, one that is called "images" or the like is taken.

    Labels are an array of as many whole numbers or words, called "labels" or the like, or the only such array; names
    for their numbers are read from an array (or an attribute of the labels) called "classes". This is also how
    `limner prepare pack` writes them.
    Errors: UserError, listing what the file holds, unless it holds one array of pictures; for what is no HDF5 file.
    """

    def __init__(self, path: Path) -> None:
        content = Content.of(path)
        found = content.pictures()
        train = [key for key in found if not _HELD_OUT.search(key)] or found
        named = [key for key in train if PurePosixPath(key).name.lower() in PICTURES]
        train = named if len(named) == 1 else train
        if len(train) != 1:
            two = " For two kinds of pictures choose a translation preset, such as pix2pix." if len(train) == 2 else ""
            raise UserError(
                f"{path} should hold one array of pictures, (N, height, width) or (N, height, width, channels), and "
                f"holds {content}.{two}"
            )
        key = train[0]
        super().__init__(path, key, *content.arrays[key], content.names(key))
        self._read_labels(content)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if not path.is_file():
            return False
        if path.suffix.lower() in SUFFIXES:
            return True
        return begins_with(path, _MAGIC)

    def _read_labels(self, content: Content) -> None:
        key = content.labels(self.key)
        if key is None:
            return
        values = _read(self.path, key).reshape(-1)
        values = np.array(texts(values)) if values.dtype.kind == "O" else values
        try:
            self.labels, self.classes = number_classes(values, content.classes(key))
        except UserError as error:
            raise UserError(f"{self.path}: {key}: {error}") from error


@dataclasses.dataclass(frozen=True)
class Content:
    """What an HDF5 file holds: the shape and kind of every array, by its key."""

    path: Path
    arrays: dict[str, tuple[tuple[int, ...], np.dtype]]

    @classmethod
    def of(cls, path: Path) -> Content:
        """Look at a file; UserError when it is none, or h5py is not installed."""
        h5py = _h5py()
        if not path.is_file():
            raise UserError(f"data {str(path)!r}: there is no such file.")
        found: dict[str, tuple[tuple[int, ...], np.dtype]] = {}

        def look(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.shape is not None:
                found[name] = (item.shape, item.dtype)

        try:
            with h5py.File(path, "r") as file:
                file.visititems(look)
        except (OSError, RuntimeError) as error:
            raise UserError(f"{path} is no HDF5 file, or is cut short ({error}).") from error
        return cls(path, found)

    def pictures(self) -> list[str]:
        """The keys of all arrays of pictures."""
        return [key for key, (shape, dtype) in self.arrays.items() if dtype.kind in "buif" and is_pictures(shape)]

    def labels(self, key: str) -> str | None:
        """The key of the labels of an array of pictures, if there are any."""
        found = [other for other in self._beside(key) if self.arrays[other][1].kind in "buiSO" and other != key]
        named = [other for other in found if PurePosixPath(other).name.lower() in LABELS]
        if len(named) != 1:
            kinds = [other for other in found if self.arrays[other][1].kind in "bui"]
            like = [other for other in found if any(word in LABELS for word in re.split(r"[^a-z]", other.lower()))]
            named = next((some for some in (named, like, kinds) if len(some) == 1), [])
        return named[0] if len(named) == 1 else None

    def names(self, key: str) -> str | None:
        """The key of the names of an array of pictures, if there are any."""
        folder, last = PurePosixPath(key).parent, PurePosixPath(key).name
        wanted = {(folder / word).as_posix() for word in ("names", f"names_{last}")}
        return next((other for other in self._beside(key) if other in wanted), None)

    def classes(self, labels: str) -> list[str]:
        """The names of the classes that labels number, or nothing."""
        with _h5py().File(self.path, "r") as file:
            beside = (PurePosixPath(labels).parent / "classes").as_posix()
            item = file[beside] if beside in self.arrays else file[labels].attrs.get("classes")
            return [] if item is None else texts(np.asarray(item[()] if beside in self.arrays else item).reshape(-1))

    def _beside(self, key: str) -> list[str]:
        # arrays of one value for each picture, those of the same group where there are any
        count = self.arrays[key][0][0]
        long = [other for other, (shape, _) in self.arrays.items() if shape in ((count,), (count, 1))]
        same = [other for other in long if PurePosixPath(other).parent == PurePosixPath(key).parent]
        return same or long

    def __str__(self) -> str:
        words = (f"{key} {shape} {dtype}" for key, (shape, dtype) in self.arrays.items())
        return listing(words, 20) or "no arrays at all"


def open_arrays(path: Path) -> tuple[tuple[Array, Array], tuple[Array, Array] | None]:
    """Open the two arrays of pictures in a file, A and B by their names, where those say it, else in order.

    Of four arrays, those whose names say "test" are the held-out part, given second.
    Errors: UserError for a file that is absent, is no HDF5, or holds another number of arrays of pictures.
    """
    content = Content.of(path)
    found = content.pictures()
    test = [key for key in found if _HELD_OUT.search(key)]
    train = [key for key in found if key not in test]
    if len(train) != 2 or len(test) not in (0, 2):
        raise UserError(
            f"{path} should hold two arrays of pictures, (N, height, width) or (N, height, width, channels), and holds "
            f"{content}."
        )

    def sides(keys: list[str]) -> tuple[Array, Array]:
        a, b = (Array(path, key, *content.arrays[key], content.names(key)) for key in sorted(keys, key=_side))
        return a, b

    return sides(train), sides(test) if test else None


def _side(name: str) -> tuple[int, str]:
    last = name.rpartition("/")[2].lower()
    return (0 if last in NAMES_A else 2 if last in NAMES_B else 1), name


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UserError("HDF5 files need the package h5py: pip install 'limner[hdf5]'") from error
    return h5py


def _read(path: Path, key: str, part: slice = slice(None)) -> np.ndarray:
    try:
        with _h5py().File(path, "r") as file:
            return np.asarray(file[key][part])
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f"it cannot be read ({error})") from error
