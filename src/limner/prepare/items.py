"""What a job works on, one item after another: the pictures of a folder, or pairs of them, and the names they get."""

from __future__ import annotations

import collections
import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Protocol

from limner.data.folder import SUFFIXES
from limner.prepare.places import Entry, Place

RESERVED = re.compile(r"\.face\d+$", re.IGNORECASE)  # how the second and further faces of a picture are named
FRONT = frozenset(("front", "frontal", "f"))
SIDE = frozenset(("side", "profile", "s", "p"))
LEFT_RIGHT = frozenset(("left", "right", "l", "r"))
_WORD = re.compile(r"^(?P<name>.*?)[ _.-]*(?P<word>[^\W\d_]+)$", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Item:
    """What one call of a picture function is given.

    `files` are paths below the folder of the originals; `target` is where the result goes, without the ending;
    `refused` says why nothing can be made. `in_order` is off when names do not say which file is which. Items are
    unique in their `name`, and come in its order.
    """

    name: str
    files: tuple[str, ...]
    target: str = ""
    refused: str = ""
    in_order: bool = True


@dataclasses.dataclass(frozen=True)
class Made:
    """What a picture function made: files by their names below OUT, and rows of the job's table."""

    files: tuple[tuple[str, bytes], ...]
    rows: tuple[tuple[str, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Refused:
    """Why nothing was made, and which of the item's files was the reason."""

    reason: str
    which: int = 0


class PictureFunction(Protocol):
    """Bytes in, bytes out: what a job does with every item, wherever it runs. It can be pickled.

    A UserError that it raises is the reason why the item is left out.
    """

    def __call__(self, item: Item, contents: tuple[bytes, ...]) -> Made | Refused: ...


def walk(place: Place, others: collections.Counter[str] | None = None) -> Iterator[Item]:
    """The picture files below a place in the order of their names, each an item; hidden ones are left out.

    Files that would give one name (a.jpg and a.png, or names that some systems hold to be the same) are told apart.
    `others` counts the files that are no pictures, by their ending. A link to a folder that holds it is left out.
    """
    yield from _walk(place, "", "", (place.identity(""),), others if others is not None else collections.Counter())


def _walk(
    place: Place, folder: str, target: str, above: tuple[object, ...], others: collections.Counter[str]
) -> Iterator[Item]:
    entries = [entry for entry in place.entries(folder) if not entry.name.startswith(".")]
    pictures = []
    for entry in entries:
        if entry.folder or (suffix := _suffix(entry.name)) in SUFFIXES:
            pictures.append(entry)
        else:
            others[suffix or "no ending"] += 1
    names = _apart(pictures)
    # A folder sorts as its files do: by a name that goes on with a slash.
    for entry in sorted(pictures, key=lambda entry: f"{entry.name}/" if entry.folder else entry.name):
        path = f"{folder}{entry.name}"
        if not entry.folder:
            yield Item(path, (path,), target + names[entry.name])
        elif (identity := place.identity(path)) is None or identity not in above:
            yield from _walk(place, f"{path}/", f"{target}{names[entry.name]}/", (*above, identity), others)


def _apart(entries: list[Entry]) -> dict[str, str]:
    """Names without an ending, no two the same in any file system; folders keep theirs where they can."""
    stems = collections.Counter(_same(_stem(entry.name)) for entry in entries if not entry.folder)
    taken: set[str] = set()
    names = {}
    for entry in sorted(entries, key=lambda entry: (not entry.folder, entry.name)):
        name = entry.name
        if not entry.folder:
            stem = _stem(name)
            name = name if stems[_same(stem)] > 1 or RESERVED.search(stem) else stem
        number, free = 2, name
        while _same(free) in taken:
            number, free = number + 1, f"{name}~{number}"
        taken.add(_same(free))
        names[entry.name] = free
    return names


def pairs(items: Iterable[Item]) -> list[Item]:
    """Group pictures into pairs of a front and a side view by their names; what has no partner is refused.

    001_front.jpg goes with 001_side.jpg, x-f.png with x-s.png, x-L.jpg with x-R.jpg; front/001.jpg with side/001.jpg.
    Of a front view with a left and a right one come two pairs.
    """
    groups: dict[str, list[tuple[str, Item]]] = collections.defaultdict(list)
    made = []
    for item in items:
        key, word = _view(item.target)
        if word:
            groups[key].append((word, item))
        else:
            made.append(_alone(item, "its name does not say which view it is, as in 001_front.jpg and 001_side.jpg"))
    for key, views in groups.items():
        made += _paired(key, views)
    return sorted(made, key=lambda item: item.name)


def _paired(key: str, views: list[tuple[str, Item]]) -> list[Item]:
    front = [item for word, item in views if word in FRONT]
    side = [item for word, item in views if word in SIDE]
    other = [(word, item) for word, item in views if word in LEFT_RIGHT]
    if not front and not side and len({word[0] for word, _ in other}) == len(other) == 2:
        files = tuple(item.files[0] for _, item in other)
        return [Item(f"{key} (pair)", files, key, in_order=False)]
    if len(front) > 1 or len(side) > 1:
        names = ", ".join(item.name for item in (front if len(front) > 1 else side))
        return [_alone(item, f"several have the same view by their names: {names}") for _, item in views]
    beside = [("", item) for item in side] + other
    if not front or not beside:
        return [_alone(item, f"no {'side' if front else 'front'} view goes with it by its name") for _, item in views]
    found = []
    for word, item in beside:
        name = f"{key}-{word}" if word and len(beside) > 1 else key
        found.append(Item(f"{name} (pair)", (front[0].files[0], item.files[0]), name))
    return found


def _alone(item: Item, reason: str) -> Item:
    return dataclasses.replace(item, refused=reason)


def _view(target: str) -> tuple[str, str]:
    """What the pictures of one person have in common in their names, and the word for the view, "" for none."""
    words = FRONT | SIDE | LEFT_RIGHT
    path = PurePosixPath(target)
    found = _WORD.match(path.name)
    word = found["word"].lower() if found else ""
    if found and word in words and found["name"] and len(found["name"]) + len(word) < len(path.name):
        return (path.parent / found["name"]).as_posix(), word
    for i, part in enumerate(path.parts[:-1]):
        if part.lower() in words and len(part) > 1:
            return PurePosixPath(*path.parts[:i], *path.parts[i + 1 :]).as_posix(), part.lower()
    return target, ""


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
