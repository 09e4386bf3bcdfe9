"""A picture-by-picture job: originals in one folder, what is made of them in another; to be interrupted at any time."""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from limner.core import files
from limner.core.config import differences
from limner.core.console import counting
from limner.core.errors import UserError, listing
from limner.core.fetching import cache_folder
from limner.core.version import VERSION
from limner.data.folder import SUFFIXES
from limner.prepare.engines import ENGINES, UNREAD, Engine, Task, stamps_of
from limner.prepare.items import Item, PictureFunction, walk
from limner.prepare.journal import DONE, Journal, Outcome, read
from limner.prepare.places import Local, Place, Remote, open_place
from limner.prepare.sheet import contact_sheet

ASKED, LEFT_OUT, CONTACT = "prepare.json", "left_out.csv", "contact.html"


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be done: `work` on every item of the pictures below `photos`, into `out`.

    `asked` is what decides the result, in JSON values; `table` and `columns` are the name and header of a CSV of the
    rows that `work` gives, if it gives any; `group` turns the pictures into other items, such as pairs.
    """

    photos: str
    out: str
    work: PictureFunction
    asked: dict[str, Any]
    table: str = ""
    columns: tuple[str, ...] = ()
    group: Callable[[Iterable[Item]], Iterable[Item]] | None = None
    engine: Engine = "local"


@dataclasses.dataclass
class Report:
    """What a job came to: items of which pictures were made, how many of these were there already, items left out.

    `gone` counts those that were made before, of originals that are there no more; `others` counts files that are no
    pictures by their endings; `reasons` are the first few of being left out.
    """

    made: int = 0
    kept: int = 0
    left_out: int = 0
    gone: int = 0
    others: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    reasons: list[str] = dataclasses.field(default_factory=list)

    def words(self, noun: str, out: str) -> Iterator[str]:
        """What a person is told, sentence by sentence; `noun` is what an item is."""
        before = f", {self.kept:,} of them before" if self.kept else ""
        noun = noun if self.made == 1 else f"{noun}s"
        yield f"{out} holds what {self.made:,} {noun} gave{before}; {CONTACT} shows some."
        if self.left_out:
            yield f"{self.left_out:,} left out ({LEFT_OUT} says why of each), such as {self.reasons[0]}."
        if self.others:
            kinds = listing(f"{count:,} {suffix}" for suffix, count in self.others.most_common())
            yield f"Not looked at, for their endings: {kinds}."
        if self.gone:
            yield f"{self.gone:,} of before are of originals that are not there any more; what was made of them stays."


def run(job: Job) -> Report:
    """Do a job, or what is left of it after a kill.

    OUT then holds what was made, prepare.json, left_out.csv (name, reason), the job's table and contact.html. Errors:
    UserError for folders that lie in each other, a folder OUT that holds something else or was made otherwise, no
    pictures, a place that cannot be written or is full; what was made before stays, and the same command goes on.
    """
    far = job.engine == "ray"
    source, out = open_place(job.photos, far), open_place(job.out, far, own=True)
    _check_places(job, source, out)
    others: collections.Counter[str] = collections.Counter()
    total = sum(1 for _ in walk(source, others))
    if not total:
        raise _empty(source, others)
    with _state(out) as state:
        _check_asked(job, source, out)
        journal = Journal(state)
        if journal.resumed and isinstance(out, Local):
            for leftover in out.root.rglob(".*.tmp"):
                leftover.unlink(missing_ok=True)
        report = _pass(job, Task(source, out, job.work), journal, total)
        report.others = others
        _tables(job, out, state, report)
        sheet = contact_sheet(source, out, read(state / DONE), report.made)
        if sheet is not None:
            out.write(CONTACT, sheet)
    if not report.made:
        raise UserError(
            f"of {report.left_out:,} in {source} none could be used; {out}/{LEFT_OUT} says why of each. The first: "
            f"{listing(report.reasons, 3)}"
        )
    return report


def _pass(job: Job, task: Task, journal: Journal, total: int) -> Report:
    report = Report()
    kept: set[str] = set()  # no more of them than are in flight

    def due() -> Iterator[Item | Outcome]:
        items = walk(task.source)
        for item in job.group(items) if job.group else items:
            before = journal.find(item.name)
            if before is not None:
                if _holds(before, item, task):
                    kept.add(item.name)
                    yield before
                    continue
                for path, _ in before.made:  # of an original that has changed, perhaps more than there will be now
                    task.out.remove(path)
            yield item

    with counting("preparing", total) as progress:
        for outcome in ENGINES[job.engine](task, due()):
            journal.add(outcome)
            report.made += bool(outcome.made)
            report.left_out += not outcome.made
            if outcome.name in kept:
                kept.remove(outcome.name)
                report.kept += bool(outcome.made)
            if outcome.reason and len(report.reasons) < 3:
                report.reasons.append(f"{printable(outcome.files[outcome.which])}: {outcome.reason}")
            progress(len(outcome.files))
    journal.end()
    report.gone = journal.gone
    return report


def _holds(before: Outcome, item: Item, task: Task) -> bool:
    same = before.files == item.files and before.stamps == stamps_of(task.source, item)
    if not same or (item.refused and item.refused != before.reason) or before.reason.startswith(UNREAD):
        return False
    return all(task.out.size(path) == size for path, size in before.made)


def _tables(job: Job, out: Place, state: Path, report: Report) -> None:
    """Write the CSVs from the journal, a line at a time."""

    def left_out() -> Iterator[tuple[str, ...]]:
        for outcome in read(state / DONE):
            if outcome.made:
                continue
            at_fault = outcome.files[outcome.which]
            for path in outcome.files:
                yield path, outcome.reason if path == at_fault else f"goes with {at_fault}: {outcome.reason}"

    _write_csv(out, state, LEFT_OUT, ("name", "reason"), left_out())
    if job.table:
        rows = (row for outcome in read(state / DONE) for row in outcome.rows)
        _write_csv(out, state, job.table, job.columns, rows)


def _write_csv(out: Place, state: Path, name: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    made = state / f".{name}.tmp"
    try:
        with made.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([printable(cell) for cell in row] for row in rows)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {out}/{name}: {error.strerror or error}. The pictures are made; free some "
            "space and run the same command again."
        ) from error
    out.publish(made, name)


@contextlib.contextmanager
def _state(out: Local | Remote) -> Iterator[Path]:
    """The folder of the journal, held against a second job: OUT itself or, for an address, a folder of the cache."""
    if out.size(ASKED) < 0 and _holds_anything(out):
        raise UserError(
            f"{out} is not empty, and it was not made by limner prepare: choose another folder, so that nothing of "
            "yours is written over."
        )
    folder = out.root if isinstance(out, Local) else _state_of(out)
    with files.alone(folder):
        yield folder


def _state_of(out: Remote) -> Path:
    return cache_folder() / "prepare" / hashlib.sha256(out.url.encode()).hexdigest()[:16]


def _holds_anything(out: Local | Remote) -> bool:
    if isinstance(out, Local):
        if not out.root.exists():
            return False
        if not out.root.is_dir():
            raise UserError(f"{out} is a file; expected a folder for what is made.")
        return any(not entry.name.startswith(".") for entry in out.entries(""))
    with contextlib.suppress(UserError):  # there is nothing of that name yet
        return any(not entry.name.startswith(".") for entry in out.entries(""))
    return False


def _check_places(job: Job, source: Local | Remote, out: Local | Remote) -> None:
    if job.engine == "local" and (isinstance(source, Remote) or isinstance(out, Remote)):
        far = source if isinstance(source, Remote) else out
        raise UserError(f"{far} is not a folder of this machine; addresses are for --engine ray.")
    if isinstance(source, Local) and not source.root.is_dir():
        kind = "is a file; put single pictures into a folder" if source.root.exists() else "is not there"
        raise UserError(f"{source} {kind}. Expected a folder of pictures.")
    inside = str(source).rstrip("/") + "/", str(out).rstrip("/") + "/"
    if isinstance(source, Local) and isinstance(out, Local):
        inside = f"{source.root.resolve()}/", f"{out.root.resolve()}/"
    if inside[0].startswith(inside[1]) or inside[1].startswith(inside[0]):
        raise UserError(
            f"{source} and {out} lie in each other: choose a folder apart for what is made. Originals are never "
            "touched."
        )


def _check_asked(job: Job, source: Local | Remote, out: Place) -> None:
    given = str(source.root.resolve()) if isinstance(source, Local) else str(source)
    asked = json.loads(json.dumps({"photos": printable(given), **job.asked}))
    try:
        before = json.loads(out.read(ASKED))["asked"]
    except OSError:
        out.write(ASKED, (json.dumps({"limner": VERSION, "asked": asked}, indent=2) + "\n").encode())
        return
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{out}/{ASKED} is damaged, so that nobody can say how {out} was made: choose another folder."
        ) from error
    changed = differences(before, asked)
    if changed:
        raise UserError(
            f"{out} was made otherwise ({listing(changed)}), and a folder holds one set: choose another one, or remove "
            "this one to make it anew."
        )


def _empty(source: Place, others: collections.Counter[str]) -> UserError:
    expected = "expected files that end in " + ", ".join(sorted(SUFFIXES))
    kinds = listing(f"{count:,} {suffix}" for suffix, count in others.most_common())
    return UserError(f"{source} holds no pictures{f', but other files ({kinds})' if kinds else ''}: {expected}.")


def printable(name: str) -> str:
    """A file name as it can be shown and written down: what is not UTF-8 in it is escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
