"""The pictures in a table of Parquet files, here or far away: a few row groups of it are in memory, and no more."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from limner.core.errors import UserError
from limner.core.files import sha256_of
from limner.data.columns import Columns, fetch
from limner.data.source import EncodedSource

GROUPS = 4  # row groups that are kept in memory: enough for pictures in order, and for a window of a stream
ATTEMPTS = 4  # at a file far away, before training ends for a connection that broke
WAIT = 1.0  # seconds before the second of them, four times as long before each further one
AT_ONCE = 16  # files whose last bytes, which say what lies where, are fetched side by side

T = TypeVar("T")


class Unreachable(UserError):
    """A part of a set cannot be read at all, perhaps for the connection: no other picture of it can either."""


class RowGroups:
    """One column of pictures in Parquet files that make one table; `files` are paths, or addresses of fsspec's.

    `starts` int64 (G + 1,) are the numbers of the first rows of the row groups, and of all rows; `labels` and
    `classes` are as a Source has them. Errors: UserError, listing the columns, unless one column holds pictures (or
    `column` says which); for files that differ in their columns, are cut short or no Parquet.
    """

    def __init__(self, files: Sequence[Path | str], column: str | None = None) -> None:
        self.files = files
        footers = list(_footers(files))
        schema = footers[0].schema.to_arrow_schema()
        self.columns = Columns(schema, str(files[0]))
        self.column = column or self.columns.one()
        self.places: list[tuple[int, int]] = []  # file and row group
        counts = []
        for number, (file, footer) in enumerate(zip(files, footers, strict=True)):
            names = footer.schema.to_arrow_schema()
            if self.column not in names.names:
                raise UserError(
                    f"{file} has no column {self.column!r}, as {_name(files[0])} has: files of one set are alike. "
                    f"Its columns are {Columns(names, _name(file))}."
                )
            self.places += [(number, group) for group in range(footer.num_row_groups)]
            counts += [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        self.starts = np.cumsum([0, *counts])
        self.layout = sha256_of(repr([_layout(footer) for footer in footers]).encode())
        """a SHA-256 of how many rows and bytes lie where, which differs for nearly all other tables"""
        self.labels, self.classes = self._classes() if self.columns.label and len(self) else (None, ())
        self.read = 0
        """how many row groups were read so far"""
        self._lock = threading.Lock()
        self.groups: collections.OrderedDict[int, Any] = collections.OrderedDict()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def name(self, index: int) -> str:
        """What the row calls its picture, or else its number."""
        try:
            value = self._row(index)
        except UserError:
            value = None
        path = value.get("path") if isinstance(value, dict) else None
        return path or f"picture {index + 1}"

    def content(self, index: int) -> bytes:
        """The bytes of a picture file; UserError, beginning with the picture's name, when they cannot be had."""
        try:
            value = self._row(index)
        except UserError as error:
            raise Unreachable(f"picture {index + 1}: {error}") from error
        return fetch(value, self.name(index))

    def _row(self, index: int) -> Any:
        group = int(np.searchsorted(self.starts, index, side="right")) - 1
        with self._lock:
            if group not in self.groups:
                while len(self.groups) >= GROUPS:
                    self.groups.popitem(last=False)
                number, inside = self.places[group]
                self.groups[group] = _read(self.files[number], self.column, inside).column(0)
                self.read += 1
            else:
                self.groups.move_to_end(group)
            column = self.groups[group]
        return column[index - int(self.starts[group])].as_py()

    def _classes(self) -> tuple[np.ndarray | None, tuple[str, ...]]:
        import pyarrow

        label = self.columns.label
        assert label is not None
        try:
            tables = _side_by_side(lambda file: _read(file, label), self.files)
            return self.columns.classes(pyarrow.concat_tables(tables).column(0))
        except (UserError, pyarrow.ArrowException) as error:
            raise UserError(f"{self.columns.title}: the labels cannot be read: {error}") from error


class TableSource(EncodedSource):
    """A set that is a table of row groups; UserError, naming it by its `title`, when that has no rows."""

    def __init__(self, title: str, rows: RowGroups) -> None:
        self.rows, self.labels, self.classes = rows, rows.labels, rows.classes
        if not len(rows):
            raise UserError(f"{title} holds no pictures: its table has no rows.")

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        return self.rows.name(index)

    def content(self, index: int) -> bytes:
        return self.rows.content(index)


def check_pyarrow() -> None:
    """UserError when the package that reads Parquet is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UserError("Parquet files need the packages datasets and pyarrow: pip install 'limner[hub]'") from error


def columns_of(file: Path | str) -> Columns:
    """The columns of a file."""
    return Columns(_footers([file])[0].schema.to_arrow_schema(), str(file))


def _layout(footer: Any) -> list[tuple[int, int]]:
    groups = (footer.row_group(group) for group in range(footer.num_row_groups))
    return [(group.num_rows, group.total_byte_size) for group in groups]


def _footers(files: Sequence[Path | str]) -> list[Any]:
    def one(file: Path | str) -> Any:
        try:
            return _patiently(file, lambda shard: shard.metadata)
        except UserError as error:
            raise UserError(f"{file} is no Parquet file, or is cut short ({error}).") from error

    return _side_by_side(one, files)


def _read(file: Path | str, column: str, group: int | None = None) -> Any:
    def some(shard: Any) -> Any:
        if group is None:
            return shard.read([column], use_threads=False)
        return shard.read_row_group(group, [column], use_threads=False)

    try:
        return _patiently(file, some)
    except UserError as error:
        raise Unreachable(f"{_name(file)} cannot be read ({error})") from error


def _patiently(file: Path | str, use: Callable[[Any], T]) -> T:
    # a connection that broke is tried again: a run of days should not end for it
    import pyarrow

    attempts = 1 if isinstance(file, Path) else ATTEMPTS
    for attempt in range(attempts):
        try:
            with _opened(file) as shard:
                return use(shard)
        except (pyarrow.ArrowException, OSError, EOFError) as error:
            if attempt == attempts - 1 or isinstance(error, FileNotFoundError):
                raise UserError(str(error).rstrip(".") or type(error).__name__) from error
            time.sleep(WAIT * 4**attempt)
    raise AssertionError


@contextlib.contextmanager
def _opened(file: Path | str) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    if isinstance(file, Path):
        with ParquetFile(file) as shard:
            yield shard
        return
    import fsspec

    with fsspec.open(file, "rb") as content, ParquetFile(content, pre_buffer=True) as shard:
        yield shard


def _side_by_side(function: Callable[[Path | str], T], files: Sequence[Path | str]) -> list[T]:
    if all(isinstance(file, Path) for file in files):
        return [function(file) for file in files]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(function, files))


def _name(file: Path | str) -> str:
    return file.name if isinstance(file, Path) else file.rpartition("/")[2]
