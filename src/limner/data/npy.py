"""NumPy's own files: one array of pictures, or a folder of batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from limner.core.errors import UserError, listing
from limner.data.arrays import Stack, is_pictures, number_classes
from limner.data.folder import holds_instead
from limner.data.source import fingerprint_of

EXPECTED = "expected (N, height, width), (N, height, width, channels) or (N, channels, height, width)"
_MAGIC = b"\x93NUMPY"
_LABELS = re.compile(r"(^|[-_. ])(labels?|classes|targets?|y)([-_. ]|$)", re.IGNORECASE)


class Npy(Stack):
    """One .npy file of pictures, or a folder of .npy files that are joined in the order of their numbers.

    The axes are (N, H, W), (N, H, W, C) or (N, C, H, W); files of a folder may also hold one picture each. uint8,
    uint16 and fractions from 0 to 1 or from -1 to 1 are told apart by their values. Labels are whole numbers or words
    in labels.npy in the same folder, or in as many files with "labels" in their names as there are batches. Files are
    mapped into memory, and none that would run code is opened.
    Errors: UserError for what is cut short, is no array of pictures, or has labels that do not match.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        folder = path if path.is_dir() else path.parent
        files = [child for child in sorted(folder.glob("*.npy"), key=_natural) if not child.name.startswith(".")]
        labels = [child for child in files if _LABELS.search(child.stem) and child != path]
        files = [child for child in files if child not in labels] if path.is_dir() else [path]
        if not files:
            raise UserError(f"{path} holds no .npy files of pictures.")
        arrays = [_open(file) for file in files]
        self.singles = _are_singles(arrays) if path.is_dir() else False
        self.arrays = [array[None] for array in arrays] if self.singles else arrays
        for file, array in zip(files, self.arrays, strict=True):
            if not is_pictures(array.shape):
                raise UserError(f"{file} is an array of {_words(array.shape)}; {EXPECTED}.")
            if array.shape[1:] != self.arrays[0].shape[1:] or array.dtype != self.arrays[0].dtype:
                raise UserError(
                    f"{file} holds pictures of {_words(array.shape[1:])} ({array.dtype}), but {files[0].name} of "
                    f"{_words(self.arrays[0].shape[1:])} ({self.arrays[0].dtype}); batches of one set are alike."
                )
        self.files = files
        self.starts = np.cumsum([0, *(len(array) for array in self.arrays)])
        super().__init__((int(self.starts[-1]), *self.arrays[0].shape[1:]), self.arrays[0].dtype)
        used = self._read_labels(labels)
        self.fingerprint, self.stamp = fingerprint_of([*files, *used])
        try:
            self.range  # noqa: B018  looked at now, so that an array of something else is refused at once
        except UserError as error:
            raise UserError(f"{files[0]}: {error}") from error

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_dir():
            return holds_instead(path, ".npy")
        return path.suffix.lower() == ".npy"

    def name(self, index: int) -> str:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        file = self.files[number].name
        return file if self.singles else f"{file}[{index - int(self.starts[number])}]"

    def cut(self, first: int, last: int) -> np.ndarray:
        pieces = [np.asarray(array[low:high]) for array, low, high in self._spans(first, last)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _spans(self, first: int, last: int) -> Iterator[tuple[np.ndarray, int, int]]:
        number = int(np.searchsorted(self.starts, first, side="right")) - 1
        while first < last:
            start, end = int(self.starts[number]), int(self.starts[number + 1])
            if first < end:
                yield self.arrays[number], first - start, min(last, end) - start
            first, number = max(first, end), number + 1

    def _read_labels(self, files: list[Path]) -> list[Path]:
        whole = [file for file in files if file.stem.lower() == "labels"]
        files = whole or files
        if not files or (not whole and len(files) != len(self.files)):
            return []
        parts = [_open(file) for file in files]
        values = np.concatenate([part.reshape(-1) if part.shape[1:] in ((), (1,)) else part for part in parts])
        if len(values) != len(self):
            if not self.path.is_dir():
                return []  # they may belong to another file beside this one
            raise UserError(
                f"{self.path} holds {len(self):,} pictures, but {listing(file.name for file in files)} hold"
                f"{'s' if len(files) == 1 else ''} {len(values):,} labels; expected as many of both."
            )
        try:
            self.labels, self.classes = number_classes(values)
        except UserError as error:
            raise UserError(f"{files[0]}: {error}") from error
        return files


def _open(file: Path) -> np.ndarray:
    try:
        with file.open("rb") as content:
            if content.read(len(_MAGIC)) != _MAGIC:
                raise UserError(f"{file} is no .npy file: it does not begin as NumPy writes them.")
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise UserError(
                f"{file} holds Python objects, which run code when they are opened; limner opens plain arrays only. "
                "Save the pictures as one array of uint8."
            ) from error
        raise UserError(f"{file} is cut short or damaged ({error}); fetch or write it again.") from error


def _are_singles(arrays: list[np.ndarray]) -> bool:
    # One picture a file: no batch has two axes, and one of three axes that end in channels is a picture.
    shape = arrays[0].shape
    if len(shape) == 2:
        return True
    return len(shape) == 3 and shape[2] in (3, 4) and all(array.shape == shape for array in arrays)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    # batch 2 comes before batch 10
    parts = re.split(r"(\d+)", path.name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape) or "one number"
