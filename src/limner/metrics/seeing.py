"""Each picture is seen once: streamed through an extractor, by all processes together, kept for the next time."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from limner.core import fetching, files
from limner.core.errors import UserError, listing
from limner.metrics.metric import Extractor, Features
from limner.metrics.pictures import PictureSet

BATCH = 64
KEPT = 2_000_000_000  # bytes of kept features; the oldest go first

Progress = Callable[[int], None]
"""is told how many more pictures have been seen"""


@dataclasses.dataclass(frozen=True)
class Team:
    """Processes that share the work: this one's number, how many there are, and how they exchange what they found."""

    rank: int = 0
    world: int = 1
    gather: Callable[[Any], list[Any]] = lambda value: [value]


ALONE = Team()


@dataclasses.dataclass(frozen=True)
class Seen:
    """Features of a set, the positions that they belong to (broken pictures are missing), and what was broken."""

    features: Features
    positions: np.ndarray
    broken: tuple[str, ...] = ()


def see(
    pictures: PictureSet,
    extractor: Extractor,
    team: Team = ALONE,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Seen:
    """Extract the features of a set, or take up what an earlier call has kept of the same pictures.

    The same for any number of processes. Errors: UserError that lists the broken pictures unless they are to be
    skipped.
    """
    kept = _kept_file(pictures, extractor)
    found = _take_up(kept) if kept and team.rank == 0 else None
    found = team.gather(found)[0]
    if found is None:
        part = _look(pictures, extractor, range(team.rank, pictures.count, team.world), skip_broken, progress)
        found = _join(team.gather(part))
        if kept and team.rank == 0 and not found.broken:
            _keep(kept, found)
    elif progress:
        progress(len(range(team.rank, pictures.count, team.world)))
    if found.broken and not skip_broken:
        raise UserError(
            f"{len(found.broken):,} of {pictures.count:,} pictures of {pictures.title} cannot be read: "
            f"{listing(found.broken)}. Mend or remove them, or leave them out by --skip-broken."
        )
    return found


def batches(pictures: PictureSet, positions: Sequence[int]) -> Iterator[tuple[list[int], list[np.ndarray], list[str]]]:
    """Read a set `BATCH` pictures at a time: positions and pictures that are whole, and messages about the others."""
    chunks = [list(positions[start : start + BATCH]) for start in range(0, len(positions), BATCH)]
    if not pictures.background:
        for chunk in chunks:
            yield _read(pictures, chunk)
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_read, pictures, chunks[0]) if chunks else None
        for following in [*chunks[1:], None]:
            assert coming is not None
            ready = coming.result()
            coming = pool.submit(_read, pictures, following) if following else None
            yield ready


def _read(pictures: PictureSet, positions: list[int]) -> tuple[list[int], list[np.ndarray], list[str]]:
    try:
        return positions, pictures.read(positions), []
    except UserError:  # which of them?
        whole, read, broken = [], [], []
        for position in positions:
            try:
                read += pictures.read([position])
                whole.append(position)
            except UserError as error:
                broken.append(str(error))
        return whole, read, broken


def _look(
    pictures: PictureSet, extractor: Extractor, positions: Sequence[int], skip_broken: bool, progress: Progress | None
) -> Seen:
    vectors, logits, whole, broken = [], [], [], []
    for some, read, messages in batches(pictures, positions):
        broken += messages
        if some and (skip_broken or not broken):  # what will be refused is only read on, to name all that is broken
            features = extractor.extract(read)
            vectors.append(features.vectors)
            logits += [] if features.logits is None else [features.logits]
            whole += some
        if progress:
            progress(len(some) + len(messages))
    empty = np.zeros((0, extractor.dimensions), np.float32)
    features = Features(np.concatenate([empty, *vectors]), np.concatenate(logits) if logits else None)
    return Seen(features, np.array(whole, dtype=np.int64), tuple(broken))


def _join(parts: list[Seen]) -> Seen:
    positions = np.concatenate([part.positions for part in parts])
    order = np.argsort(positions)
    logits = [part.features.logits for part in parts if part.features.logits is not None]
    features = Features(
        np.concatenate([part.features.vectors for part in parts])[order],
        np.concatenate(logits)[order] if logits else None,
    )
    return Seen(features, positions[order], tuple(message for part in parts for message in part.broken))


def _kept_file(pictures: PictureSet, extractor: Extractor) -> Any:
    if not pictures.key:
        return None
    answers = str(len(extractor.answers))  # the same weights may be there with and without a classifier's last layer
    words = (pictures.key, pictures.stamp, extractor.name, extractor.weights, extractor.resize, answers)
    name = hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]
    return fetching.cache_folder() / "features" / f"{name}.npz"


def _take_up(file: Any) -> Seen | None:
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as content:
            features = Features(content["vectors"], content.get("logits"))
            return Seen(features, content["positions"])
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ):  # absent or damaged: it is made anew
        return None


def _keep(file: Any, seen: Seen) -> None:
    # Keeping is a courtesy: a full or read-only disk must not cost a finished measurement.
    arrays = {"vectors": seen.features.vectors, "positions": seen.positions}
    if seen.features.logits is not None:
        arrays["logits"] = seen.features.logits
    content = io.BytesIO()
    np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]
    try:
        files.write_bytes(file, content.getvalue())
        older = sorted(file.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
        total = 0
        for path in older:
            total += path.stat().st_size
            if total > KEPT:
                path.unlink(missing_ok=True)
    except (OSError, UserError):
        return
