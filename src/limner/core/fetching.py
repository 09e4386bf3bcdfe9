"""Files from the net: fetched with what came before kept, checked, and put in their place whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import filelock
import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from limner.core import files
from limner.core.console import say
from limner.core.errors import UserError
from limner.core.version import VERSION

CHUNK = 1 << 20
PATIENCE = 30.0  # seconds without a byte before a server counts as gone
ATTEMPTS = 4  # in a row that bring nothing new, once something has come
WAIT = 1.0  # seconds before the next, twice as long after each of them
_ELSEWHERE = "Try again, or fetch it from elsewhere."

Show = Callable[[int, int | None], None]  # bytes that are here, bytes in all where that is known


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file that anyone can have: its name, its SHA-256 (or MD5) as published, its bytes, and its address, if any.

    A checksum is "" where none is published. `size` is what a person is told beforehand; 0 when it is not known.
    """

    name: str
    sha256: str
    size: int
    url: str = ""
    md5: str = ""

    @property
    def volume(self) -> str:
        """The size in words."""
        return volume(self.size)


def cache_folder() -> Path:
    """The folder for what can be had again: LIMNER_CACHE, or the system's place for such things."""
    named = os.environ.get("LIMNER_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("limner", appauthor=False)


def volume(size: int) -> str:
    """Bytes as a person says them: 6 kB, 244 MB, 8.6 GB."""
    if not size:
        return "size unknown"
    if size >= 1e9:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


def fetch(file: PublishedFile, target: Path) -> str:
    """Bring a file from its address to `target`, and return the SHA-256 of its bytes.

    What a broken connection or a killed process left in TARGET.part is gone on with where the server allows it and
    still has the same file. Errors: UserError without a net, for a connection that breaks again and again (what came
    is kept), for another file than the published one (nothing is kept), for a full disk.
    """
    with alone(target):
        part = _Part(target)
        resumed = part.size > 0
        say(f"Fetching {file.url} ({file.volume})")
        with bar(file.name, file.size) as show:
            _complete(file, part, show)
            found, wrong = _check(part.path, file)
            if wrong and resumed:  # what was there before may have been of another file: once more, from the start
                part.discard()
                _complete(file, part, show)
                found, wrong = _check(part.path, file)
        if wrong:
            part.discard()
            raise UserError(f"{file.url} gave another file than expected: {wrong}. Nothing was kept. {_ELSEWHERE}")
        files.rename(part.path, target)
        part.discard()
        return found


class _Part:
    """What has come of a file, and a note of which file it was, as its server names it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self.note_file = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def note(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(self.note_file.read_text(encoding="utf-8"))
            return content if isinstance(content, dict) else {}
        return {}

    def begin(self, note: dict[str, Any]) -> None:
        self.discard()
        files.write_text(self.note_file, json.dumps(note) + "\n")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note_file.unlink(missing_ok=True)


def _complete(file: PublishedFile, part: _Part, show: Show) -> None:
    """Fill the part until it is whole; a broken connection is tried again as long as something comes."""
    if part.size and part.note.get("url") != file.url:
        part.discard()
    at_first = most = part.size
    idle = 0
    while True:
        failed = False
        problem = "the connection was cut"
        try:
            if _attempt(file, part, show):
                return
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem, failed = str(error) or type(error).__name__, True
            if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in (408, 429):
                raise _unfetched(file, part, problem) from error
        idle = 0 if part.size > most else idle + 1  # what comes a second time is nothing new
        most = max(most, part.size)
        if idle == ATTEMPTS or (failed and most == at_first):  # where nothing comes at all, waiting is no help
            raise _unfetched(file, part, problem)
        time.sleep(WAIT * 2**idle)


def _attempt(file: PublishedFile, part: _Part, show: Show) -> bool:
    """Ask once for what is missing; whether the part is whole now."""
    note, start = part.note, part.size
    if start and start == note.get("total"):
        return True
    validator = note.get("validator", "")
    if not validator and not file.sha256 and not file.md5:
        start = 0  # nothing could tell whether the rest is of the same file
    headers = {"User-Agent": f"limner/{VERSION}", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": validator} if validator else {})
    try:
        answer = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if not start or error.code != 416:
            raise
        part.discard()  # there is no such range: what we have is of another file
        return False
    with answer:
        found = _validator(answer.headers)
        if getattr(answer, "status", None) == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
            if (
                span is None
                or int(span[1]) != start
                or int(span[2]) != note.get("total")
                or found not in ("", validator)
            ):
                part.discard()
                return False
            total = int(span[2])
        else:
            length = answer.headers.get("Content-Length")
            start, total = 0, int(length) if length else None
            if answer.headers.get_content_type() == "text/html" and not file.name.endswith(".html"):
                raise _unfetched(file, part, "its server gave a web page in its place")
            part.begin({"url": file.url, "validator": found, "total": total})
        _check_space(part.path, (total or file.size) - start)
        _copy(answer, part.path, start, lambda size: show(size, total))
    return total is None or part.size == total


def _validator(headers: Message) -> str:
    # what tells one version of a file from the next; a weak tag may not be used to ask for the rest
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _copy(answer: Any, path: Path, size: int, show: Callable[[int], None]) -> None:
    show(size)
    with path.open("ab", buffering=0) as out:
        while chunk := answer.read1(CHUNK):
            try:
                size += out.write(chunk)
            except OSError as error:
                raise _stopped(path, error.strerror or str(error)) from error
            show(size)


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise _stopped(path, f"{volume(needed)} are needed there, and {volume(free)} are free")


def _check(path: Path, published: PublishedFile) -> tuple[str, str]:
    # the SHA-256, and in words what is wrong with it or with the MD5, if anything is
    found = files.sha256_of_file(path)
    if published.sha256 not in ("", found):
        return found, f"its SHA-256 is {found}, expected {published.sha256}"
    if published.md5:
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        if md5 != published.md5:
            return found, f"its MD5 is {md5}, expected {published.md5}"
    return found, ""


@contextlib.contextmanager
def alone(target: Path) -> Iterator[None]:
    """Hold the place of a file or folder that is being fetched against other processes; UserError when one holds it."""
    lock = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except filelock.Timeout as error:
        raise UserError(f"another process is fetching {target}: let it finish") from error
    except OSError as error:
        raise _stopped(target, error.strerror or str(error)) from error


def _stopped(path: Path, problem: str) -> UserError:
    return UserError(
        f"cannot write {path}: {problem}. Free some space, or choose another folder by the variable LIMNER_CACHE; what "
        "has come is kept, and the same command again goes on there."
    )


def _unfetched(file: PublishedFile, part: _Part, problem: str) -> UserError:
    words = [f"{file.url} cannot be fetched: {problem}."]
    if part.size:
        total = part.note.get("total") or file.size
        words.append(
            f"{volume(part.size)}{f' of {volume(total)}' if total else ''} are here and kept: the same command"
        )
        words.append("again goes on there.")
    else:
        words.append("Nothing was kept.")
    words.append(f"Is there a network? Otherwise copy {file.name} ({file.volume}) from a machine that has one into")
    return UserError(" ".join([*words, f"{part.path.parent}."]))


@contextlib.contextmanager
def bar(title: str, size: int) -> Iterator[Show]:
    """Show a bar on a terminal while bytes come; give a function that takes how many are here, and of how many."""
    console = Console(stderr=True)
    columns = (TextColumn(title, markup=False), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=size or None)
        yield lambda count, total: progress.update(task, completed=count, total=total or size or None)
