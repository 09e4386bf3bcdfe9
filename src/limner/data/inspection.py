"""What a set of pictures holds, what is wrong with it, and what it is good for."""

from __future__ import annotations

import collections
import dataclasses
import functools
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from limner.core.console import counting
from limner.data.findings import Finding, Seen, are_pairs, findings
from limner.data.layout import WIDE, Layout, open_layout
from limner.data.looking import look_at_all
from limner.data.source import Source

SIZES = (32, 64, 128, 256)
SMALLER = 0.1  # of the pictures may be smaller than the advised size
ENOUGH = 100  # pictures of a class, of which acgan learns something
STEPS = ((1_000, 64), (5_000, 128))  # below so many pictures, larger new ones than that come out badly


@dataclasses.dataclass(frozen=True)
class Advice:
    """Which preset and size suit a set, why, and the command that says so."""

    preset: str
    size: int
    reason: str
    command: str


@dataclasses.dataclass(frozen=True)
class Inspection:
    """All that was found; `findings` come the most serious first."""

    data: str
    layout: Layout
    seen: tuple[Seen, ...]
    findings: tuple[Finding, ...]

    @property
    def would_fail(self) -> bool:
        """Whether training on it would fail."""
        return any(finding.severity == "stops" for finding in self.findings)

    @property
    def paired(self) -> bool:
        """Whether A and B belong together by their names, or are the halves of one picture."""
        return are_pairs(self.seen)

    @property
    def side_by_side(self) -> bool:
        """Whether each picture is twice as wide as high, as two pictures side by side are."""
        tables = [one.table for one in self.seen if len(one.table)]
        if self.layout.two_kinds or not tables:
            return False
        shapes = np.concatenate([table["width"] / table["height"] for table in tables])
        return bool((np.abs(shapes / 2 - 1) <= WIDE).mean() > 0.95)


def inspect(data: str, show: bool = False) -> Inspection:
    """Look at every picture of a set and say what is wrong; `show` shows a bar on a terminal.

    Errors: UserError when there is no such set, or nothing in it that limner reads.
    """
    layout = open_layout(data)
    sources = [part.source for part in layout.parts]
    with counting("looking at pictures", sum(map(len, sources)), show) as more:
        looks = look_at_all(sources, functools.partial(_reopen, data), more)
    seen = tuple(Seen(part, one) for part, one in zip(layout.parts, looks, strict=True))
    return Inspection(data, layout, seen, tuple(findings(seen)))


def _reopen(data: str) -> Sequence[Source]:
    return [part.source for part in open_layout(data).parts]


def advise(inspection: Inspection) -> Advice | None:
    """Say which preset and size suit a set; None when none of its pictures can be read."""
    train = [one for one in inspection.seen if one.part.split == "train" and len(one.table)]
    if not train:
        return None
    halves = 2 if inspection.side_by_side else 1
    sides = np.concatenate([np.minimum(one.table["height"], one.table["width"] // halves) for one in train])
    typical = int(np.quantile(sides, SMALLER))
    size = max([size for size in SIZES if size <= typical], default=SIZES[0])
    preset, reason = _preset(inspection, train, size)
    count = sum(len(one.table) for one in train)
    if not inspection.layout.two_kinds and halves == 1:
        size = min([most for few, most in STEPS if count < few] + [size])
    if preset.endswith("-digits"):
        size = 28
    reason += f"; nine in ten of the {count:,} pictures have {typical} px or more on their shorter side"
    name = Path(inspection.data).name.partition(".")[0] or "set"
    words = ["limner", "train", preset, "--data", inspection.data, "--out", f"runs/{name}", "--size", str(size)]
    return Advice(preset, size, reason, shlex.join([*words, *_channels(train)]))


def _preset(inspection: Inspection, train: Sequence[Seen], size: int) -> tuple[str, str]:
    if inspection.side_by_side:
        return "pix2pix-plus", "each picture is twice as wide as high, as A and B side by side are"
    if inspection.layout.two_kinds and inspection.paired:
        return "pix2pix-plus", "there are pairs of A and B"
    if inspection.layout.two_kinds:
        small = "discogan" if size <= 64 else "cyclegan"
        return small, "there are two kinds of pictures that do not belong together by name"
    one = train[0]
    source, table = one.part.source, one.table
    counts = np.bincount(source.labels) if source.labels is not None and len(source.classes) > 1 else np.array([0])
    labelled = int(counts.min()) >= ENOUGH
    if len(table) == (table["channels"] == 1).sum() == ((table["height"] == 28) & (table["width"] == 28)).sum():
        digits = "acgan-digits" if labelled else "dcgan-digits"
        return digits, f"they are grey, 28 x 28{', in classes' if labelled else ''}"
    if labelled:
        return "acgan", f"there are {len(source.classes)} classes of {int(counts.min()):,} pictures or more"
    return "dcgan", "there is one kind of picture, and this is the quickest; r3gan makes better ones and takes longer"


def _channels(train: Sequence[Seen]) -> list[str]:
    # what must be said when the pictures of a side differ, or would be learned with their transparency
    found = []
    for one in train:
        counts = collections.Counter(one.table["channels"].tolist())
        if len(counts) > 1 or 4 in counts:
            most = min(3, counts.most_common(1)[0][0])
            found += ["--channels-in" if one.part.side == "A" else "--channels", str(most)]
    return found
