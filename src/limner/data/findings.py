"""What was seen of a set of pictures, and what of it a person should know."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from limner.core.errors import listing
from limner.data.layout import Part, stem
from limner.data.looking import Looks, has_hashes
from limner.data.near import near_groups
from limner.data.store import MINIMUM

EXTREME = 2.5  # times wider or higher than its fellows: what is cut to the common shape loses more than half
UNEVEN = 10  # times as many pictures as in the smallest class
FEW = 200  # pictures below which a GAN learns them by heart
TINY = 0.5  # of the size that most have: more is enlarged than seen
SMALLEST_HASHED = 48  # px: below, different pictures of one motif, such as two ones of MNIST, have the same hash
SHOWN_ALIKE = 4  # pictures of a group that a finding names
EXAMPLES = 5

Severity = Literal["stops", "harms", "note"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something a person should know: it stops training, harms what is learned, or is only worth a note."""

    severity: Severity
    kind: str
    words: str
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Seen:
    """A part of the set and what was seen of it."""

    part: Part
    looks: Looks

    @property
    def table(self) -> np.ndarray:
        return self.looks.table

    def name(self, row: int) -> str:
        """What a message calls the picture of a row of the table."""
        return self.called(int(self.table["index"][row]))

    def called(self, index: int) -> str:
        """What a message calls a picture of the source."""
        side = f" ({self.part.side})" if self.part.side else ""
        return f"{self.part.source.name(index)}{side}"

    def facts(self) -> dict[str, Any]:
        """Counts, sizes and kinds, as JSON takes them."""
        table, source = self.table, self.part.source
        facts: dict[str, Any] = {"part": self.part.title, "pictures": len(source), "readable": len(table)}
        if len(table):
            area = table["height"].astype(np.int64) * table["width"]
            low, high = int(area.argmin()), int(area.argmax())
            sizes = collections.Counter(zip(table["width"].tolist(), table["height"].tolist(), strict=True))
            facts["smallest"] = [int(table["width"][low]), int(table["height"][low])]
            facts["largest"] = [int(table["width"][high]), int(table["height"][high])]
            facts["sizes"] = len(sizes)
            facts["channels"] = {str(k): v for k, v in sorted(collections.Counter(table["channels"].tolist()).items())}
            facts["depths"] = {str(k): v for k, v in sorted(collections.Counter(table["depth"].tolist()).items())}
            facts["bytes"] = int(table["bytes"].sum())
        facts["kinds"] = dict(self.looks.kinds.most_common())
        if source.classes and source.labels is not None:
            counts = np.bincount(source.labels, minlength=len(source.classes)).tolist()
            facts["classes"] = dict(zip(source.classes, counts, strict=True))
        return facts


def are_pairs(seen: Sequence[Seen]) -> bool:
    """Whether most of the pictures A to learn from have a partner in B of the same name."""
    a, b = (_stems(seen, side) for side in "AB")
    return bool(a and b) and len(a.keys() & b.keys()) * 2 >= max(len(a), len(b))


def _stems(seen: Sequence[Seen], side: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = collections.defaultdict(list)
    for one in seen:
        if one.part.side == side and one.part.split == "train":
            for index in range(len(one.part.source)):
                found[stem(one.part.source.name(index))].append(one.called(index))
    return found


def findings(seen: Sequence[Seen]) -> list[Finding]:
    """Say what is wrong or worth knowing, the most serious first."""
    found: list[Finding] = []
    for one in seen:
        found += _readable(one)
    found += _partners(seen)
    found += _same(seen)
    for one in seen:
        found += [*_shapes(one), *_modes(one), *_classes(one)]
    return sorted(found, key=lambda finding: ("stops", "harms", "note").index(finding.severity))


def _finding(severity: Severity, kind: str, words: str, names: Iterable[str] = ()) -> Finding:
    names = tuple(names)
    return Finding(severity, kind, f"{words}: {listing(names, EXAMPLES)}." if names else f"{words}.", names)


def _count(number: int, one: str = "picture", many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _are(number: int, which: str = "") -> str:
    return f"{_count(number)}{which} {'is' if number == 1 else 'are'}"


def _readable(one: Seen) -> list[Finding]:
    found, title = [], one.part.title
    whole = int(one.table["whole"].sum())
    if whole < len(one.table):
        words = (
            f"{title}: of so many pictures {whole:,}, evenly spread, were decoded whole, of the others the header read"
        )
        found.append(_finding("note", "looked at in part", words))
    if one.part.split == "train" and len(one.table) < MINIMUM:
        words = f"{title}: only {_count(len(one.table))} can be read; training needs {MINIMUM} at the very least"
        found.append(_finding("stops", "too few", words))
    elif one.part.split == "train" and len(one.table) < FEW:
        words = f"{title}: {_are(len(one.table))} not many; a GAN soon knows them by heart, so gather some hundreds"
        found.append(_finding("note", "few", words))
    for kind, torn in (("truncated", True), ("unreadable", False)):
        broken = [words for words in one.looks.broken.values() if ("truncated" in words) is torn]
        if broken:
            what = f"{_are(len(broken))} cut short" if torn else f"{_count(len(broken))} cannot be read"
            words = f"{title}: {what}; training leaves"
            found.append(_finding("harms", kind, f"{words} {'it' if len(broken) == 1 else 'them'} out", broken))
    if one.looks.misnamed:
        names = [f"{one.called(index)} is {form}" for index, form in one.looks.misnamed.items()]
        words = f"{title}: {_count(len(names))} of another format than the name says; limner reads them all the same"
        found.append(_finding("note", "wrong extension", words, names))
    return found


def _partners(seen: Sequence[Seen]) -> list[Finding]:
    if not are_pairs(seen):
        return []
    a, b = (_stems(seen, side) for side in "AB")
    found = []
    alone = sorted(names[0] for mine, other in ((a, b), (b, a)) for key, names in mine.items() if key not in other)
    if alone:
        words = f"A and B are paired by name, but {_are(len(alone))} without a partner; pix2pix refuses such a set"
        found.append(_finding("stops", "unpaired", words, alone))
    twice = [" and ".join(names) for side in (a, b) for names in side.values() if len(names) > 1]
    if twice:
        words = "A and B are paired by name, but some names differ in their endings only; pix2pix refuses such a set"
        found.append(_finding("stops", "same name", words, twice))
    return found


def _same(seen: Sequence[Seen]) -> list[Finding]:
    # equal pictures, nearly equal ones, and those that are in both what is learned from and what is held out
    found: list[Finding] = []
    for side in dict.fromkeys(one.part.side for one in seen):
        some = [one for one in seen if one.part.side == side]
        owner = np.concatenate([np.full(len(one.table), place) for place, one in enumerate(some)])
        row = np.concatenate([np.arange(len(one.table)) for one in some])
        table = np.concatenate([one.table for one in some])
        looked = np.flatnonzero(table["whole"])
        if not len(looked):
            continue
        names = functools.partial(_name, some, owner, row)
        _, first, number = np.unique(table["content"][looked], return_index=True, return_inverse=True)
        members: dict[int, list[int]] = collections.defaultdict(list)
        for place, group in zip(looked.tolist(), number.tolist(), strict=True):
            members[group].append(place)
        equal = [group for group in members.values() if len(group) > 1]
        found += _alike(equal, owner, names, "equal", side)
        once = np.sort(looked[first])
        shorter = np.minimum(table["height"], table["width"])
        once = once[~table["blank"][once] & (shorter[once] >= SMALLEST_HASHED)]
        if has_hashes():
            thumbs = np.concatenate([one.looks.thumbs for one in some])
            groups = near_groups(table["look"][once], thumbs[np.searchsorted(looked, once)])
            near = [[int(once[place]) for place in group] for group in groups]
            found += _alike(near, owner, names, "nearly equal", side)
        elif side in ("", "A"):
            words = "near-duplicates were not looked for, as that needs another package: pip install 'limner[prepare]'"
            found.append(_finding("note", "not looked for", words))
        blank = np.flatnonzero(table["blank"])
        if len(blank):
            words = f"{_count(len(blank))} of a single colour"
            found.append(_finding("harms", "blank", words, [names(place) for place in blank.tolist()]))
    return found


def _name(some: Sequence[Seen], owner: np.ndarray, row: np.ndarray, place: int) -> str:
    one = some[owner[place]]
    split = f"{one.part.split}: " if len(some) > 1 else ""
    return split + one.name(int(row[place]))


def _alike(
    alike: Sequence[Sequence[int]], owner: np.ndarray, name: Callable[[int], str], how: str, side: str
) -> list[Finding]:
    found = []
    leaks = [group for group in alike if 0 in owner[list(group)] and owner[list(group)].any()]  # 0: to learn from
    title = f"{side}: " if side else ""
    if leaks:
        words = f"{title}{_are(len(leaks), ' to learn from')} {how} to held-out ones: results on those look too good"
        found.append(_finding("harms", "leakage", words, [_equation(name, group) for group in leaks]))
    rest = [group for group in alike if len(set(owner[list(group)].tolist())) == 1]
    if rest:
        spare = sum(len(group) - 1 for group in rest)
        words = f"{title}{_are(spare)} {how} to another, and learned so much oftener"
        kind = "duplicates" if how == "equal" else "near-duplicates"
        found.append(_finding("harms", kind, words, [_equation(name, group) for group in rest]))
    return found


def _equation(name: Callable[[int], str], group: Sequence[int]) -> str:
    more = f" = {len(group) - SHOWN_ALIKE:,} more" if len(group) > SHOWN_ALIKE else ""
    return " = ".join(map(name, group[:SHOWN_ALIKE])) + more


def _shapes(one: Seen) -> list[Finding]:
    table = one.table
    if not len(table):
        return []
    found, title = [], one.part.title
    short = np.minimum(table["height"], table["width"])
    tiny = np.flatnonzero(short < TINY * np.median(short))
    if len(tiny):
        words = f"{title}: {_count(len(tiny))} much smaller than the others would be enlarged and look soft"
        found.append(_finding("harms", "tiny", words, [f"{one.name(row)} {_px(table[row])}" for row in tiny.tolist()]))
    shape = np.log(table["width"] / table["height"])
    odd = np.flatnonzero(np.abs(shape - np.median(shape)) > np.log(EXTREME))
    if len(odd):
        words = f"{title}: {_count(len(odd))} of an extreme shape would lose more than half when cut to the middle"
        found.append(
            _finding("harms", "extreme aspect", words, [f"{one.name(row)} {_px(table[row])}" for row in odd.tolist()])
        )
    return found


def _px(row: np.void) -> str:
    return f"({row['width']}x{row['height']})"


def _modes(one: Seen) -> list[Finding]:
    found, title, words = [], one.part.title, {1: "grey", 3: "in colour", 4: "with transparency"}
    counts = collections.Counter(one.table["channels"].tolist())
    if len(counts) > 1:
        most = counts.most_common(1)[0][0]
        odd = np.flatnonzero(one.table["channels"] != most)
        said = f"{title}: {_count(counts[most])} are {words[most]}, but {_count(len(odd), 'is', 'are')} not; say which "
        said += f"you want, as by --channels {3 if most == 4 else most}"
        found.append(_finding("note", "colour mode", said, map(one.name, odd.tolist())))
    elif 4 in counts:
        said = f"{title}: all are with transparency; --channels 3 lays them on white"
        found.append(_finding("note", "transparency", said))
    deep = np.flatnonzero(one.table["depth"] > 8)
    if len(deep):
        said = f"{title}: {_count(len(deep))} of more than 8 bits a channel; training sees 8"
        found.append(_finding("note", "bit depth", said, map(one.name, deep.tolist())))
    return found


def _classes(one: Seen) -> list[Finding]:
    source, found = one.part.source, []
    if source.labels is None or len(source.classes) < 2 or one.part.split != "train":
        return found
    counts = np.bincount(source.labels, minlength=len(source.classes))
    names = [f"{name} ({count:,})" for name, count in zip(source.classes, counts.tolist(), strict=True)]
    lone = [names[place] for place in np.flatnonzero(counts < 2).tolist()]
    if lone:
        words = f"{_count(len(lone), 'class', 'classes')} of one picture or none, which acgan refuses"
        found.append(_finding("harms", "lone class", words, lone))
    if counts.max() >= UNEVEN * max(1, counts.min()):
        words = f"the classes are uneven, from {names[int(counts.argmin())]} to {names[int(counts.argmax())]}"
        found.append(_finding("note", "uneven classes", words))
    return found
