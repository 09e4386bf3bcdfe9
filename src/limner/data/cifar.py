"""The binary files of CIFAR-10: 10,000 labels and pictures each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from limner.core.errors import UserError
from limner.data.source import ArraySource

SIDE, RECORD = 32, 1 + 3 * 32 * 32  # a label, then the red, green and blue values, row by row
NAMES = "batches.meta.txt"


class Cifar(ArraySource):
    """The pictures to learn from, 32 x 32 in colour: data_batch_1.bin to data_batch_5.bin of a folder.

    The classes have the names of batches.meta.txt, where it lies beside them. Errors: UserError for a file that is cut
    short, or for a folder without any.
    """

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and (path / "data_batch_1.bin").is_file()

    def load(self, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
        files = sorted(path.glob("data_batch_*.bin")) if path is not None and path.is_dir() else []
        if not files:
            raise UserError(f"cifar: expected a folder that holds data_batch_1.bin to data_batch_5.bin, given {path}.")
        records = np.concatenate([_read(file) for file in files])
        pictures = records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pictures), records[:, 0]

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        named = path / NAMES if path is not None else None
        if named is not None and named.is_file():
            words = named.read_text(encoding="utf-8", errors="replace").split()
            if all(kind.isdigit() and int(kind) < len(words) for kind in self.classes):
                self.classes = tuple(words[int(kind)] for kind in self.classes)


def _read(path: Path) -> np.ndarray:
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not len(content) or len(content) % RECORD:
        raise UserError(
            f"{path} is cut short or of another kind: it has {len(content):,} bytes; expected {RECORD:,} for each "
            "picture."
        )
    return content.reshape(-1, RECORD)
