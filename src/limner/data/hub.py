"""Sets of the Hugging Face hub, through the package `datasets`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from limner.core.errors import UserError, listing, unknown
from limner.data.columns import Columns, fetch
from limner.data.source import SAMPLE, EncodedSource

OPTIONS = ("config", "split", "revision")


class Hub(EncodedSource):
    """`hub:owner/name`, fetched once and then kept by `datasets`; of splits, the one called "train".

    Words after a question mark choose: `hub:owner/name?config=small&split=test&revision=v1`. Pictures are the column
    of that kind, labels the column of classes; `column` chooses one of several columns of pictures.
    Errors: UserError for a set that does not exist or cannot be reached, and, listing the columns, unless one column
    holds pictures.
    """

    remote = True

    def __init__(self, words: str, column: str | None = None, split: str | None = None) -> None:
        self.title, options = parse(words)
        table = _load(self.title, options)
        chosen = split or split_of(self.title, options, table)
        rows = table[chosen]
        self.columns = Columns(rows.features.arrow_schema, f"hub:{self.title}")
        self.column = column or self.columns.one()
        label = self.columns.label
        if label is not None:
            self.labels, self.classes = self.columns.classes(rows.data.column(label))
        self.rows = rows.select_columns([self.column]).cast_column(self.column, _datasets().Image(decode=False))
        if not len(self):
            raise UserError(f"hub:{self.title}: its split {chosen!r} holds no pictures.")
        self.stamp = repr(sorted((rows.info.download_checksums or {}).items()))
        self.fingerprint = self._fingerprint()

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        value = self.rows[index][self.column]
        path = value.get("path") if isinstance(value, dict) else None
        return Path(path).name if path else f"picture {index + 1}"

    def content(self, index: int) -> bytes:
        value = self.rows[index][self.column]
        if isinstance(value, dict) and value.get("bytes") is None and value.get("path"):
            try:
                return Path(value["path"]).read_bytes()  # a file that `datasets` fetched itself
            except OSError as error:
                raise UserError(f"{self.name(index)}: it cannot be read ({error.strerror or error})") from error
        return fetch(value, self.name(index))

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"{len(self)} {self.column} {self.classes}".encode())
        if self.labels is not None:
            digest.update(self.labels.tobytes())
        for index in np.unique(np.linspace(0, len(self) - 1, SAMPLE).round().astype(int)).tolist():
            try:
                digest.update(self.content(index))
            except UserError as error:
                digest.update(str(error).encode())
        return digest.hexdigest()


def open_columns(words: str) -> tuple[tuple[Hub, Hub], tuple[Hub, Hub] | None]:
    """Open A and B of a set with two columns of pictures; the test part second, where there is one.

    Errors: UserError unless two columns hold pictures.
    """
    title, options = parse(words)
    table = _load(title, options)
    train = split_of(title, options, table)
    test = None if "split" in options else next((word for word in ("test", "validation", "val") if word in table), None)
    a, b = Columns(table[train].features.arrow_schema, f"hub:{title}").two()
    held_out = (Hub(words, a, test), Hub(words, b, test)) if test and test != train else None
    return (Hub(words, a, train), Hub(words, b, train)), held_out


def parse(words: str) -> tuple[str, dict[str, str]]:
    """Split "owner/name?config=x" into the name and the options; UserError for a name or an option that is none."""
    title, _, query = words.partition("?")
    if not title or title.startswith(("/", ".")) or title.count("/") > 1 or "\\" in title:
        raise UserError(f"data 'hub:{words}': expected a name on the Hugging Face hub, such as hub:ylecun/mnist.")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise unknown("option of a hub set", name, OPTIONS)
    return title, options


def split_of(title: str, options: Mapping[str, str], table: Collection[str]) -> str:
    """The split that was asked for, or the one called "train"; UserError for one that does not exist."""
    chosen = options.get("split") or ("train" if "train" in table else next(iter(table)))
    if chosen not in table:
        raise unknown(f"split of {title}", chosen, table)
    return chosen


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError("sets of the Hugging Face hub need the package datasets: pip install 'limner[hub]'") from error
    return datasets


def _load(title: str, options: dict[str, str]) -> Any:
    config, revision = options.get("config"), options.get("revision")
    return ask(title, lambda datasets: datasets.load_dataset(title, config, revision=revision))


def ask(title: str, function: Callable[[Any], Any]) -> Any:
    """Give the package `datasets` to what asks the hub for a set; UserError, in our words, when that fails."""
    datasets = _datasets()
    instead = (
        f"Where there is no network, fetch it elsewhere with `hf download --repo-type dataset {title} --local-dir "
        "FOLDER`, bring the folder here, and give its path."
    )
    try:
        return function(datasets)
    except ConnectionError as error:
        raise UserError(f"hub:{title} cannot be reached ({_first_line(error)}). {instead}") from error
    except OSError as error:  # what is not found, is private, broke off, or is larger than the disk
        if "disk space" in str(error):
            raise UserError(
                f"hub:{title} is larger than the disk has room for ({_first_line(error)}): read it as training goes "
                f"along, by --data stream:hub:{title}, or free some space."
            ) from error
        raise UserError(f"hub:{title} cannot be fetched: {_first_line(error)}. Is the name right? {instead}") from error
    except ValueError as error:  # of several configs none was chosen, or one that does not exist
        configs = listing(_first_line(error).split("\n"))
        raise UserError(f"hub:{title} cannot be opened: {configs}. Choose by hub:{title}?config=NAME.") from error
    except Exception as error:  # the library has a dozen kinds of its own
        raise UserError(f"hub:{title} cannot be opened: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
