"""Pictures in a .csv, one a row, as Kaggle gives MNIST: a label and n x n grey values."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from limner.core.errors import UserError
from limner.data.source import ArraySource, unpacked

LABEL_NAMES = ("label", "class", "target", "y")


class CsvDigits(ArraySource):
    """Square grey pictures from a .csv or .csv.gz, with or without a header.

    A row is n x n numbers from 0 to 255, or a label and these. The label stands first unless a header names another
    column "label", "class", "target" or "y".
    Errors: UserError naming the row (the header counts) for a wrong number of columns or for what is no such number.
    """

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_file() and path.name.lower().endswith((".csv", ".csv.gz"))

    def load(self, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
        if path is None or path.is_dir():
            raise UserError("csv: expected the path of a .csv or .csv.gz file.")
        return read_pictures(path)


def read_pictures(path: Path, label: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
    """Read pictures, uint8 (N, n, n, 1), and labels (N,) or None; without a header the labels are in column `label`.

    Errors: UserError naming the row that is wrong.
    """
    with _text(path) as lines:
        first = [name.strip(' "').lower() for name in lines.readline().strip().split(",")]
    columns, header = len(first), not all(map(_is_number, first))
    side = math.isqrt(columns)
    labelled = side * side == columns - 1
    if side * side != columns and not labelled:
        raise UserError(
            f"{path}: row 1 has {columns:,} columns; expected n x n numbers in every row (784 for digits of 28 x 28), "
            "or a label and n x n numbers (785), with commas between them."
        )
    if header:
        label = next((place for place, name in enumerate(first) if name in LABEL_NAMES), 0)
    table = _table(path, columns, header, label % columns if labelled else None)
    pixels = np.delete(table, label, axis=1) if labelled else table
    return pixels.reshape(-1, side, side, 1), table[:, label] if labelled else None


def _table(path: Path, columns: int, header: bool, label: int | None) -> np.ndarray:
    try:
        with _text(path) as lines, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a file without rows
            table = np.loadtxt(lines, dtype=np.uint8, delimiter=",", comments=None, skiprows=int(header), ndmin=2)
        if len(table) and table.shape[1] == columns:
            return table
    except ValueError:
        pass
    with _text(path) as lines:  # to say which row is wrong, or because the numbers are written as 12.0
        return _table_slowly(path, lines, columns, header, label)


def _table_slowly(path: Path, lines: Iterable[str], columns: int, header: bool, label: int | None) -> np.ndarray:
    numbered = [(row, line.strip()) for row, line in enumerate(lines, start=1) if line.strip()][int(header) :]
    for row, line in numbered:  # first, as it is found in no time
        if line.count(",") + 1 != columns:
            raise UserError(f"{path}: row {row:,} has {line.count(',') + 1:,} columns, but row 1 has {columns:,}.")
    rows = []
    for row, line in numbered:
        fields = line.split(",")
        try:
            numbers = np.array(list(map(float, fields)))
        except ValueError:
            numbers = np.array([float(field) if _is_number(field) else np.nan for field in fields])
        good = (numbers >= 0) & (numbers <= 255) & (numbers == np.rint(numbers))
        if not good.all():
            place = int(np.argmin(good))
            wrong = fields[place]
            if place == label:
                raise UserError(
                    f"{path}: row {row:,} has the label {wrong!r}; in a .csv labels are whole numbers from 0 to 255. "
                    "Give each class a number; or, for names, put its pictures into a sub-folder of that name."
                )
            raise UserError(f"{path}: row {row:,} holds {wrong!r}; expected whole numbers from 0 to 255.")
        rows.append(numbers.astype(np.uint8))
    if not rows:
        raise UserError(f"{path} holds no pictures: there is no row of numbers in it.")
    return np.stack(rows)


@contextlib.contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    with unpacked(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace") as lines:
        yield lines


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
