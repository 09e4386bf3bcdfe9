"""Any folder of picture files, however nested."""

from __future__ import annotations

import collections
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError, listing
from limner.data import labels_csv
from limner.data.source import Source

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))
SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing"))


class Folder(Source):
    """The pictures of a folder and its sub-folders, in the order of their relative names; hidden ones are left out.

    Sub-folders become classes when all pictures lie in two or more of them, one class per first-level sub-folder.
    Sub-folders that are splits are no classes: of a "train" beside another split ("val", "test" and the like), or all
    alone, only the pictures in "train" are taken; splits without a "train" are read together, without classes.
    A labels.csv in the folder, or beside it, gives every picture its class instead (`labels_csv`).
    Errors: UserError for a folder that holds no pictures or may not be listed, and for a labels.csv that leaves
    pictures out.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise UserError(f"{path} is not a folder; expected one that holds pictures.")
        self.root = path
        others: collections.Counter[str] = collections.Counter()
        found = sorted(_walk(str(path), "", others))
        if not found:
            raise _empty(path, others)
        names = [name for name, _, _ in found]
        train = train_folder(names)
        if train is not None:
            self.root = path / train
            found = [(name[len(train) + 1 :], *rest) for name, *rest in found if name.startswith(f"{train}/")]
            names = [name for name, _, _ in found]
        self.names = names
        table = labels_csv.find(path, self.root, names)
        self.labels, self.classes = table or classes_of(names)
        listed, times = hashlib.sha256(), hashlib.sha256()
        for name, size, modified in found:
            listed.update(os.fsencode(f"{name}\0{size}\n"))
            times.update(f"{modified}\n".encode())
        if table is not None:
            listed.update(repr([table[1], table[0].tolist()]).encode())
        self.fingerprint, self.stamp = listed.hexdigest(), times.hexdigest()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir()

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        return self.names[index]

    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        path = self.root / self.names[index]
        try:
            return images.decode(path, at_least)
        except UserError as error:
            raise self._named(error, path, index) from error

    def probe(self, index: int) -> tuple[Size, int]:
        path = self.root / self.names[index]
        try:
            return images.probe(path)
        except UserError as error:
            raise self._named(error, path, index) from error

    def _named(self, error: UserError, path: Path, index: int) -> UserError:
        return UserError(str(error).replace(str(path), self.names[index]))


def holds_instead(folder: Path, suffix: str) -> bool:
    """Whether a folder holds files of this ending, and no picture beside them; the first picture ends the look."""
    found = False
    with os.scandir(folder) as entries:
        for entry in entries:
            ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
            if ending in SUFFIXES and not entry.name.startswith("."):
                return False
            found = found or (ending == suffix and not entry.name.startswith("."))
    return found


def _walk(
    folder: str, prefix: str, others: collections.Counter[str], above: tuple[tuple[int, int], ...] = ()
) -> Iterator[tuple[str, int, int]]:
    # os.scandir and plain strings: pathlib needs five times as long for 100,000 files
    inner = []
    try:
        status = os.stat(folder)  # noqa: PTH116
        above = (*above, (status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if is_folder(entry):
                    inner.append(entry)
                elif (suffix := os.path.splitext(entry.name)[1].lower()) in SUFFIXES:  # noqa: PTH122
                    yield prefix + entry.name, *_size_and_time(entry)
                else:
                    others[suffix or "no ending"] += 1
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be listed: {error.strerror or error}.") from error
    for entry in inner:
        if entry.is_symlink() and (entry.stat().st_dev, entry.stat().st_ino) in above:
            continue  # a link to a folder that holds it would never end
        yield from _walk(entry.path, f"{prefix}{entry.name}/", others, above)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or leads to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself, say: reading it will tell


def _size_and_time(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        status = entry.stat()
    except OSError:
        return 0, 0  # a link that leads nowhere: reading it will say so, and the others are still a set
    return status.st_size, status.st_mtime_ns


def _empty(path: Path, others: collections.Counter[str]) -> UserError:
    expected = "expected files that end in " + ", ".join(sorted(SUFFIXES))
    if not others:
        return UserError(f"the folder {path} is empty: {expected}.")
    kinds = listing(f"{count:,} {suffix}" for suffix, count in others.most_common())
    return UserError(f"the folder {path} holds no pictures, but {others.total():,} other files ({kinds}): {expected}.")


def train_folder(names: list[str]) -> str | None:
    """Of names with slashes, the first folder that is a train split beside others, or all alone; else None."""
    parts = {PurePosixPath(name).parts[0] if "/" in name else "" for name in names}
    splits = {part for part in parts if part.lower() in SPLITS}
    train = next((part for part in sorted(parts) if part.lower() in ("train", "training")), None)
    return train if len(splits) >= 2 or len(parts) == 1 else None  # "train" beside "car" and "bus" is a vehicle


def classes_of(names: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels, int64 (N,), and classes that the first folders of names with slashes make; None and () for none."""
    firsts = [name.partition("/")[0] if "/" in name else "" for name in names]
    classes = sorted(set(firsts))
    splits = sum(part.lower() in SPLITS for part in classes)
    if "" in classes or len(classes) < 2 or splits >= 2:
        return None, ()
    number = {part: index for index, part in enumerate(classes)}
    return np.array([number[part] for part in firsts], dtype=np.int64), tuple(classes)
