"""labels.csv: a table that gives each picture of a folder its class."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from limner.core.errors import UserError, listing
from limner.data.arrays import number_classes

NAME = "labels.csv"
FILES = ("file", "filename", "file_name", "image", "image_id", "id", "path", "name")
LABELS = ("label", "class", "category", "target", "y")


def find(folder: Path, root: Path, names: list[str]) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Labels, int64 (N,), and classes of pictures by a labels.csv in `folder` or `root`, or beside them; None: none.

    The table has the columns "file" and "label", or two columns in this order. A file is called by its name, with or
    without sub-folders and ending. What lies beside the folder and is no such table, or speaks of none of its pictures,
    is left alone.
    Errors: UserError for a table that gives one picture two labels, or leaves pictures out.
    """
    for place in dict.fromkeys((root, folder, folder.absolute().parent)):
        path = place / NAME
        if path.is_file():
            found = _look_up(path, names, own=place in (root, folder))
            if found is not None:
                return found
    return None


def _look_up(path: Path, names: list[str], own: bool) -> tuple[np.ndarray, tuple[str, ...]] | None:
    try:
        table = _Table(path)
    except _NoTableError:
        if own:
            raise
        return None
    rows = [table.row(name) for name in names]
    labels = [None if row is None else table.labels[row] for row in rows]
    owners: dict[str, str] = {}
    for name, row in zip(names, rows, strict=True):
        if row is not None and owners.setdefault(row, name) != name:
            raise UserError(f"{path}: the row {row} may be {owners[row]} or {name}: write its folders and its ending.")
    missing = [name for name, label in zip(names, labels, strict=True) if label is None]
    if len(missing) == len(names) and not own:
        return None
    if missing:
        raise UserError(
            f"{path} gives no label to {len(missing):,} of {len(names):,} pictures: {listing(missing)}. Add a row for "
            "each (file,label), take these pictures out, or rename the table when it is not meant."
        )
    values = np.array(labels)
    whole = all(value.removeprefix("-").isdecimal() for value in set(labels) if value)
    return number_classes(values.astype(np.int64) if whole else values)


class _NoTableError(UserError):
    """A file that is no table of pictures and labels at all."""


class _Table:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.labels: dict[str, str] = {}
        self.short: dict[str, list[str]] = {}  # rows by their names without folders or endings
        for row, file, label in self._rows():
            if not file or not label:
                raise UserError(f"{path}: row {row:,} lacks {'a file' if not file else 'a label'}.")
            name = PurePosixPath(file.replace("\\", "/")).as_posix()
            known = self.labels.get(name)
            if known is None:
                self.labels[name] = label
                for short in _shorter(name):
                    self.short.setdefault(short, []).append(name)
            elif known != label:
                raise UserError(f"{path}: row {row:,} calls {file} {label!r}, but an earlier row {known!r}.")

    def row(self, name: str) -> str | None:
        """The row that means a picture, by its name in the table."""
        if name in self.labels:
            return name
        for short in _shorter(name):
            rows = [short] if short in self.labels else self.short.get(short, [])
            if len(rows) > 1:
                raise UserError(f"{self.path}: {name} may be any of {listing(rows)}: write its folders and its ending.")
            if rows:
                return rows[0]
        return None

    def _rows(self) -> Iterator[tuple[int, str, str]]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(row)]
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise _NoTableError(f"{self.path} is no table in UTF-8 ({error}).") from error
        if not rows:
            raise _NoTableError(f"{self.path} is empty; expected rows of file,label.")
        head = [word.strip().lower() for word in rows[0][1]]
        file = next((head.index(word) for word in FILES if word in head), None)
        label = next((head.index(word) for word in LABELS if word in head), None)
        header = file is not None or label is not None
        if file is None or label is None:
            if len(head) != 2:
                raise _NoTableError(f"{self.path}: expected the columns file,label and found {listing(rows[0][1])}.")
            file = file if file is not None else 0 if label is None else 1 - label
            label = 1 - file
        for number, row in rows[header:]:
            if len(row) <= max(file, label):
                raise UserError(f"{self.path}: row {number:,} has {len(row)} columns, but the first has {len(head)}.")
            yield number, row[file].strip(), row[label].strip()


def _shorter(name: str) -> list[str]:
    path = PurePosixPath(name)
    bare = path.with_suffix("").as_posix() if path.suffix else name
    return list(dict.fromkeys((bare, path.name, PurePosixPath(path.name).stem)))
