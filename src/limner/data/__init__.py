"""Pictures from files to batches: sources, the decode-once store, the sampler, the loader."""

from __future__ import annotations

from pathlib import Path

from limner.core.errors import UserError, nearest
from limner.core.registry import Registry
from limner.data.source import Source

SOURCES = Registry(
    "source",
    {
        "folder": "limner.data.folder:Folder",
        "idx": "limner.data.idx:Idx",
        "csv": "limner.data.csv_digits:CsvDigits",
        "digits": "limner.data.digits:Digits",
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
    kind, colon, rest = data.partition(":")
    if colon and len(kind) > 1 and kind in SOURCES:  # one letter is a Windows drive
        path, source = Path(rest).expanduser(), SOURCES.load(kind)
        if source.builtin:
            raise UserError(f"data {data!r}: {kind!r} is a built-in set and takes no path; write {kind!r} alone.")
        if not rest or not path.exists():
            raise _missing(rest, path)
        return source(path)
    path = Path(data).expanduser()
    if not data or not path.exists():
        raise _missing(data, path)
    for name in sorted(SOURCES.names(), key=lambda name: name == "folder"):  # a folder may hold another format
        if SOURCES.load(name).recognises(path):
            return SOURCES.load(name)(path)
    raise UserError(
        f"data {data!r} is a file in no format that limner reads. Expected a folder of pictures, an MNIST idx file "
        "(such as train-images-idx3-ubyte.gz) or a .csv of digits; unpack an archive first, and put single pictures "
        "into a folder."
    )


def _missing(data: str, path: Path) -> UserError:
    if not data:
        return UserError("data: no path was given. Expected a folder of pictures, a file, or a built-in name: digits.")
    beside = {}
    if path.parent.is_dir():
        beside = {child.name: str(child) for child in path.parent.iterdir() if not child.name.startswith(".")}
    known = {name: name for name in SOURCES.names() if SOURCES.load(name).builtin}
    choices = (known if path.name == data else {}) | beside
    guess = nearest(path.name, choices)
    hint = f"did you mean {choices[guess]!r}?" if guess else f"Built in: {', '.join(known)}."
    return UserError(f"data {data!r}: there is no such file or folder. " + hint[0].upper() + hint[1:])
