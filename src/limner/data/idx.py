"""The idx files of MNIST and Fashion-MNIST, packed by gzip or not."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import numpy as np

from limner.core.errors import UserError
from limner.data.source import ArraySource, unpacked

IMAGES, LABELS = 3, 1  # numbers of dimensions, which is how idx files tell them apart
_NAMED = re.compile(r"[-.]idx[13]-ubyte(\.gz)?$")
_TRAIN = re.compile(r"train-images[-.]idx3-ubyte(\.gz)?$")


class Idx(ArraySource):
    """An images file, with its labels where a file of the matching name lies beside it; of a folder, the train set.

    Errors: UserError for a file that is cut short, is no idx file, or has labels that do not match its pictures.
    """

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_dir():
            return _train_file(path) is not None
        if _NAMED.search(path.name):
            return True
        try:
            with unpacked(path) as file:
                return file.read(4) in (bytes((0, 0, 8, IMAGES)), bytes((0, 0, 8, LABELS)))
        except UserError:
            return False

    def load(self, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
        if path is None:
            raise UserError("idx: expected a path to an idx file, or to a folder that holds them.")
        file = _train_file(path) if path.is_dir() else path
        if file is None:
            raise UserError(f"{path} holds no train-images-idx3-ubyte or train-images-idx3-ubyte.gz.")
        pictures = _read(file, IMAGES)
        labels = next((_read(beside, LABELS) for beside in _labels_names(file) if beside.is_file()), None)
        if labels is not None and len(labels) != len(pictures):
            raise UserError(
                f"{file} holds {len(pictures):,} pictures, but the labels file beside it {len(labels):,} labels; "
                "expected as many of both. Fetch them again from one place, or move the labels file away."
            )
        return pictures[..., None], labels


def _train_file(folder: Path) -> Path | None:
    return next((child for child in sorted(folder.iterdir()) if _TRAIN.fullmatch(child.name)), None)


def _labels_names(file: Path) -> list[Path]:
    name = file.name.replace("images", "labels").replace("idx3", "idx1")
    if name == file.name:
        return []
    other = name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"
    return [file.with_name(name), file.with_name(other)]


def _read(path: Path, dimensions: int) -> np.ndarray:
    with unpacked(path) as file:
        magic = file.read(4)
        if magic == bytes((0, 0, 8, LABELS)) and dimensions == IMAGES:
            raise UserError(f"{path} is an idx file of labels; give the images file, which is named ...images-idx3....")
        if magic != bytes((0, 0, 8, dimensions)):
            raise UserError(
                f"{path} is not an idx file of {'pictures' if dimensions == IMAGES else 'labels'}: it begins with the "
                f"bytes {magic.hex(' ') or 'of nothing'}, expected 00 00 08 {dimensions:02x}."
            )
        header = file.read(4 * dimensions)
        if len(header) < 4 * dimensions:
            raise UserError(f"{path} is cut short: it ends inside its header; fetch the file again.")
        shape = struct.unpack(f">{dimensions}I", header)
        count = math.prod(shape)
        content = file.read(count)
        if len(content) != count or file.read(1):
            raise UserError(
                f"{path} is {'cut short' if len(content) < count else 'too long'}: its header promises "
                f"{' x '.join(map(str, shape))} bytes; fetch the file again."
            )
    if count == 0:
        raise UserError(f"{path} holds no pictures: its header says {' x '.join(map(str, shape))}.")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
