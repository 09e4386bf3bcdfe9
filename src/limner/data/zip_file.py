"""A .zip of picture files, read where it lies: nothing is unpacked."""

from __future__ import annotations

import collections
import hashlib
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from limner.core.errors import UserError, listing
from limner.data.folder import SUFFIXES, classes_of, train_folder
from limner.data.source import EncodedSource

MOST = 512_000_000  # bytes of one unpacked picture file: the largest photographs need a tenth of it
ENCRYPTED = 0x1
_MADE_BY_MACS = "__MACOSX"


class Zip(EncodedSource):
    """The pictures of an archive in the order of their names; sub-folders are classes and splits as in a folder.

    A single folder that holds everything is looked through. Hidden files are left out, as are those that Macs add.
    Errors: UserError for what is no .zip or is cut short, and for one that holds no pictures, two of the same name,
    names that lead out of the archive, or encrypted pictures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"{path} cannot be read as a .zip ({reason}). It may be cut short, or something else under this name: "
                "fetch it again."
            ) from error
        found = self._pictures()
        train = train_folder(list(found)) if found else None
        if train is not None:
            found = {name[len(train) + 1 :]: info for name, info in found.items() if name.startswith(f"{train}/")}
        self.names = list(found)
        self.entries = list(found.values())
        self.labels, self.classes = classes_of(self.names)
        digest = hashlib.sha256()
        for name, entry in found.items():
            digest.update(f"{name}\0{entry.file_size} {entry.CRC}\n".encode("utf-8", "surrogateescape"))
        self.fingerprint, self.stamp = digest.hexdigest(), str(path.stat().st_mtime_ns)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_file() and path.suffix.lower() == ".zip"

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        return self.names[index]

    def content(self, index: int) -> bytes:
        name, entry = self.names[index], self.entries[index]
        if entry.file_size > MOST:
            raise UserError(f"{name}: unpacked it has {entry.file_size:,} bytes, more than limner opens")
        try:
            # the archive's own lock lets threads read in turn; unpacking then goes on side by side
            return self.archive.read(entry)
        except NotImplementedError as error:
            raise UserError(f"{name}: it is packed in a way that is not known here ({error}): pack it again") from error
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
            raise UserError(f"{name}: it is damaged in the .zip ({error})") from error

    def _pictures(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        others: collections.Counter[str] = collections.Counter()
        for entry in self.archive.infolist():
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            parts = name.parts
            if entry.is_dir() or not parts or parts[0] == _MADE_BY_MACS or any(_is_hidden(part) for part in parts):
                continue
            if name.suffix.lower() not in SUFFIXES:
                others[name.suffix.lower() or "no ending"] += 1
                continue
            if name.is_absolute() or ".." in parts or ":" in parts[0]:
                raise UserError(
                    f"{self.path} holds a file named {entry.filename!r}, which would lie outside of the folder it is "
                    "unpacked in: such an archive is broken, or made to do harm. Take it from another place."
                )
            if entry.flag_bits & ENCRYPTED:
                raise UserError(f"{self.path} is encrypted ({name}): unpack it with its password, and give the folder.")
            if name.as_posix() in found:
                raise UserError(f"{self.path} holds two pictures named {name}: pack it again, with one of each.")
            found[name.as_posix()] = entry
        if not found:
            kinds = listing(f"{count:,} {suffix}" for suffix, count in others.most_common())
            raise UserError(
                f"{self.path} holds no pictures{f', but other files ({kinds})' if others else ''}: expected files that "
                f"end in {', '.join(sorted(SUFFIXES))}."
            )
        return dict(sorted(_without_common_folder(found).items()))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")


def _without_common_folder(found: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    # archives often wrap everything in a folder of their own name, which is neither a class nor a split
    while True:
        tops = {name.partition("/")[0] if "/" in name else "" for name in found}
        top = next(iter(tops))
        if len(tops) > 1 or not top or train_folder(list(found)) is not None:
            return found
        found = {name[len(top) + 1 :]: entry for name, entry in found.items()}
