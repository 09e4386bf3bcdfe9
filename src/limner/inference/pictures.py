"""Pictures that a model made: to look at, to save, to compute with."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from limner.core import files
from limner.core.grids import grid
from limner.core.images import PNG_LEVEL, from_array


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures as uint8 (N, H, W, C) with a name each; shows itself as a sheet in a notebook."""

    array: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> Image.Image:
        return from_array(self.array[index])

    def pil(self) -> list[Image.Image]:
        """The pictures as Pillow images."""
        return [self[i] for i in range(len(self))]

    def grid(self, columns: int | None = None) -> Image.Image:
        """All pictures on one sheet."""
        return grid(self.array, columns)

    def save(self, folder: Path | str) -> list[Path]:
        """Write each as NAME.png into a folder, made if need be; return the paths."""
        folder = Path(folder)
        return [save_png(picture, folder / f"{name}.png") for picture, name in zip(self.pil(), self.names, strict=True)]

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.grid().save(buffer, "PNG")
        return buffer.getvalue()


def save_png(picture: Image.Image, path: Path) -> Path:
    """Write a picture as PNG, whole or not at all; return the path."""
    with files.atomic(path) as temporary:
        picture.save(temporary, "PNG", compress_level=PNG_LEVEL)
    return path


def join(parts: Sequence[Pictures]) -> Pictures:
    """Put several sets of pictures of one size together."""
    return Pictures(
        np.concatenate([part.array for part in parts]), tuple(name for part in parts for name in part.names)
    )
