"""One decoded set on disk: pictures.npy, which is memory-mapped, and its index pictures.json."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from limner.core import files
from limner.core.errors import UserError
from limner.core.fetching import volume

VERSION = 1  # raise it when the same pictures would be decoded to other numbers


class Cache:
    """The decoded pictures of one set in a folder; a call for others replaces them.

    The index says what was asked for ("asked": size, channels, crop), what that came to ("size", "channels") and which
    pictures were skipped ("skipped": [number, name, reason]).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pixels_file = folder / "pictures.npy"
        self.index_file = folder / "pictures.json"

    def find(self, fingerprint: str, asked: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]] | None:
        """Open the pictures, uint8 (N, C, H, W), and the index, if they are whole and what is asked for."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # absent, cut short, or not ours
            index = json.loads(self.index_file.read_text(encoding="utf-8"))
            same = all(value in (index["asked"][key], index.get(key)) for key, value in asked.items())
            if same and (index["version"], index["fingerprint"]) == (VERSION, fingerprint):
                pixels = np.load(self.pixels_file, mmap_mode="r")
                return (pixels, index) if list(pixels.shape) == index["shape"] else None
        return None

    def write(self, rows: Iterable[np.ndarray], shape: tuple[int, ...], index: dict[str, Any]) -> np.ndarray:
        """Write pictures (C, H, W) as they come, at most shape[0] of them, then the index; open the result.

        Errors: UserError when the folder cannot be written or is full; the pictures are then removed again.
        """
        self.index_file.unlink(missing_ok=True)  # first, so that an index never speaks of other pictures
        files.remove_leftovers(self.folder)
        instead = "another --out, or a smaller --size"
        check_space(self.folder, math.prod(shape), "the decoded pictures", instead)
        with files.atomic(self.pixels_file) as temporary, temporary.open("wb") as file:
            write_header(file, shape)
            count = 0
            for row in rows:
                # written, not mapped: a full disk is an error here, and would be a crash there
                file.write(np.ascontiguousarray(row).data)
                count += 1
            file.seek(0)
            write_header(file, (count, *shape[1:]))
        content = {"version": VERSION, "shape": [count, *shape[1:]], **index}
        files.write_text(self.index_file, json.dumps(content) + "\n")
        return np.load(self.pixels_file, mmap_mode="r")


def check_space(folder: Path, needed: int, what: str, instead: str) -> None:
    """Raise UserError when the disk of `folder`, which need not exist yet, has less room than `needed` bytes.

    `what` needs the room, and `instead` is what a person may change.
    """
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UserError(
            f"{what} need {volume(needed)} in {folder}, but only {volume(free)} are free there. Free some space, "
            f"choose {instead}."
        )


def write_header(file: Any, shape: tuple[int, ...]) -> None:
    """Begin a .npy file of uint8 (N, ...), or say anew how long it is."""
    # NumPy pads the header so that its first number may grow in place: its length is the same for every count
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
