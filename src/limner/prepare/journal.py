"""What a job has done so far, a line for each item in the order of their names: after a kill it goes on from there."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

from limner.core import files

DONE, NOW = ".done.jsonl", ".now.jsonl"  # of the last whole pass; of the pass that is under way


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an item: what was made (names and bytes), rows of the table, or why nothing was.

    `stamps` are those of its originals. `files` are its originals, and `which` of them was the reason.
    """

    name: str
    files: tuple[str, ...]
    stamps: tuple[str, ...]
    made: tuple[tuple[str, int], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    reason: str = ""
    which: int = 0

    def dumps(self) -> str:
        """As one line of JSON."""
        return json.dumps([self.name, self.files, self.stamps, self.made, self.rows, self.reason, self.which])

    @staticmethod
    def loads(line: str) -> Outcome:
        """From one line of JSON; ValueError for another one."""
        name, originals, stamps, made, rows, reason, which = json.loads(line)
        return Outcome(
            name,
            tuple(originals),
            tuple(stamps),
            tuple((path, size) for path, size in made),
            tuple(tuple(row) for row in rows),
            reason,
            which,
        )


class Journal:
    """The outcomes of a job in `folder`. Neither finding nor adding one holds more than a line in memory.

    Outcomes are asked for and added in the order of their names. `gone` counts those whose item is there no more.
    """

    def __init__(self, folder: Path) -> None:
        self.done, self.now = folder / DONE, folder / NOW
        self.resumed = self.now.exists()
        if self.resumed:
            self._join()
        self.gone = 0
        self._old = read(self.done)
        self._next = next(self._old, None)
        files.append_text(self.now, "")  # refused now rather than after the first picture

    def find(self, name: str) -> Outcome | None:
        """What became of an item the last time, if it was there; names are asked for in order."""
        while self._next is not None and self._next.name < name:
            self.gone += 1
            self._next = next(self._old, None)
        if self._next is None or self._next.name != name:
            return None
        found, self._next = self._next, next(self._old, None)
        return found

    def add(self, outcome: Outcome) -> None:
        """Write down what became of an item, so that a kill does not lose it."""
        files.append_text(self.now, outcome.dumps() + "\n")

    def end(self) -> None:
        """Every item has its outcome."""
        while self._next is not None:
            self.gone += 1
            self._next = next(self._old, None)
        if hasattr(os, "sync"):  # what was made is on the disk before it counts as done
            os.sync()
        files.rename(self.now, self.done)

    def _join(self) -> None:
        # what a killed pass has done, then what the pass before it did beyond that
        last = ""
        with files.atomic(self.done) as temporary, temporary.open("w", encoding="utf-8") as joined:
            for outcome in read(self.now):
                joined.write(outcome.dumps() + "\n")
                last = outcome.name
            for outcome in itertools.dropwhile(lambda one: one.name <= last, read(self.done)):
                joined.write(outcome.dumps() + "\n")
        self.now.unlink()


def read(path: Path) -> Iterator[Outcome]:
    """The outcomes of a journal in their order; a last line that was cut short by a kill is left out."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield Outcome.loads(line)
            except (ValueError, TypeError):
                return
