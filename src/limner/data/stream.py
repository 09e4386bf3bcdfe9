"""Sets that are larger than the disk or the memory: Parquet files, read piece by piece while training goes along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from limner import data as sources
from limner.core import files
from limner.core.errors import UserError
from limner.data import hub, parquet
from limner.data.row_groups import RowGroups, TableSource, check_pyarrow
from limner.data.source import fingerprint_of

_CONTENT = ("blob_id", "ETag", "etag", "md5Hash", "sha256")  # what file systems call that which tells a file's content


class Stream(TableSource):
    """`stream:FOLDER`, `stream:hub:owner/name` or `stream:s3://bucket/folder`: Parquet files, near or far away.

    Row groups are read when they are needed, and nothing is kept; `limner prepare pack` makes such files of any set.
    Of splits, the train part. Columns are found as by `Parquet`. Errors: UserError as of `Parquet` and `Hub`, and for
    sets of other formats.
    """

    remote = True

    def __init__(self, words: str) -> None:
        check_pyarrow()
        found = _files(words)
        super().__init__(f"stream:{words}", RowGroups(found))
        self.windows = self.rows.starts
        here = [file for file in found if isinstance(file, Path)]
        content, self.stamp = fingerprint_of(here) if here else _fingerprint([str(file) for file in found])
        self.fingerprint = files.sha256_of(f"{content} {self.rows.layout} {self.rows.column}".encode())


def _files(words: str) -> Sequence[Path | str]:
    if words.startswith("hub:"):
        return _of_hub(words.removeprefix("hub:"))
    if "://" in words:
        return _listed(words)
    path = sources.located(words.removeprefix("parquet:"))
    if not words or not path.exists():
        raise UserError(f"data 'stream:{words}': there is no such file or folder.")
    if not parquet.Parquet.recognises(path) and not (path.is_dir() and any(path.rglob("*.parquet"))):
        raise UserError(
            f"data 'stream:{words}': {path} holds no .parquet files, and only those are streamed. `limner prepare pack "
            f"{path} FOLDER` makes them of other sets."
        )
    return parquet.shards(path)


def _of_hub(words: str) -> list[Path | str]:
    title, options = hub.parse(words)
    config, revision = options.get("config"), options.get("revision")
    builder = hub.ask(title, lambda datasets: datasets.load_dataset_builder(title, config, revision=revision))
    table: dict[str, Any] = builder.config.data_files or {}
    found = table.get(hub.split_of(title, options, table), []) if table else []
    if not found or not all(str(file).lower().endswith(".parquet") for file in found):
        raise UserError(
            f"hub:{title} does not hold Parquet files, and only those are streamed. The hub makes such files of most "
            f"sets: 'stream:hub:{title}?revision=refs/convert/parquet'."
        )
    return [str(file) if "://" in str(file) else Path(file) for file in found]


def _listed(address: str) -> list[str]:
    system, root = _system(address)
    try:
        found = [root] if root.lower().endswith(".parquet") else sorted(system.find(root))
    except OSError as error:
        raise UserError(f"{address} cannot be listed: {error}") from error
    names = [name for name in found if name.lower().endswith(".parquet")]
    if not names:
        raise UserError(f"{address} holds no .parquet files.")
    train = parquet.train_part([name.removeprefix(root) for name in names])
    return [system.unstrip_protocol(name) for name, learned in zip(names, train, strict=True) if learned]


def _system(address: str) -> tuple[Any, str]:
    try:
        import fsspec

        return fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise UserError(f"{address} cannot be reached: {error}") from error


def _fingerprint(addresses: list[str]) -> tuple[str, str]:
    # of files far away, which are not read for it: what their file system says that they are
    facts = [system.info(path) for system, path in map(_system, addresses)]
    told = [[one.get("size"), *(str(one[key]) for key in _CONTENT if one.get(key))] for one in facts]
    return files.sha256_of(repr(told).encode()), files.sha256_of(repr(addresses).encode())
