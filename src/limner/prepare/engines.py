"""Who does the work: the cores of this machine, or a Ray cluster. Both call the same function on the same bytes."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

from limner.core.errors import UserError
from limner.prepare.items import Item, PictureFunction, Refused
from limner.prepare.journal import Outcome
from limner.prepare.places import Place

Engine = Literal["local", "ray"]
WAITING = 4  # items in flight for each core: none waits for the slowest, and memory stays bounded
UNREAD = "cannot be read"  # by the system, which may be otherwise the next time
SLICE = 2048  # items that Ray is given at once; as many are done again after a kill, at most


@dataclasses.dataclass(frozen=True)
class Task:
    """One item from its files to what is made of them, wherever this runs."""

    source: Place
    out: Place
    work: PictureFunction

    def __call__(self, item: Item) -> Outcome:
        """Read, work, write; UserError when the result cannot be written."""
        stamps = stamps_of(self.source, item)
        if item.refused:
            return Outcome(item.name, item.files, stamps, reason=item.refused)
        contents = []
        for i, path in enumerate(item.files):
            try:
                contents.append(self.source.read(path))
            except OSError as error:
                return Outcome(item.name, item.files, stamps, reason=f"{UNREAD}: {_words(error)}", which=i)
        try:
            made = self.work(item, tuple(contents))
        except UserError as error:
            made = Refused(str(error))
        if isinstance(made, Refused):
            return Outcome(item.name, item.files, stamps, reason=made.reason, which=made.which)
        for path, content in made.files:
            self.out.write(path, content)
        sizes = tuple((path, len(content)) for path, content in made.files)
        return Outcome(item.name, item.files, stamps, sizes, made.rows)


def stamps_of(place: Place, item: Item) -> tuple[str, ...]:
    """The stamps of an item's files."""
    return tuple(place.stamp(path) for path in item.files)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(task: Task, items: Iterable[Item | Outcome]) -> Iterator[Outcome]:
    """Work on all cores of this machine; outcomes come in the order of the items, those known already pass through.

    Threads do: OpenCV, Pillow and zlib let go of Python while they work, and no thread outlives a killed process.
    """
    waiting: collections.deque[Future[Outcome] | Outcome] = collections.deque()
    pool = ThreadPoolExecutor(cores())
    try:
        for item in items:
            waiting.append(item if isinstance(item, Outcome) else pool.submit(task, item))
            if len(waiting) >= WAITING * cores():
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def ray(task: Task, items: Iterable[Item | Outcome]) -> Iterator[Outcome]:
    """Work as Ray Data jobs on the cluster that Ray finds (RAY_ADDRESS), or starts here; in order, as `local`.

    Every worker needs limner, the originals and the place for results: a network folder or an address of fsspec's.
    Errors: UserError when Ray is not installed.
    """
    try:
        import ray as cluster  # pyright: ignore[reportMissingImports]
        import ray.data as sets  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("--engine ray needs the package Ray: pip install 'limner[cluster]'") from error
    for talker in ("ray", "ray.data"):  # plans and hints of its own, between our lines
        logging.getLogger(talker).setLevel(logging.ERROR)
    if not cluster.is_initialized():
        cluster.init(log_to_driver=False, logging_level=logging.ERROR)
    sets.DataContext.get_current().enable_progress_bars = False
    everything = iter(items)
    while piece := list(itertools.islice(everything, SLICE)):
        known = {i: one for i, one in enumerate(piece) if isinstance(one, Outcome)}
        rows = [{"index": i, "item": _dumps(one)} for i, one in enumerate(piece) if isinstance(one, Item)]
        yield from _in_order(known, _rows(sets, task, rows), len(piece))


ENGINES: dict[str, Callable[[Task, Iterable[Item | Outcome]], Iterator[Outcome]]] = {"local": local, "ray": ray}


def _rows(sets: Any, task: Task, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if rows:
        yield from sets.from_items(rows).map(functools.partial(_one_row, task)).iter_rows()


def _one_row(task: Task, row: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"index": row["index"], "outcome": task(_loads(row["item"])).dumps(), "error": ""}
    except UserError as error:  # Ray would wrap it in words of its own
        return {"index": row["index"], "outcome": "", "error": str(error)}


def _in_order(known: dict[int, Outcome], rows: Iterator[dict[str, Any]], count: int) -> Iterator[Outcome]:
    for i in range(count):
        while i not in known:
            row = next(rows)
            if row["error"]:
                raise UserError(row["error"])
            known[int(row["index"])] = Outcome.loads(row["outcome"])
        yield known.pop(i)


def _dumps(item: Item) -> str:
    return json.dumps(dataclasses.asdict(item))


def _loads(text: str) -> Item:
    values = json.loads(text)
    return Item(**{**values, "files": tuple(values["files"])})


def _result(one: Future[Outcome] | Outcome) -> Outcome:
    return one if isinstance(one, Outcome) else one.result()


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
