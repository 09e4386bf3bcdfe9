"""What a person calls data, taken apart: its splits, and its two kinds of pictures where it has them."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath

from limner import data as sources
from limner.core.errors import UserError
from limner.data.folder import SPLITS, Folder
from limner.data.pairs import TEST, TRAIN, find_parts
from limner.data.source import Source

WIDE = 0.05  # how far from 2 : 1 a picture may be that shows two side by side


@dataclasses.dataclass(frozen=True)
class Part:
    """Some pictures: of one split ("train" or "test") and of one side ("A", "B", or "" where there is one kind)."""

    split: str
    side: str
    source: Source

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self.split} {self.side}".strip()


@dataclasses.dataclass(frozen=True)
class Layout:
    """The parts of a set, those to learn from first, and in words how they lie."""

    words: str
    parts: tuple[Part, ...]

    @property
    def two_kinds(self) -> bool:
        """Whether there are pictures A and pictures B."""
        return any(part.side for part in self.parts)


def open_layout(data: str) -> Layout:
    """Open all parts of a set, also those that training leaves alone; errors as `limner.data.open`."""
    found = _two_kinds(data)
    if found is not None:
        return found
    source = sources.open(data)
    if not isinstance(source, Folder):
        return Layout(
            f"{len(source.classes)} classes" if source.classes else "one kind of picture", (Part("train", "", source),)
        )
    path = sources.located(sources.stated_kind(data)[1])
    parts = [Part("train", "", source)]
    if source.root != path:  # what is learned from is one split: the others are looked at too
        others = [child for child in sorted(path.iterdir()) if child.is_dir() and child != source.root]
        others = [child for child in others if child.name.lower() in SPLITS]
        parts += [Part("test" if child.name.lower() in TEST else child.name, "", Folder(child)) for child in others]
    words = "a folder for each class" if source.classes else "one kind of picture"
    splits = ", ".join(part.source.root.name for part in parts if isinstance(part.source, Folder))
    return Layout(f"{words}, in {splits}" if len(parts) > 1 or source.root != path else words, tuple(parts))


def _two_kinds(data: str) -> Layout | None:
    kind, rest = sources.stated_kind(data)
    if kind and sources.SOURCES.load(kind).remote:
        return None
    path = sources.located(rest) if rest else Path()
    if path.is_dir():
        wanted = {"a", "b", *(f"{word}{side}" for word in (*TRAIN, *TEST) for side in "ab")}
        if kind not in ("", "folder") or not any(c.name.lower() in wanted and c.is_dir() for c in path.iterdir()):
            return None
        found = find_parts(data, paired=False)
    else:
        try:
            found = find_parts(data, paired=False)  # two arrays of one file
        except UserError:
            return None
    splits = [("train", found.train), *([("test", found.test)] if found.test else [])]
    parts = tuple(Part(split, side, source) for split, one in splits for side, source in (("A", one.a), ("B", one.b)))
    return Layout(found.layout, parts)


def stem(name: str) -> str:
    """What pictures are paired by: the name without its ending."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.name else name
