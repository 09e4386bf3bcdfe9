"""One look at every picture of a set: its header, its bytes, its pixels; on all cores, some pictures at a time."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import io
import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.folder import Folder
from limner.data.source import EncodedSource, Source
from limner.data.views import View
from limner.data.zip_file import Zip

PIECE = 200  # pictures that a process looks at between two messages
ALONE = 1_000  # up to so many, starting processes takes longer than looking
WHOLE = 200_000  # pictures that are decoded whole; of larger sets every second, third ... one, of the others the header
LARGEST = 512_000_000  # bytes of a picture file
SEEN = 32  # px: what a picture is reduced to before it is compared
THUMB = 16  # px: what of it is kept
ENDINGS = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # a telephone's photograph with a small copy behind it
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
LOOK = np.dtype(
    [
        ("index", "i8"),
        ("height", "i4"),
        ("width", "i4"),
        ("channels", "i1"),
        ("depth", "i1"),  # bits a channel
        ("bytes", "i8"),
        ("whole", "?"),  # it was decoded whole
        ("blank", "?"),  # all of one colour
        ("content", "S16"),  # what is the same for equal files, or equal pixels where there are no files
        ("look", "u8"),  # what is nearly the same for pictures that look the same
    ]
)


@dataclasses.dataclass
class Looks:
    """What was seen of one source: `table` holds a row (LOOK) a readable picture, in order, `thumbs` uint8 (W, k) a few
    grey values of those that were decoded whole.

    `broken` says of the others what is wrong; `misnamed` of which kind a file is that its ending does not tell;
    `kinds` counts file formats with Pillow's mode, such as "JPEG RGB".
    """

    table: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, LOOK))
    thumbs: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, THUMB * THUMB), np.uint8))
    broken: dict[int, str] = dataclasses.field(default_factory=dict)
    misnamed: dict[int, str] = dataclasses.field(default_factory=dict)
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def look_at_all(
    sources: Sequence[Source], reopen: Callable[[], Sequence[Source]], progress: Callable[[int], None]
) -> list[Looks]:
    """Look at all pictures of some sources; `progress` is told how many more are done.

    `reopen` gives the same sources in another process. Errors: UserError when a process of ours dies.
    """
    total = sum(map(len, sources))
    every = max(1, math.ceil(total / WHOLE))
    pieces = [
        (number, first, min(first + PIECE, len(source)), every)
        for number, source in enumerate(sources)
        for first in range(0, len(source), PIECE)
    ]
    found: list[list[Looks]] = [[] for _ in sources]
    in_memory = any(_inner(source).array is not None for source in sources)
    results = _here(sources, pieces) if total <= ALONE or in_memory else _spread(reopen, pieces)
    for (number, first, last, _), looks in zip(pieces, results, strict=True):
        found[number].append(looks)
        progress(last - first)
    return [_joined(some) for some in found]


def _here(sources: Sequence[Source], pieces: Sequence[tuple[int, int, int, int]]) -> Iterator[Looks]:
    for number, first, last, every in pieces:
        yield look_at(sources[number], range(first, last), every)


def _spread(reopen: Callable[[], Sequence[Source]], pieces: Sequence[tuple[int, int, int, int]]) -> Iterator[Looks]:
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ProcessPoolExecutor(cores, get_context(method), _begin, (reopen,))
    waiting: collections.deque[Future[Looks]] = collections.deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(_look_there, piece))
            if len(waiting) > 4 * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process that looks at the pictures was stopped by the system, most likely for want of memory: is there "
            "a picture of an uncommon size among them?"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_sources: Sequence[Source] = ()


def _begin(reopen: Callable[[], Sequence[Source]]) -> None:
    global _sources
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it, and ends the others
    _sources = reopen()


def _look_there(piece: tuple[int, int, int, int]) -> Looks:
    number, first, last, every = piece
    return look_at(_sources[number], range(first, last), every)


def look_at(source: Source, indices: Sequence[int], every: int = 1) -> Looks:
    """Look at some pictures of a source, at each `every`-th whole."""
    table = np.zeros(len(indices), LOOK)
    found, kept, thumbs = Looks(), 0, []
    for index in indices:
        row = table[kept]
        row["index"] = index
        try:
            picture = _look(source, index, row, found, index % every == 0)
            kept += 1
            if picture is not None:
                thumbs.append(_compared(picture, row))
        except UserError as error:
            found.broken[index] = str(error)
        except MemoryError:
            found.broken[index] = f"{source.name(index)}: it is too large for this machine's memory"
    found.table = table[:kept].copy()
    found.thumbs = np.array(thumbs, np.uint8).reshape(-1, THUMB * THUMB)
    return found


def _look(source: Source, index: int, row: np.void, found: Looks, whole: bool) -> Image.Image | None:
    # fills in the row; gives the picture, perhaps at a smaller scale, when it was decoded
    name = source.name(index)
    content = _content(source, index)
    if content is None:
        picture = source.read(index)
        row["height"], row["width"], row["channels"] = picture.height, picture.width, images.channels_of(picture)
        row["depth"] = 8
        kind = picture.mode
        digest = hashlib.blake2b(repr(picture.size).encode() + picture.tobytes(), digest_size=16)
    else:
        row["bytes"] = len(content)
        form, mode = _header(content, name, row)
        ending = "." + name.rpartition(".")[2].lower()
        in_files = isinstance(_inner(source), Folder | Zip)  # names in a table are those of where a picture came from
        if in_files and form and "." in name and ending not in ENDINGS.get(form, (ending,)):
            found.misnamed[index] = form
        kind = f"{form} {mode}"
        # decoded small where the format allows it: a JPEG that is cut short shows it even so
        picture = images.decode(content, Size(SEEN, SEEN), name) if whole else None
        row["channels"] = images.channels_of(picture) if picture is not None else images.probe(content, name)[1]
        digest = hashlib.blake2b(content, digest_size=16)
    found.kinds[kind] += 1
    row["content"] = digest.digest().replace(b"\0", b"\1")  # NumPy would take trailing zeros off
    return picture


def _compared(picture: Image.Image, row: np.void) -> np.ndarray:
    grey = images.convert(picture, 1)
    row["whole"] = True
    row["blank"] = all(low == high for low, high in _extremes(picture))
    row["look"] = _perceptual(grey)
    return np.asarray(grey.resize((THUMB, THUMB), Image.Resampling.BOX)).ravel()


def _header(content: bytes, name: str, row: np.void) -> tuple[str, str]:
    """Fill in the size and depth; format and Pillow's mode are returned."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            turned = "exif" in opened.info and opened.getexif().get(0x0112) in (5, 6, 7, 8)  # as `images.probe` does
            sides = (opened.width, opened.height) if turned else (opened.height, opened.width)
            row["height"], row["width"] = sides
            row["depth"] = _depth(opened, content)
            return opened.format or "", opened.mode
    except Exception:  # Pillow raises many kinds
        images.probe(content, name)  # says it in our words
        raise


def _extremes(picture: Image.Image) -> Sequence[tuple[float, float]]:
    found = picture.getextrema()
    return [found] if isinstance(found[0], (int, float)) else found  # pyright: ignore[reportReturnType]


def _inner(source: Source) -> Source:
    while isinstance(source, View):
        source = source.source
    return source


def _content(source: Source, index: int) -> bytes | None:
    # the bytes of a picture file; None where there are none
    if isinstance(source, View) and source.half is None:
        return _content(source.source, int(source.indices[index]))
    if isinstance(source, EncodedSource):
        return source.content(index)
    if not isinstance(source, Folder):
        return None
    path = source.root / source.names[index]
    try:
        size = path.stat().st_size
        if size == 0:
            raise UserError(f"{source.name(index)}: it is empty (0 bytes)")
        if size > LARGEST:
            raise UserError(f"{source.name(index)}: it has {size:,} bytes, more than limner opens")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{source.name(index)}: it cannot be read ({error.strerror or error})") from error


def _depth(picture: Image.Image, content: bytes) -> int:
    if picture.format == "PNG":
        return content[24]  # Pillow gives 16-bit colour as 8
    if picture.format == "TIFF":
        with contextlib.suppress(Exception):  # a tag may be anything
            return int(picture.tag_v2[258][0])  # pyright: ignore[reportAttributeAccessIssue]
    return {"1": 1, "I": 32, "F": 32}.get(picture.mode, 16 if picture.mode.startswith("I;16") else 8)


@functools.cache
def has_hashes() -> bool:
    """Whether near-duplicates can be found: perceptual hashes come with an extra."""
    return importlib.util.find_spec("imagehash") is not None


def _perceptual(grey: Image.Image) -> int:
    if not has_hashes():
        return 0
    import imagehash

    bits = imagehash.phash(grey.resize((SEEN, SEEN), Image.Resampling.BOX)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _joined(some: Sequence[Looks]) -> Looks:
    whole = Looks()
    if some:
        whole.table, whole.thumbs = (
            np.concatenate(each) for each in zip(*((one.table, one.thumbs) for one in some), strict=True)
        )
    for looks in some:
        whole.broken |= looks.broken
        whole.misnamed |= looks.misnamed
        whole.kinds += looks.kinds
    return whole
