"""Parquet files with a column of pictures, as `limner prepare pack` and Hugging Face `datasets` write them."""

from __future__ import annotations

import collections
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np

from limner.core import files
from limner.core.errors import UserError
from limner.data.columns import Columns, fetch
from limner.data.folder import holds_instead
from limner.data.source import EncodedSource, begins_with, fingerprint_of

GROUPS = 4  # row groups that are kept in memory: pictures are read in order, by several threads at once
_MAGIC = b"PAR1"
_TRAIN = re.compile(r"(^|[^a-z])(train|training)([^a-z]|$)")
_HELD_OUT = re.compile(r"(^|[^a-z])(test|testing|val|valid|validation)([^a-z]|$)")


class Parquet(EncodedSource):
    """A Parquet file, or all of a folder and its sub-folders; of splits, told by the names, the train part.

    Pictures are the column of {"bytes", "path"} (or of bytes), labels the column that Hugging Face marks as classes,
    or that is called "label". Files are read in place, a row group at a time. `column` chooses one of several columns
    of pictures; `held_out` asks for the test part.
    Errors: UserError, listing the columns, unless one of them holds pictures; for what is cut short or no Parquet.
    """

    def __init__(self, path: Path, column: str | None = None, held_out: bool = False) -> None:
        _pyarrow()
        self.path = path
        self.files = _shards(path, held_out)
        shards = [_open(file) for file in self.files]
        self.columns = Columns(shards[0].schema_arrow, str(self.files[0]))
        self.column = column or self.columns.one()
        places: list[tuple[int, int]] = []  # file and row group
        counts = []
        for number, (file, shard) in enumerate(zip(self.files, shards, strict=True)):
            if self.column not in shard.schema_arrow.names:
                raise UserError(
                    f"{file} has no column {self.column!r}, as {self.files[0].name} has: files of one set are alike. "
                    f"Its columns are {Columns(shard.schema_arrow, file.name)}."
                )
            places += [(number, group) for group in range(shard.metadata.num_row_groups)]
            counts += [shard.metadata.row_group(group).num_rows for group in range(shard.metadata.num_row_groups)]
        self.places, self.starts = places, np.cumsum([0, *counts])
        if not len(self):
            raise UserError(f"{path} holds no pictures: its table has no rows.")
        label = self.columns.label
        if label is not None:
            self.labels, self.classes = self._classes(label)
        content, self.stamp = fingerprint_of(self.files)
        self.fingerprint = files.sha256_of(f"{content} {self.column}".encode())
        self.lock = threading.Lock()
        self.groups: collections.OrderedDict[int, Any] = collections.OrderedDict()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_dir():
            inner = path / "data"  # where sets of the hub keep their files
            return holds_instead(path, ".parquet") or (inner.is_dir() and holds_instead(inner, ".parquet"))
        if path.suffix.lower() == ".parquet":
            return True
        return begins_with(path, _MAGIC)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def name(self, index: int) -> str:
        try:
            value = self._row(index)
        except UserError:
            value = None
        path = value.get("path") if isinstance(value, dict) else None
        return path or f"picture {index + 1}"

    def content(self, index: int) -> bytes:
        try:
            value = self._row(index)
        except UserError as error:
            raise UserError(f"picture {index + 1}: {error}") from error
        return fetch(value, self.name(index))

    def _row(self, index: int) -> Any:
        group = int(np.searchsorted(self.starts, index, side="right")) - 1
        with self.lock:
            if group not in self.groups:
                number, inside = self.places[group]
                self.groups[group] = _read(self.files[number], [self.column], inside).column(0)
                if len(self.groups) > GROUPS:
                    self.groups.popitem(last=False)
            else:
                self.groups.move_to_end(group)
            column = self.groups[group]
        return column[index - int(self.starts[group])].as_py()

    def _classes(self, label: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
        import pyarrow

        try:
            return self.columns.classes(pyarrow.concat_tables([_read(file, [label]) for file in self.files]).column(0))
        except (UserError, pyarrow.ArrowException) as error:
            raise UserError(f"{self.path}: the labels cannot be read: {error}") from error


def open_columns(path: Path) -> tuple[tuple[Parquet, Parquet], tuple[Parquet, Parquet] | None]:
    """Open A and B of a table of two columns of pictures; the test part second, where there is one.

    Errors: UserError unless two columns hold pictures.
    """
    _pyarrow()
    a, b = Columns(_open(_shards(path, False)[0]).schema_arrow, str(path)).two()
    test = (Parquet(path, a, True), Parquet(path, b, True)) if has_test(path) else None
    return (Parquet(path, a), Parquet(path, b)), test


def has_test(path: Path) -> bool:
    """Whether a folder holds Parquet files of a test part."""
    return path.is_dir() and bool(_shards(path, True))


def _shards(path: Path, held_out: bool) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*.parquet") if not file.name.startswith("."))
    names = {file: file.relative_to(path).as_posix().lower() for file in found}
    train = [file for file in found if _TRAIN.search(names[file])]
    if held_out:
        return [file for file in found if _HELD_OUT.search(names[file]) and file not in train]
    if not found:
        raise UserError(f"{path} holds no .parquet files.")
    return train or found


def _pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UserError("Parquet files need the packages datasets and pyarrow: pip install 'limner[hub]'") from error


def _open(file: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as shard:
            return shard
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{file} is no Parquet file, or is cut short ({error}).") from error


def _read(file: Path, columns: list[str], group: int | None = None) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as shard:
            if group is None:
                return shard.read(columns, use_threads=False)
            return shard.read_row_group(group, columns, use_threads=False)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{file.name} cannot be read ({error})") from error
