"""Public sets of pictures by their names: where they lie on this machine, and how they come there."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import shutil
from pathlib import Path

from limner.core import files
from limner.core.console import say
from limner.core.errors import UserError, unknown
from limner.core.fetching import PublishedFile, alone, bar, cache_folder, fetch, volume
from limner.data.unpacking import Unsound, unpack

ABOUT, SUMS = "about.txt", "sums.json"


@dataclasses.dataclass(frozen=True)
class PublicSet:
    """A public set: what it holds, on what terms, whom to cite, and its files.

    With `unpacks` its one file is an archive; else the files are the set. `by_hand` says in words how to get a set
    whose terms do not allow it to be fetched by a program; it has no files then.
    """

    name: str
    holds: str
    terms: str
    citation: str
    page: str
    files: tuple[PublishedFile, ...] = ()
    unpacks: bool = True
    by_hand: str = ""

    @property
    def size(self) -> int:
        """Bytes to fetch; 0 when it is not known."""
        sizes = [file.size for file in self.files]
        return sum(sizes) if all(sizes) else 0

    def describe(self) -> str:
        """All that one should know before it is fetched, in lines."""
        lines = [f"{self.name}: {self.holds}"]
        for file in self.files:
            sums = f"SHA-256 {file.sha256}" if file.sha256 else "no checksum is published; the first download's is kept"
            lines.append(f"  address   {file.url} ({file.volume}; {sums})")
        lines += [f"  page      {self.page}", f"  terms     {self.terms}", f"  cite      {self.citation}"]
        return "\n".join([*lines, *([f"  by hand   {self.by_hand}"] if self.by_hand else [])])


def sets() -> dict[str, PublicSet]:
    """All public sets by their names."""
    from limner.data.public_sets import SETS

    return {one.name: one for one in SETS}


def folder_of(name: str) -> Path | None:
    """The folder that holds a set on this machine: below LIMNER_DATA, else in the cache; None when it is nowhere."""
    return next((folder for folder in _folders(name) if folder.is_dir() and any(folder.iterdir())), None)


def locate(data: str) -> str:
    """Give what a person calls data as a path when it names a public set, else as it is.

    A file or folder of that name, where one stands, is meant first. Errors: UserError for a set that is not here yet.
    """
    if data not in sets() or Path(data).exists():
        return data
    found = folder_of(data)
    if found is not None:
        return str(found)
    wanted = sets()[data]
    if wanted.by_hand:
        raise _by_hand(wanted)
    raise UserError(
        f"data {data!r} is a public set that is not on this machine yet ({volume(wanted.size)}; {wanted.terms}). Get "
        f"it by: limner fetch {data}"
    )


def get(name: str) -> Path:
    """Bring a public set to this machine, unless it is here already, and return its folder.

    The folder is there whole or not at all; a broken download is gone on with when it is asked for again.
    Errors: UserError for an unknown name, a set to be got by hand, no net, a file that is another than the published
    one or than it was the first time, an archive that is damaged or unsafe, a full disk.
    """
    if name not in sets():
        raise unknown("set", name, sets())
    wanted = sets()[name]
    found = folder_of(name)
    if found is not None:
        say(f"{name} is here already: {found}")
        shutil.rmtree(_work(name), ignore_errors=True)  # of a process that was killed as it tidied up
        return found
    if wanted.by_hand:
        raise _by_hand(wanted)
    say(wanted.describe())
    target = _folders(name)[-1]
    with alone(target):
        _bring(wanted, target)
    say(f"{name} is in {target}. Use it by its name: --data {name}")
    return target


def _bring(wanted: PublicSet, target: Path) -> None:
    work = _work(wanted.name)
    content = work / "set"
    sums = {}
    for file in wanted.files:
        path = work / file.name if wanted.unpacks else content / file.name
        sums[file.url] = files.sha256_of_file(path) if path.is_file() else fetch(file, path)
        _compare(file, sums[file.url], path)
    if wanted.unpacks:
        archive = work / wanted.files[0].name
        say(f"Unpacking {archive.name}")
        try:
            with bar("unpacking", archive.stat().st_size) as show:
                unpack(archive, content, lambda written: show(written, None))
        except Unsound:
            archive.unlink()
            raise
    whole = _inner(content)
    files.write_text(whole / ABOUT, _about(wanted, sums))
    _remember(wanted, sums)
    if target.is_dir():  # empty, or it would have been found
        target.rmdir()
    files.rename(whole, target)
    shutil.rmtree(work, ignore_errors=True)


def _folders(name: str) -> list[Path]:
    data = os.environ.get("LIMNER_DATA")
    return [*([Path(data) / "data" / name] if data else []), cache_folder() / "data" / name]


def _work(name: str) -> Path:
    return cache_folder() / "data" / f".{name}.fetching"


def _inner(folder: Path) -> Path:
    # most archives hold one folder that holds everything
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _by_hand(wanted: PublicSet) -> UserError:
    return UserError(
        f"{wanted.name} cannot be fetched by a program ({wanted.terms}). By hand: {wanted.by_hand} Put the pictures "
        f"into {_folders(wanted.name)[-1]}, and --data {wanted.name} finds them; or give the folder where they are."
    )


def _sums() -> dict[str, dict[str, str]]:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads((cache_folder() / "data" / SUMS).read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def _compare(file: PublishedFile, found: str, path: Path) -> None:
    first = _sums().get(file.url)
    expected = file.sha256 or (first or {}).get("sha256", found)
    if expected == found:
        return
    path.unlink()
    if file.sha256 or first is None:
        raise UserError(f"{path} had the SHA-256 {found}, expected {file.sha256}: it was removed; fetch it again.")
    raise UserError(
        f"{file.url} gave another file than on {first.get('date', 'an earlier day')}: its SHA-256 is {found}, and was "
        f"{expected} then. Nothing was kept. If the set was renewed on purpose, take its entry out of "
        f"{cache_folder() / 'data' / SUMS} and fetch it again."
    )


def _remember(wanted: PublicSet, sums: dict[str, str]) -> None:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    new = {url: {"set": wanted.name, "sha256": found, "date": today} for url, found in sums.items()}
    content = {**new, **_sums()}  # the first one stays
    files.write_text(cache_folder() / "data" / SUMS, json.dumps(content, indent=2) + "\n")


def _about(wanted: PublicSet, sums: dict[str, str]) -> str:
    lines = [f"{wanted.name}: {wanted.holds}", *(f"{url} SHA-256 {found}" for url, found in sums.items())]
    return "\n".join([*lines, f"Page: {wanted.page}", f"Terms: {wanted.terms}", f"Cite: {wanted.citation}"]) + "\n"
