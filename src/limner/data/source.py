"""What every format looks like from outside: pictures by number, with or without labels."""

from __future__ import annotations

import abc
import contextlib
import functools
import gzip
import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError

SAMPLE = 64  # how many pictures are looked at to learn a set's natural size
FEW = 4  # windows of a stream that are read to look at some of its pictures
PIECES, PIECE = 64, 65_536  # of a large file: so many pieces, of so many bytes, tell it from another one


class Source(abc.ABC):
    """A set of pictures, opened by `Source(path)`; nothing is decoded before `read`.

    `labels` is int64 (N,) and indexes `classes`; both are empty (None and ()) when the set has no classes. `array` is
    uint8 (N, H, W, C) for sets that are arrays in memory already, else None; `shape` is (H, W, C) for those that are
    uint8 arrays somewhere, of which `block` cuts a piece out quicker than pictures can be read one by one.
    `fingerprint` is a SHA-256 that says which pictures they are, also after they were copied elsewhere; `stamp`
    changes when a file is written anew, and then what was decoded from it is not trusted. `windows`, int64 (G + 1,), is
    for sets that are never decoded whole: the numbers of the first pictures of the pieces that they are read by.
    """

    builtin: ClassVar[bool] = False
    """whether the set comes with a package and is opened by its name alone, as `Source()`"""
    remote: ClassVar[bool] = False
    """whether what follows the colon is no path on this machine: the set is opened as `Source(words)`"""

    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    array: np.ndarray | None = None
    shape: tuple[int, int, int] | None = None
    windows: np.ndarray | None = None
    fingerprint: str
    stamp: str = ""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether the file or folder at `path` looks like this format, judged quickly."""
        return False

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        """Decode one picture in mode L, RGB or RGBA; `at_least` allows a smaller scale that still covers this size.

        Errors: UserError, beginning with the picture's name, for one that is broken.
        """

    @abc.abstractmethod
    def probe(self, index: int) -> tuple[Size, int]:
        """Size and channels of one picture, from its header; UserError as for `read`."""

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """What a message calls this picture."""

    def block(self, first: int, last: int) -> np.ndarray:
        """Pictures `first` up to `last` of a set with a `shape`, uint8 (n, H, W, C); UserError when one is broken."""
        raise NotImplementedError

    @property
    def sample(self) -> list[int]:
        """Numbers of some pictures, spread over the set: those by which all are judged."""
        return together(np.unique(np.linspace(0, len(self) - 1, SAMPLE).round().astype(int)), self.windows).tolist()

    @functools.cached_property
    def sizes(self) -> list[Size]:
        """The different sizes among a sample of the pictures, smallest first; empty when none is readable."""
        found = set()
        for index in self.sample:
            with contextlib.suppress(UserError):
                found.add(self.probe(index)[0])
        return sorted(found, key=lambda size: (size.height * size.width, size.height))

    @property
    def natural_size(self) -> Size | None:
        """The size that the pictures share, as far as a sample shows; None when they differ."""
        return self.sizes[0] if len(self.sizes) == 1 else None


class ArraySource(Source):
    """A set that is one array: a format needs to say only how to load it."""

    def __init__(self, path: Path | None = None) -> None:
        self.pictures, values = self.load(path)
        self.array = self.pictures
        self.shape = self.pictures.shape[1:]
        digest = hashlib.sha256(repr(self.pictures.shape).encode())
        digest.update(np.ascontiguousarray(self.pictures).data)
        if values is not None:
            kinds, self.labels = np.unique(values.astype(np.int64), return_inverse=True)
            self.classes = tuple(str(kind) for kind in kinds.tolist())
            digest.update(values.astype(np.int64).tobytes())
        self.fingerprint = digest.hexdigest()

    @abc.abstractmethod
    def load(self, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Read pictures, uint8 (N, H, W, C), and their labels, any integers (N,), or None."""

    def __len__(self) -> int:
        return len(self.pictures)

    def block(self, first: int, last: int) -> np.ndarray:
        return self.pictures[first:last]

    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        return images.from_array(self.pictures[index])

    def probe(self, index: int) -> tuple[Size, int]:
        height, width, channels = self.pictures.shape[1:]
        return Size(height, width), channels

    def name(self, index: int) -> str:
        return f"picture {index + 1}"


class EncodedSource(Source):
    """A set whose pictures are the bytes of picture files inside something else: a format says how to fetch them."""

    @abc.abstractmethod
    def content(self, index: int) -> bytes:
        """The bytes of one picture file; UserError, beginning with the picture's name, when they cannot be had."""

    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        return images.decode(self.content(index), at_least, self.name(index))

    def probe(self, index: int) -> tuple[Size, int]:
        return images.probe(self.content(index), self.name(index))


def together(rows: np.ndarray, windows: np.ndarray | None) -> np.ndarray:
    """As many other rows for those asked for, int64 and in order, that lie in few windows, and so are soon read.

    The rows themselves where there are no windows. Other rows asked for give other windows.
    """
    if windows is None or not len(rows):
        return rows
    groups = len(windows) - 1
    many = min(groups, max(FEW, math.ceil(len(rows) * groups / windows[-1])))
    shift = int(rows.sum()) % groups
    chosen = np.unique((np.linspace(0, groups - 1, many).round().astype(np.int64) + shift) % groups)
    there = np.concatenate([np.arange(*windows[group : group + 2].tolist()) for group in chosen.tolist()])
    if len(there) < len(rows):
        return rows
    return there[np.linspace(0, len(there) - 1, len(rows)).round().astype(np.int64)]


def fingerprint_of(paths: Iterable[Path]) -> tuple[str, str]:
    """A fingerprint and a stamp of files that hold many pictures each: of large ones, pieces spread over them are read.

    Errors: UserError for one that cannot be read.
    """
    digest, times = hashlib.sha256(), hashlib.sha256()
    for path in paths:
        try:
            status = path.stat()
            digest.update(f"{status.st_size}\n".encode())
            times.update(f"{status.st_mtime_ns}\n".encode())
            last = max(0, status.st_size - PIECE)
            with path.open("rb") as file:
                for place in np.unique(np.linspace(0, last, PIECES).round().astype(np.int64)).tolist():
                    file.seek(place)
                    digest.update(file.read(PIECE))
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest(), times.hexdigest()


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip when its first bytes say so.

    Errors: UserError for one that is missing, may not be read, or is cut short or damaged.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                yield raw
                return
            with gzip.open(raw) as file:
                yield file  # pyright: ignore[reportReturnType]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path} is a .gz file that is cut short or damaged ({error}); a download may have stopped half-way: "
            "fetch the file again."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error


def begins_with(path: Path, mark: bytes) -> bool:
    """Whether a file begins with these bytes; not when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False
