"""Two kinds of pictures, A and B: found by looking at a folder, paired by name, split into training and held-out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from limner import data as sources
from limner.core import rng
from limner.core.errors import UserError, listing
from limner.data.folder import SUFFIXES, Folder
from limner.data.source import Source
from limner.data.views import View

HELD_OUT = 0.2  # of the pictures, where the folder has no test part of its own
LOOKED_AT = 1000  # pictures, or all when they are fewer, whose shape is judged; headers are read quickly
TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
LAYOUTS = """
  DATA/train/*.jpg, DATA/test/*.jpg    each picture shows A on the left and B on the right
  DATA/A, DATA/B                       pairs by file name (or any two sets, for unpaired methods)
  DATA/trainA, DATA/trainB, DATA/testA, DATA/testB    the same, split"""


@dataclasses.dataclass(frozen=True)
class Part:
    """The pictures of both kinds in one split."""

    a: Source
    b: Source

    def __bool__(self) -> bool:
        return min(len(self.a), len(self.b)) > 0


@dataclasses.dataclass(frozen=True)
class Pairs:
    """What a folder of two kinds holds; `layout` says in words what was found, and which is A."""

    train: Part
    held_out: Part
    paired: bool
    layout: str


@dataclasses.dataclass(frozen=True)
class Found:
    """Both kinds as they lie there: `test` is the held-out part that a set brings itself."""

    train: Part
    test: Part | None
    layout: str


def open_pairs(data: str, paired: bool) -> Pairs:
    """Open a set of two kinds of pictures, paired by name or (with `paired` off) as two independent sets.

    Of a set without a held-out part, a fifth is held out by a draw.
    Errors: UserError for a set in no known or in an ambiguous layout, for names without a partner, for an empty side.
    """
    found = find_parts(data, paired)
    for side, source in (("A", found.train.a), ("B", found.train.b)):
        if not len(source):
            raise UserError(f"{found.layout}; but {side} is empty.")
    if found.test is not None:
        return Pairs(found.train, found.test, paired, found.layout)
    train, layout = found.train, f"{found.layout}; {HELD_OUT:.0%} held out by a draw"
    if paired:
        learn, hold = _split(len(train.a))
        return Pairs(_take(train, learn, learn), _take(train, hold, hold), True, layout)
    (learn_a, hold_a), (learn_b, hold_b) = _split(len(train.a)), _split(len(train.b))
    return Pairs(_take(train, learn_a, learn_b), _take(train, hold_a, hold_b), False, layout)


def find_parts(data: str, paired: bool) -> Found:
    """Find A and B in a folder, a file or a set of the hub; errors as `open_pairs`."""
    kind, rest = sources.stated_kind(data)
    if kind == "hub":
        from limner.data import hub

        return _columns(*hub.open_columns(rest), data)
    if kind == "stream":
        raise UserError(
            f"data {data!r}: only sets of one kind of picture are streamed. Give it without 'stream:': both kinds are "
            "then decoded once, at the size that is trained at."
        )
    path = sources.located(rest)
    if path.exists():
        kind = kind or sources.recognised(path) or ""
    if kind == "hdf5":
        return _arrays(path, paired)
    if kind == "parquet":
        from limner.data import parquet

        return _columns(*parquet.open_columns(path), str(path))
    if not path.is_dir():
        sources.open(data)  # says what is wrong with it, when something is
        raise UserError(f"data {data!r} holds one kind of picture; two are needed, as in one of these:{LAYOUTS}")
    inner = {child.name.lower(): child for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")}
    split_folders = {f"{word}{side}" for word in (*TRAIN, *TEST) for side in "ab"} & inner.keys()
    two_folders = {"a", "b"} & inner.keys()
    loose = _holds_pictures(path)
    found = [bool(split_folders), bool(two_folders), loose]
    if sum(found) > 1:
        words = [*sorted(split_folders), *sorted(two_folders), *(["loose pictures"] if loose else [])]
        raise UserError(
            f"data {data!r} can be read in more than one way (it holds {', '.join(words)}): keep one of these layouts, "
            f"and move the rest elsewhere:{LAYOUTS}"
        )
    if split_folders:
        return _split_folders(path, inner, paired)
    if two_folders:
        return _two_folders(path, inner, paired)
    return _side_by_side(path, inner)


def _arrays(path: Path, paired: bool) -> Found:
    from limner.data.hdf5 import open_arrays

    train, test = open_arrays(path)
    for a, b in (train, test) if test and paired else (train,) if paired else ():
        strangers = [
            f"{one} and {other}" for one, other in zip(a.names, b.names, strict=False) if _stem(one) != _stem(other)
        ]
        if len(a) != len(b) or strangers:
            why = f"their names differ ({listing(strangers, 3)})" if strangers else "pairs need as many of each"
            raise UserError(
                f"{path}: its arrays {a.key} and {b.key} hold {len(a):,} and {len(b):,} pictures, and {why}. For sets "
                "that do not belong together choose an unpaired method, such as cyclegan."
            )
    return _columns(train, test, str(path))


def _columns(train: tuple[Source, Source], test: tuple[Source, Source] | None, title: str) -> Found:
    return Found(Part(*train), Part(*test) if test else None, f"A and B are the two arrays of {title}")


def _split_folders(path: Path, inner: dict[str, Path], paired: bool) -> Found:
    parts = {}
    for split, words in (("train", TRAIN), ("test", TEST)):
        sides = [next((inner[f"{word}{side}"] for word in words if f"{word}{side}" in inner), None) for side in "ab"]
        if (sides[0] is None) != (sides[1] is None):
            missing = "B" if sides[1] is None else "A"
            raise UserError(f"{path} has {(sides[0] or sides[1])} but no {split}{missing} beside it.")  # type: ignore[operator]
        if sides[0] is not None and sides[1] is not None:
            parts[split] = _part(_one(sides[0]), _one(sides[1]), paired)
    if "train" not in parts:
        raise UserError(f"{path} has testA and testB, but no trainA and trainB to learn from.")
    words = f"A is {path.name}/trainA, B is {path.name}/trainB"
    return Found(parts["train"], parts.get("test"), words)


def _two_folders(path: Path, inner: dict[str, Path], paired: bool) -> Found:
    if len({"a", "b"} & inner.keys()) < 2:
        there = inner.get("a") or inner.get("b")
        raise UserError(f"{path} holds a folder {there.name!r}, but not its partner: expected A and B.")  # type: ignore[union-attr]
    part = _part(_one(inner["a"]), _one(inner["b"]), paired)
    test = (
        _part(_one(inner["a"], True), _one(inner["b"], True), paired) if _have_tests(inner["a"], inner["b"]) else None
    )
    return Found(part, test, f"A is {path.name}/{inner['a'].name}, B is {path.name}/{inner['b'].name}")


def _one(folder: Path, held_out: bool = False) -> Source:
    if sources.recognised(folder) != "parquet":
        return Folder(folder)
    from limner.data.parquet import Parquet

    return Parquet(folder, held_out=held_out)


def _have_tests(*folders: Path) -> bool:
    from limner.data.parquet import has_test

    return all(sources.recognised(folder) == "parquet" and has_test(folder) for folder in folders)


def _side_by_side(path: Path, inner: dict[str, Path]) -> Found:
    train = next((inner[word] for word in TRAIN if word in inner), None)
    tests = [inner[word] for word in TEST if word in inner]
    whole = Folder(train or path)
    _check_halves(whole)
    held_out = _halves(Folder(tests[0])) if train is not None and tests else None
    return Found(_halves(whole), held_out, "A is the left half of each picture, B the right half")


def _halves(folder: Folder) -> Part:
    everything = range(len(folder))
    return Part(View(folder, everything, "left"), View(folder, everything, "right"))


def _check_halves(folder: Folder) -> None:
    # One kind of picture looks the same: only the shape tells two side by side from one.
    tall = [name for i in range(0, len(folder), max(1, len(folder) // LOOKED_AT)) if (name := _not_wide(folder, i))]
    if tall:
        raise UserError(
            f"{folder.root} should hold pictures that show A on the left and B on the right, but these are not wider "
            f"than high: {listing(tall)}. Two kinds of pictures are read from one of these layouts:{LAYOUTS}"
        )


def _not_wide(folder: Folder, index: int) -> str | None:
    try:
        size, _ = folder.probe(index)
    except UserError:
        return None  # it is broken, and will be skipped when it is decoded
    return folder.name(index) if size.width <= size.height else None


def _part(a: Source, b: Source, paired: bool) -> Part:
    if not paired:
        return Part(a, b)
    in_a, in_b = _stems(a), _stems(b)
    alone = [f"{name} (A)" for name in in_a.keys() - in_b] + [f"{name} (B)" for name in in_b.keys() - in_a]
    if alone:
        raise UserError(
            f"A and B are paired by file name, but {len(alone):,} have no partner: {listing(sorted(alone))}. Complete "
            "them or take them out; for sets that do not belong together choose an unpaired method, such as cyclegan."
        )
    names = sorted(in_a)
    return Part(View(a, [in_a[name] for name in names]), View(b, [in_b[name] for name in names]))


def _stems(source: Source) -> dict[str, int]:
    found: dict[str, int] = {}
    for i in range(len(source)):
        stem = _stem(source.name(i))
        if stem in found:
            raise UserError(
                f"{source.name(i)} and {source.name(found[stem])} have the same name for pairing: rename one."
            )
        found[stem] = i
    return found


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.name else name


def _split(count: int) -> tuple[np.ndarray, np.ndarray]:
    # by a fixed seed: every run on the same pictures, whatever its own seed, holds the same ones out
    order = rng.permutation(0, 0, count)
    held_out = min(count - 1, max(1, round(count * HELD_OUT)))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _take(part: Part, in_a: Sequence[int] | np.ndarray, in_b: Sequence[int] | np.ndarray) -> Part:
    return Part(View(part.a, in_a), View(part.b, in_b))


def _holds_pictures(path: Path) -> bool:
    return any(child.suffix.lower() in SUFFIXES for child in path.iterdir() if child.is_file())
