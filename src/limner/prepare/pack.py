"""Packing a set at load size: into one HDF5 file, or a folder of Parquet shards."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from limner import data as sources
from limner.core import files, images
from limner.core.config import Size
from limner.core.errors import UserError, listing
from limner.data.cache import check_space
from limner.data.pairs import find_parts
from limner.data.parallel import in_order
from limner.data.source import Source
from limner.data.store import common_channels, load_picture, natural_size
from limner.prepare.formats import FORMATS, Format, Part, Table

Kind = Literal["auto", "one", "pairs", "unpaired"]
VERSION = 1  # raise it when the same pictures would be packed to other bytes
PART = 64_000_000  # bytes of pictures that are made at a time; a kill loses no more
OTHERS = (".zip", ".npy", ".npz", ".csv", ".parquet", ".tar", ".gz", ".hdf")


@dataclasses.dataclass(frozen=True)
class Packed:
    """What lies in a packed set: how many rows of which table, and the pictures that could not be used."""

    out: Path
    counts: dict[str, int]
    left_out: int
    left_out_file: Path
    size: Size
    anew: bool
    """whether it was packed now, and not earlier by the same command"""


class Packing:
    """One set on its way into `out`; nothing is decoded before `run`.

    The set is made in parts in a hidden folder beside `out`, which a killed process leaves for the next one.
    Errors: UserError for data that cannot be opened, for an `out` that holds something else or lies in the data.
    """

    def __init__(
        self, data: str, out: Path, kind: Kind = "auto", size: Size | None = None, channels: int | None = None
    ):
        if out.suffix.lower() in OTHERS:
            raise UserError(f"{out}: expected a name that ends in .h5, for one HDF5 file, or the name of a new folder.")
        _check_apart(data, out)
        self.out = out
        self.format: Format = FORMATS["hdf5" if out.suffix.lower() in (".h5", ".hdf5") else "parquet"]()
        self.format.check()
        self.work = out.with_name(f".{out.name}.packing")
        self.left_out_file = out.with_name(f"{out.stem if self.format.is_file else out.name}.left_out.csv")
        found = _tables(data, kind)
        whole = [source for _, _, some in found for source in some.values()]
        if channels not in (None, *images.MODES):
            raise UserError(f"--channels {channels}: expected 1 (grey), 3 (colour) or 4 (with transparency).")
        self.size = size or _common_size(whole)
        self.tables = [
            Table(split, paired, some, {key: channels or common_channels(one) for key, one in some.items()}, self.size)
            for split, paired, some in found
        ]
        self.asked = {
            "version": VERSION,
            "size": [self.size.height, self.size.width],
            "channels": [list(table.channels.values()) for table in self.tables],
            "pictures": [
                files.sha256_of("".join(f"{one.fingerprint} {one.stamp}" for one in table.sources.values()).encode())
                for table in self.tables
            ],
        }

    @property
    def total(self) -> int:
        """How many rows there are to read: pictures, or pairs."""
        return sum(table.count for table in self.tables)

    def run(self, progress: Callable[[int], None]) -> Packed:
        """Pack, or go on packing; `progress` takes how many more rows are done.

        Errors: UserError when no picture can be read, or the place is full or cannot be written; the same call goes
        on from there.
        """
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            asked = self.format.asked(self.out)
            if asked is None or {name: asked.get(name) for name in self.asked} != self.asked:
                raise UserError(_taken(self.out, asked, self.asked))
            shutil.rmtree(self.work, ignore_errors=True)
            return self._packed(asked["counts"], asked["left_out"], anew=False)
        with files.alone(self.work):
            try:
                return self._make(progress)
            finally:
                if [left.name for left in self.work.iterdir()] in ([], [files.LOCK]):  # nothing to go on from
                    with contextlib.suppress(OSError):
                        (self.work / files.LOCK).unlink(missing_ok=True)
                        self.work.rmdir()

    def _make(self, progress: Callable[[int], None]) -> Packed:
        plan = self.work / "asked.json"
        if not plan.is_file() or json.loads(plan.read_text(encoding="utf-8")) != self.asked:
            self._clear()
        there = sum(file.stat().st_size for file in self.work.rglob("*") if file.is_file())
        raw = sum(table.count * table.row_bytes for table in self.tables)
        check_space(
            self.work, round(raw * self.format.space) - there, "the packed pictures", "another OUT, or a smaller --size"
        )
        if not plan.is_file():
            files.write_text(plan, json.dumps(self.asked))
        files.remove_leftovers(self.work)
        parts = {table.title: list(self._parts(table, progress)) for table in self.tables}
        counts = {title: sum(part.count for part in some) for title, some in parts.items()}
        left_out = sum(part.left_out for some in parts.values() for part in some)
        if not min(counts.values()):
            broken = list(self._left_out(parts))[:10]
            self._clear()
            raise UserError(
                f"none of the {left_out:,} pictures can be read: " + listing(f"{name} ({why})" for name, why in broken)
            )
        if left_out:
            with (
                files.atomic(self.left_out_file) as temporary,
                temporary.open("w", encoding="utf-8", newline="") as file,
            ):
                csv.writer(file, lineterminator="\n").writerows([("name", "reason"), *self._left_out(parts)])
        facts = {**self.asked, "counts": counts, "left_out": left_out}
        whole = self.format.assemble(self.work, self.tables, parts, facts)
        if self.out.is_dir():
            self.out.rmdir()  # an empty one, which Windows would not replace
        files.rename(whole, self.out)
        self._clear()
        return self._packed(counts, left_out, anew=True)

    def _parts(self, table: Table, progress: Callable[[int], None]) -> Iterator[Part]:
        each = max(1, PART // table.row_bytes)
        many = math.ceil(table.count / each)
        for number in range(many):
            first, last = number * each, min(table.count, (number + 1) * each)
            part = Part(self.work, f"{table.title}-{number:05d}-of-{many:05d}")
            if not part.is_whole:
                self._make_part(table, part, first, last, progress)
            else:
                progress(last - first)
            yield part

    def _make_part(self, table: Table, part: Part, first: int, last: int, progress: Callable[[int], None]) -> None:
        names: list[str] = []
        labels: list[int] = []
        left_out: list[tuple[str, str]] = []

        def one(step: int) -> dict[str, np.ndarray] | tuple[str, str]:
            row: dict[str, Any] = {}
            for key, source in table.sources.items():
                picture = load_picture(source, first + step, table.channels[key], self.size)
                if isinstance(picture, str):
                    name = source.name(first + step)
                    return (f"{key}/{name}" if table.two else name), picture
                row[key] = self.format.encode(picture)
            return row

        def rows() -> Iterator[tuple[str, int | None, dict[str, Any]]]:
            source = next(iter(table.sources.values()))
            for step, row in enumerate(in_order(one, last - first)):
                progress(1)
                if isinstance(row, tuple):
                    left_out.append((_utf8(row[0]), _utf8(row[1])))
                    continue
                names.append(_utf8(source.name(first + step)))
                label = None if source.labels is None else int(source.labels[first + step])
                labels.extend([] if label is None else [label])
                yield names[-1], label, row

        self.format.write(part, table, rows())
        facts = {"names": names, "labels": labels if table.classes else None, "left_out": left_out}
        files.write_text(part.facts_file, json.dumps(facts))

    def _left_out(self, parts: dict[str, list[Part]]) -> Iterator[tuple[str, str]]:
        for title, some in parts.items():
            for part in some:
                for name, reason in part.facts()["left_out"]:
                    yield (name if len(parts) == 1 else f"{title}/{name}"), reason

    def _clear(self) -> None:
        for left in self.work.iterdir():
            if left.name != files.LOCK:
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _packed(self, counts: dict[str, int], left_out: int, anew: bool) -> Packed:
        return Packed(self.out, counts, left_out, self.left_out_file, self.size, anew)


def _tables(data: str, kind: Kind) -> list[tuple[str, bool, dict[str, Source]]]:
    """Split, whether its columns belong together, and the source of each column, for every table of a set."""
    if kind == "one":
        return [("train", False, {"image": sources.open(data)})]
    if kind == "auto":
        kinds: tuple[Kind, ...] = ("pairs", "unpaired") if _has_two_folders(data) else ("one", "pairs", "unpaired")
        first: UserError | None = None
        for kind in kinds:
            try:
                return _tables(data, kind)
            except UserError as error:
                first = first or error
        assert first is not None
        raise first
    found = find_parts(data, kind == "pairs")
    parts = [("train", found.train), *([("test", found.test)] if found.test else [])]
    if kind == "pairs":
        return [(split, True, {"A": part.a, "B": part.b}) for split, part in parts]
    return [(split, False, {key: one}) for split, part in parts for key, one in (("A", part.a), ("B", part.b))]


def _has_two_folders(data: str) -> bool:
    path = sources.located(data)
    inner = {child.name.lower() for child in path.iterdir() if child.is_dir()} if path.is_dir() else set()
    return {"a", "b"} <= inner or {"traina", "trainb"} <= inner


def _common_size(whole: list[Source]) -> Size:
    found = sorted({natural_size(source) for source in whole}, key=lambda size: (size.height, size.width))
    if len(found) > 1:
        raise UserError(f"the two kinds of pictures differ in size, {found[0]} and {found[-1]}: choose one by --size.")
    return found[0]


def _check_apart(data: str, out: Path) -> None:
    path, target = Path(data.rpartition(":")[2]).expanduser(), out.expanduser().absolute().resolve()
    if not path.exists():
        return
    path = path.absolute().resolve()
    if target == path or (path.is_dir() and target.is_relative_to(path)) or path.is_relative_to(target):
        raise UserError(
            f"{out} lies in the data {data}, or holds it, which limner never changes: choose another place."
        )


def _taken(out: Path, asked: dict[str, Any] | None, now: dict[str, Any]) -> str:
    if asked is None:
        return (
            f"{out} exists already, and holds something else than a set packed here: choose another name, or remove it."
        )
    words = {"size": "the size", "channels": "the channels", "pictures": "the pictures", "version": "the version"}
    changed = [
        f"{words[name]} ({asked.get(name)} before, {now[name]} now)" if name in ("size", "channels") else words[name]
        for name in now
        if asked.get(name) != now[name]
    ]
    return f"{out} was packed already, but {' and '.join(changed)} differ: choose another name, or remove it first."


def _utf8(text: str) -> str:
    # names of files may hold bytes that are no text, which neither format could keep
    return os.fsencode(text).decode("utf-8", "replace")
