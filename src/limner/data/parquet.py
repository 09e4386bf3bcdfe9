"""Parquet files with a column of pictures, as `limner prepare pack` and Hugging Face `datasets` write them."""

from __future__ import annotations

import re
from pathlib import Path

from limner.core import files
from limner.core.errors import UserError
from limner.data.folder import holds_instead
from limner.data.row_groups import RowGroups, TableSource, check_pyarrow, columns_of
from limner.data.source import begins_with, fingerprint_of

_MAGIC = b"PAR1"
_TRAIN = re.compile(r"(^|[^a-z])(train|training)([^a-z]|$)")
_HELD_OUT = re.compile(r"(^|[^a-z])(test|testing|val|valid|validation)([^a-z]|$)")


class Parquet(TableSource):
    """A Parquet file, or all of a folder and its sub-folders; of splits, told by the names, the train part.

    Pictures are the column of {"bytes", "path"} (or of bytes), labels the column that Hugging Face marks as classes,
    or that is called "label". Files are read in place, a row group at a time. `column` chooses one of several columns
    of pictures; `held_out` asks for the test part.
    Errors: UserError, listing the columns, unless one of them holds pictures; for what is cut short or no Parquet.
    """

    def __init__(self, path: Path, column: str | None = None, held_out: bool = False) -> None:
        check_pyarrow()
        found = shards(path, held_out)
        super().__init__(str(path), RowGroups(found, column))
        content, self.stamp = fingerprint_of(found)
        self.fingerprint = files.sha256_of(f"{content} {self.rows.column}".encode())

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_dir():
            inner = path / "data"  # where sets of the hub keep their files
            return holds_instead(path, ".parquet") or (inner.is_dir() and holds_instead(inner, ".parquet"))
        if path.suffix.lower() == ".parquet":
            return True
        return begins_with(path, _MAGIC)


def open_columns(path: Path) -> tuple[tuple[Parquet, Parquet], tuple[Parquet, Parquet] | None]:
    """Open A and B of a table of two columns of pictures; the test part second, where there is one.

    Errors: UserError unless two columns hold pictures.
    """
    check_pyarrow()
    a, b = columns_of(shards(path)[0]).two()
    test = (Parquet(path, a, True), Parquet(path, b, True)) if has_test(path) else None
    return (Parquet(path, a), Parquet(path, b)), test


def has_test(path: Path) -> bool:
    """Whether a folder holds Parquet files of a test part."""
    return path.is_dir() and bool(shards(path, True))


def shards(path: Path, held_out: bool = False) -> list[Path]:
    """The files of the train part, or of the test part, in order; UserError when there are none to learn from."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*.parquet") if not file.name.startswith("."))
    names = [file.relative_to(path).as_posix() for file in found]
    if held_out:
        pairs = zip(found, names, strict=True)
        return [file for file, name in pairs if _HELD_OUT.search(name.lower()) and not _TRAIN.search(name.lower())]
    if not found:
        raise UserError(f"{path} holds no .parquet files.")
    return [file for file, learned in zip(found, train_part(names), strict=True) if learned]


def train_part(names: list[str]) -> list[bool]:
    """Which files belong to the train part by their names; all, where no name says it."""
    train = [bool(_TRAIN.search(name.lower())) for name in names]
    return train if any(train) else [True] * len(names)
