"""Where pictures lie: a folder of this machine, or one that fsspec reaches, such as s3://bucket/photos."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import secrets
from pathlib import Path
from typing import Any, Protocol

from limner.core import files
from limner.core.errors import UserError
from limner.data import located
from limner.data.folder import is_folder

_URL = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a folder holds: a name, and whether it is a folder itself."""

    name: str
    folder: bool


class Place(Protocol):
    """A folder, near or far. Paths in it are relative, with slashes; it can be pickled.

    What cannot be read raises OSError; what cannot be written or listed raises UserError.
    """

    def entries(self, folder: str) -> list[Entry]:
        """What a folder in it holds, in no order."""
        ...

    def identity(self, folder: str) -> object:
        """What tells a folder from all others, by whatever links it was reached; None when there are no links."""
        ...

    def stamp(self, path: str) -> str:
        """Size and time of a file, which change when it is written anew; "" when it is not there."""
        ...

    def size(self, path: str) -> int:
        """Bytes of a file, -1 when it is not there."""
        ...

    def read(self, path: str) -> bytes:
        """The whole of a file."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        ...

    def publish(self, made: Path, path: str) -> None:
        """Put a file that lies on this machine here; it is gone there afterwards."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file that need not be there."""
        ...


@dataclasses.dataclass(frozen=True)
class Local:
    """A folder of this machine, or of a network that every machine mounts."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def entries(self, folder: str) -> list[Entry]:
        try:
            with os.scandir(self.root / folder) as found:
                return [Entry(entry.name, is_folder(entry)) for entry in found]
        except OSError as error:
            raise UserError(f"the folder {self.root / folder} cannot be listed: {error.strerror or error}.") from error

    def identity(self, folder: str) -> object:
        try:
            status = (self.root / folder).stat()
        except OSError as error:
            raise UserError(f"the folder {self.root / folder} cannot be read: {error.strerror or error}.") from error
        return status.st_dev, status.st_ino

    def stamp(self, path: str) -> str:
        try:
            status = (self.root / path).stat()
        except OSError:
            return ""
        return f"{status.st_size} {status.st_mtime_ns}"

    def size(self, path: str) -> int:
        try:
            return (self.root / path).stat().st_size
        except OSError:
            return -1

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        # Not through files.atomic: waiting for the disk after every picture takes ten times as long as the picture. A
        # kill cannot harm what is here; after a power cut the sizes in the journal tell what is whole.
        target = self.root / path
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(target)
        except OSError as error:
            raise UserError(
                f"cannot write {target}: {error.strerror or error}. What was made before is whole and stays; free some "
                "space or allow writing there, then run the same command again."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def publish(self, made: Path, path: str) -> None:
        files.rename(made, self.root / path)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.root / path).unlink()


@dataclasses.dataclass(frozen=True)
class Remote:
    """A folder that fsspec reaches; what writes to it must be able to replace whole objects, as S3 and GCS do."""

    url: str

    def __str__(self) -> str:
        return self.url

    def _at(self, path: str = "") -> tuple[Any, str]:
        try:
            import fsspec

            # fsspec keeps one of each kind of file system, so that this is a look-up
            system, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UserError(f"{self.url} cannot be reached: {error}") from error
        return system, f"{root.rstrip('/')}/{path}".rstrip("/")

    def entries(self, folder: str) -> list[Entry]:
        system, path = self._at(folder)
        try:
            found = system.ls(path, detail=True)
        except OSError as error:
            raise UserError(f"{self.url}/{folder} cannot be listed: {error}") from error
        names = [(one["name"].rstrip("/").rpartition("/")[2], one["type"] == "directory") for one in found]
        return [Entry(name, is_folder) for name, is_folder in names if name]

    def identity(self, folder: str) -> object:
        return None

    def stamp(self, path: str) -> str:
        system, full = self._at(path)
        try:
            facts = system.info(full)
        except OSError:
            return ""
        told = (facts.get(key) for key in ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created"))
        return f"{facts.get('size')} {next((value for value in told if value), '')}"

    def size(self, path: str) -> int:
        system, full = self._at(path)
        try:
            return int(system.info(full).get("size") or 0)
        except OSError:
            return -1

    def read(self, path: str) -> bytes:
        system, full = self._at(path)
        return system.cat_file(full)

    def write(self, path: str, content: bytes) -> None:
        system, full = self._at(path)
        try:
            system.makedirs(full.rpartition("/")[0], exist_ok=True)
            system.pipe_file(full, content)
        except OSError as error:
            raise self._refused(path, error) from error

    def publish(self, made: Path, path: str) -> None:
        system, full = self._at(path)
        try:
            system.put_file(str(made), full)
        except OSError as error:
            raise self._refused(path, error) from error
        made.unlink()

    def remove(self, path: str) -> None:
        system, full = self._at(path)
        with contextlib.suppress(FileNotFoundError):
            system.rm_file(full)

    def _refused(self, path: str, error: OSError) -> UserError:
        return UserError(
            f"cannot write {self.url}/{path}: {error}. What was made before is kept; run the same command again."
        )


def open_place(given: str, absolute: bool = False, own: bool = False) -> Local | Remote:
    """A folder by its path, its name in the catalog or, with a scheme before it, its address.

    `own` is for a folder that is written: it may be called as a public set is.
    """
    if given.lower().startswith("file://"):
        given = given[len("file://") :]
    if _URL.match(given):
        return Remote(given.rstrip("/"))
    path = Path(given).expanduser() if own else located(given)
    return Local(path.absolute() if absolute else path)
