"""Archives from elsewhere: unpacked into one folder, never outside of it, and never more than the disk has."""

from __future__ import annotations

import contextlib
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from limner.core.errors import UserError

MOST = 200 * 10**9  # bytes unpacked: no set of pictures that is fetched whole is larger
RATIO, FREE_OF_RATIO = 100, 10**8  # pictures are packed already: what grows a hundredfold is a bomb; below, no matter
CHUNK = 1 << 20
JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\.DS_Store$|\._)")  # what a Mac adds
DRIVE = re.compile(r"^[A-Za-z]:")


class Unsound(UserError):
    """An archive that is damaged or not safe: fetching it again, or not using it, is all that helps."""


def unpack(archive: Path, folder: Path, progress: Callable[[int], None] = lambda count: None) -> None:
    """Unpack a zip or tar archive (plain, gz, bz2 or xz) into `folder`, which is made anew.

    `progress` is told how many bytes are written. Errors: Unsound (a UserError) for what is no archive, damaged, or
    encrypted; for a member that would lie outside the folder, is a link or a device, or has another's name; for one
    that unpacks to far more than it is; UserError when the disk is full. The folder may then hold a part.
    """
    shutil.rmtree(folder, ignore_errors=True)
    room = _Room(archive, progress)
    try:
        folder.mkdir(parents=True)
        for name, content in _members(archive):
            target = _place(archive, folder, name)
            if target is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                room.copy(content, out)
    except FileExistsError as error:
        raise Unsound(f"{archive} holds two files that would both be {error.filename}: it was not unpacked") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise Unsound(
            f"{archive} cannot be unpacked: {error}. It is damaged, cut short, or locked with a password: fetch it "
            "again."
        ) from error
    except OSError as error:
        raise UserError(
            f"{archive} cannot be unpacked into {folder}: {error.strerror or error}. Free some space or choose another "
            "folder; the archive is kept."
        ) from error


class _Room:
    """How much may still be written."""

    def __init__(self, archive: Path, progress: Callable[[int], None]) -> None:
        self.archive, self.progress = archive, progress
        self.most = min(MOST, max(FREE_OF_RATIO, RATIO * archive.stat().st_size))
        self.written = 0

    def copy(self, content: IO[bytes], out: IO[bytes]) -> None:
        while chunk := content.read(CHUNK):
            self.written += len(chunk)
            if self.written > self.most:
                raise Unsound(
                    f"{self.archive} unpacks to more than {self.most / 1e9:,.1f} GB, far more than a set of its size "
                    "would: it is taken for a decompression bomb and was not unpacked."
                )
            out.write(chunk)
            self.progress(self.written)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    # the regular files; folders are made as they are needed
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.is_dir() or (JUNK.search(info.filename) and kind in (0, stat.S_IFREG)):
                    continue
                if kind not in (0, stat.S_IFREG):
                    raise _refused(archive, info.filename, "is a link or a device")
                with packed.open(info) as content:
                    yield info.filename, content
        return
    with _tar(archive) as packed:
        for info in packed:
            if info.isdir():
                continue
            if not info.isreg():
                raise _refused(archive, info.name, "is a link or a device")
            content = packed.extractfile(info)
            assert content is not None
            yield info.name, content


@contextlib.contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        packed = tarfile.open(archive, "r:*")  # noqa: SIM115 - it is closed below
    except tarfile.ReadError as error:
        raise Unsound(
            f"{archive} is neither a zip nor a tar archive, or is cut short; a server may have given a page in its "
            "place: fetch it again."
        ) from error
    with packed:
        yield packed


def _place(archive: Path, folder: Path, name: str) -> Path | None:
    """Where a member belongs; None for what a Mac adds."""
    parts = name.replace("\\", "/").split("/")
    if not name or "\0" in name or name[0] in "/\\" or DRIVE.match(name) or ".." in parts:
        raise _refused(archive, name, "would lie outside of the folder")
    path = "/".join(part for part in parts if part not in ("", "."))
    return None if JUNK.search(path) else folder / path


def _refused(archive: Path, name: str, why: str) -> Unsound:
    return Unsound(
        f"{archive} holds {name!r}, which {why}: nothing of it is used. If you trust the archive, unpack it yourself "
        "and give the folder."
    )
