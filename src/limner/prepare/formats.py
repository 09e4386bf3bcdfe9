"""What packed sets look like on disk: one HDF5 file, or Parquet shards as Hugging Face `datasets` reads them."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from limner.core import files, images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.cache import write_header
from limner.data.source import Source
from limner.prepare.untroubled import Untroubled

ROWS = 100  # of a row group, which is what a reader of Parquet holds in memory
AT_ONCE = 64  # rows of an HDF5 array that are written at once: it notes some kilobytes for each chunk of a write
MARK = "limner"  # where a packed set keeps what was asked for

Rows = Iterator[tuple[str, int | None, dict[str, Any]]]  # name, label, pictures by column


@dataclasses.dataclass(frozen=True)
class Table:
    """Pictures that become the rows of a table: one column of them, or two of pairs."""

    split: str
    paired: bool
    sources: dict[str, Source]
    channels: dict[str, int]
    size: Size

    @property
    def two(self) -> bool:
        """Whether it is A or B, or both."""
        return "A" in self.sources or "B" in self.sources

    @property
    def title(self) -> str:
        """The name of the table among those of one set."""
        return self.split + ("" if self.paired or not self.two else next(iter(self.sources)))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.sources.values())))

    @property
    def row_bytes(self) -> int:
        """Bytes of the pictures of a row."""
        return self.size.height * self.size.width * sum(self.channels.values())

    @property
    def classes(self) -> tuple[str, ...]:
        """What labels number."""
        return () if self.two else next(iter(self.sources.values())).classes


@dataclasses.dataclass(frozen=True)
class Part:
    """Some rows of a table, made already or about to be; the facts are written last."""

    folder: Path
    name: str

    @property
    def facts_file(self) -> Path:
        """Names, labels, and what was left out, as JSON."""
        return self.folder / f"{self.name}.json"

    @property
    def is_whole(self) -> bool:
        """Whether it is made already."""
        return self.facts_file.is_file()

    def facts(self) -> dict[str, Any]:
        """What the rows are called, their labels, and what was left out."""
        return json.loads(self.facts_file.read_text(encoding="utf-8"))

    @property
    def count(self) -> int:
        """How many rows it has."""
        return len(self.facts()["names"])

    @property
    def left_out(self) -> int:
        """How many rows could not be read."""
        return len(self.facts()["left_out"])


class Format(abc.ABC):
    """How parts are written, and put together."""

    is_file: ClassVar[bool]
    space: ClassVar[float]
    """bytes that it needs on the way for each byte of pixels"""

    @abc.abstractmethod
    def check(self) -> None:
        """UserError when a package is missing."""

    @abc.abstractmethod
    def encode(self, picture: np.ndarray) -> Any:
        """What is kept of a picture, uint8 (H, W, C); called from many threads."""

    @abc.abstractmethod
    def write(self, part: Part, table: Table, rows: Rows) -> None:
        """Write the rows of a part, whole or not at all."""

    @abc.abstractmethod
    def assemble(
        self, work: Path, tables: Sequence[Table], parts: dict[str, list[Part]], facts: dict[str, Any]
    ) -> Path:
        """Put all parts together in `work`; returns the whole, which is then given its name."""

    @abc.abstractmethod
    def asked(self, out: Path) -> dict[str, Any] | None:
        """The facts that a packed set was made with; None for what is none."""


class Hdf5Format(Format):
    """Arrays "images" with "labels", "classes" and "names", or "A" and "B"; a test part makes groups of the splits.

    uint8 (N, H, W, C), not compressed, one chunk for each picture.
    """

    is_file, space = True, 2.0

    def check(self) -> None:
        try:
            import h5py  # noqa: F401
        except ImportError as error:
            raise UserError("HDF5 files need the package h5py: pip install 'limner[hdf5]'") from error

    def encode(self, picture: np.ndarray) -> np.ndarray:
        return picture

    def write(self, part: Part, table: Table, rows: Rows) -> None:
        shapes = {key: (table.size.height, table.size.width, table.channels[key]) for key in table.sources}
        with contextlib.ExitStack() as stack:
            out = {}
            for key, shape in shapes.items():
                temporary = stack.enter_context(files.atomic(self._file(part, key)))
                out[key] = stack.enter_context(temporary.open("wb"))
                write_header(out[key], (0, *shape))
            count = 0
            for count, (_, _, row) in enumerate(rows, start=1):  # noqa: B007
                for key, file in out.items():
                    file.write(np.ascontiguousarray(row[key]).data)
            for key, shape in shapes.items():
                out[key].seek(0)
                write_header(out[key], (count, *shape))

    def assemble(
        self, work: Path, tables: Sequence[Table], parts: dict[str, list[Part]], facts: dict[str, Any]
    ) -> Path:
        import h5py

        whole = work / "whole.h5"
        splits = len({table.split for table in tables}) > 1
        words = h5py.string_dtype()
        with files.atomic(whole) as temporary, Untroubled(temporary, "wb+") as content:
            with h5py.File(content, "w") as file:
                file.attrs[MARK] = json.dumps(facts)
                for table in tables:
                    group = file.require_group(table.split) if splits else file
                    some, count = parts[table.title], facts["counts"][table.title]
                    names = "names" if table.paired or not table.two else f"names_{next(iter(table.sources))}"
                    group.create_dataset(names, (count,), words)
                    if table.classes:
                        group.create_dataset("labels", (count,), np.int64)
                        group.create_dataset("classes", data=list(table.classes), dtype=words)
                    for key, channels in table.channels.items():
                        shape = (table.size.height, table.size.width, channels)
                        group.create_dataset(_array(key), (count, *shape), np.uint8, chunks=(1, *shape))
                    self._fill(content, group, table, some, names)
            content.check()  # it is whole only now, with all that HDF5 kept for the end
        return whole

    def _fill(self, content: Untroubled, group: Any, table: Table, parts: list[Part], names: str) -> None:
        first = 0
        for part in parts:
            facts = part.facts()
            last = first + len(facts["names"])
            if last > first:
                group[names][first:last] = np.array(facts["names"], dtype=object)
                if table.classes:
                    group["labels"][first:last] = facts["labels"]
                for key in table.sources:
                    rows = np.load(self._file(part, key), mmap_mode="r")
                    for start in range(0, len(rows), AT_ONCE):
                        some = rows[start : start + AT_ONCE]
                        group[_array(key)][first + start : first + start + len(some)] = some
            first = last
            content.check()

    def asked(self, out: Path) -> dict[str, Any] | None:
        import h5py

        try:
            with h5py.File(out, "r") as file:
                return json.loads(str(file.attrs[MARK]))
        except (OSError, KeyError, ValueError):
            return None

    @staticmethod
    def _file(part: Part, key: str) -> Path:
        return part.folder / f"{part.name}.{key}.npy"


class ParquetFormat(Format):
    """train-00000-of-00004.parquet and so on: PNGs in columns "image" with "label", or "A" and "B".

    Sets of two kinds that do not belong together become folders A and B of such files.
    """

    is_file, space = False, 0.7  # PNGs of photographs need about so much

    def check(self) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise UserError(
                "Parquet files need the packages datasets and pyarrow: pip install 'limner[hub]'"
            ) from error

    def encode(self, picture: np.ndarray) -> bytes:
        content = io.BytesIO()
        images.from_array(picture).save(content, "PNG", compress_level=images.PNG_LEVEL)
        return content.getvalue()

    def write(self, part: Part, table: Table, rows: Rows) -> None:
        import pyarrow
        import pyarrow.parquet

        schema = _schema(table)
        options = {"compression": "NONE", "use_dictionary": False, "write_statistics": False}
        with (
            files.atomic(self._file(part, table)) as temporary,
            temporary.open("wb") as content,  # Python's own, whose errors have words
            pyarrow.parquet.ParquetWriter(content, schema, **options) as writer,
        ):
            waiting: list[dict[str, Any]] = []
            for name, label, row in rows:
                pictures = {key: {"bytes": content, "path": name} for key, content in row.items()}
                waiting.append(pictures | ({"label": label} if table.classes else {}))
                if len(waiting) == ROWS:
                    writer.write_table(pyarrow.Table.from_pylist(waiting, schema), ROWS)
                    waiting = []
            if waiting:
                writer.write_table(pyarrow.Table.from_pylist(waiting, schema), ROWS)

    def assemble(
        self, work: Path, tables: Sequence[Table], parts: dict[str, list[Part]], facts: dict[str, Any]
    ) -> Path:
        whole = work / "whole"
        for folder in (whole, whole / "A", whole / "B"):
            files.remove_leftovers(folder)
        files.write_text(whole / f".{MARK}.json", json.dumps(facts))
        return whole

    def asked(self, out: Path) -> dict[str, Any] | None:
        try:
            return json.loads((out / f".{MARK}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @staticmethod
    def _file(part: Part, table: Table) -> Path:
        folder = part.folder / "whole"
        folder = folder if table.paired or not table.two else folder / next(iter(table.sources))
        return folder / f"{table.split}{part.name[len(table.title) :]}.parquet"


FORMATS: dict[str, type[Format]] = {"hdf5": Hdf5Format, "parquet": ParquetFormat}


def _array(key: str) -> str:
    return "images" if key == "image" else key


def _schema(table: Table) -> Any:
    import pyarrow

    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [(key, picture) for key in table.sources]
    features: dict[str, Any] = {key: {"_type": "Image"} for key in table.sources}
    if table.classes:
        fields.append(("label", pyarrow.int64()))
        features["label"] = {"names": list(table.classes), "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pyarrow.schema(fields, metadata)
