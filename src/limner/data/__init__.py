"""Pictures from files to batches: sources, the decode-once store, the sampler, the loader."""

from __future__ import annotations

import contextlib
from pathlib import Path

from limner.core.errors import UserError, nearest
from limner.core.registry import Registry
from limner.data.source import Source

SOURCES = Registry(
    "source",
    {
        "folder": "limner.data.folder:Folder",
        "idx": "limner.data.idx:Idx",
        "cifar": "limner.data.cifar:Cifar",
        "csv": "limner.data.csv_digits:CsvDigits",
        "digits": "limner.data.digits:Digits",
        "hdf5": "limner.data.hdf5:Hdf5",
        "npy": "limner.data.npy:Npy",
        "zip": "limner.data.zip_file:Zip",
        "parquet": "limner.data.parquet:Parquet",
        "hub": "limner.data.hub:Hub",
        "stream": "limner.data.stream:Stream",
    },
    group="limner.sources",
)


def open(data: str) -> Source:
    """Open a built-in set by its name, a path in a stated format ("idx:PATH"), or a path whose format is seen.

    A built-in name wins over a folder of the same name, which is then reached as "./digits" or "folder:digits".
    Errors: UserError for what does not exist or is in no format that limner reads, and those of the source.
    """
    if data in SOURCES and SOURCES.load(data).builtin:
        return SOURCES.load(data)()
    kind, rest = stated_kind(data)
    if kind and SOURCES.load(kind).remote:
        return SOURCES.load(kind)(rest)
    path = located(rest)
    if not rest or not path.exists():
        raise _missing(rest, path)
    kind = kind or recognised(path)
    if kind is not None:
        return SOURCES.load(kind)(path)
    raise UserError(
        f"data {data!r} is a file in no format that limner reads. Expected a folder of pictures, a .zip of them, an "
        "HDF5, .npy or .parquet file, an MNIST idx file (such as train-images-idx3-ubyte.gz) or a .csv of digits; "
        "unpack other archives first, and put single pictures into a folder."
    )


def stated_kind(data: str) -> tuple[str, str]:
    """Split "idx:PATH" into the format and the rest; without a stated format the first is empty.

    Errors: UserError for a built-in set, which takes no path.
    """
    kind, colon, rest = data.partition(":")
    if not colon or len(kind) < 2 or kind not in SOURCES:  # one letter is a Windows drive
        return "", data
    if SOURCES.load(kind).builtin:
        raise UserError(f"data {data!r}: {kind!r} is a built-in set and takes no path; write {kind!r} alone.")
    return kind, rest


def located(path: str) -> Path:
    """Where a set lies that was called by its path or by its name in the catalog; UserError when it is not here yet."""
    from limner.data import catalog

    return Path(catalog.locate(path)).expanduser()


def recognised(path: Path) -> str | None:
    """The name of the format that a file or folder looks like; None for none that limner reads."""
    for name in sorted(SOURCES.names(), key=lambda name: name == "folder"):  # a folder may hold another format
        with contextlib.suppress(OSError):  # it may not be looked into, which opening it will say
            if SOURCES.load(name).recognises(path):
                return name
    return None


def _missing(data: str, path: Path) -> UserError:
    if not data:
        return UserError("data: no path was given. Expected a folder of pictures, a file, or a built-in name: digits.")
    beside = {}
    if path.parent.is_dir():
        beside = {child.name: str(child) for child in path.parent.iterdir() if not child.name.startswith(".")}
    from limner.data import catalog

    known = {name: name for name in SOURCES.names() if SOURCES.load(name).builtin}
    choices = (dict.fromkeys(catalog.sets()) | known if path.name == data else {}) | beside
    choices = {name: path or name for name, path in choices.items()}
    guess = nearest(path.name, choices)
    hint = f"did you mean {choices[guess]!r}?" if guess else f"Built in: {', '.join(known)}."
    return UserError(f"data {data!r}: there is no such file or folder. " + hint[0].upper() + hint[1:])
