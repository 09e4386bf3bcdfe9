"""How every run stands: the table of the page Runs, and of the endpoint."""

from __future__ import annotations

import dataclasses
import functools
import html
from pathlib import Path

from limner.core.console import duration
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report import scores, story
from limner.studio.house import House
from limner.studio.jobs import Job

HEADERS = ("run", "state", "preset", "data", "progress", "images/s", "left", "last number", "health")


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table, as it is shown."""

    run: str
    state: str
    preset: str = ""
    data: str = ""
    progress: str = ""
    speed: str = ""
    left: str = ""
    number: str = ""
    health: str = ""
    share: float | None = None
    """of the run that is done, in [0, 1]"""


def table(house: House) -> list[Row]:
    """Every run as it stands, newest first; what waits or failed before it had a folder comes first."""
    jobs = {job.run: job for job in house.jobs.tend()}
    folders = house.shelf.folders()
    there = {house.shelf.name(run) for run in folders}
    early = [job for job in jobs.values() if job.run not in there]
    states = [Row(job.run, _state(job), health=job.failed) for job in early]
    return states + [_row(house, run, jobs.get(house.shelf.name(run))) for run in folders]


def _row(house: House, run: Run, job: Job | None) -> Row:
    name = house.shelf.name(run)
    try:
        facts = _facts(run, *(changed(file) for file in (run.metrics_file, run.config_file)))
    except UserError as error:
        return Row(name, "broken", health=str(error).replace(str(run.folder), name))
    progress, busy = facts.progress, house.jobs.busy(name)
    state = "trains" if busy else _state(job) if job else "done" if progress.done else "stopped"
    left = duration((progress.total - progress.images) / facts.speed) if facts.speed and progress.total else ""
    reason = house.shelf.reason(run)
    if reason and not busy:
        state = "broken"
    return Row(
        name,
        state,
        facts.preset,
        facts.data,
        f"{progress.share:.0%} of {progress.total:,}" if progress.share is not None else f"{progress.images:,}",
        f"{facts.speed:,.1f}" if facts.speed and busy else "",
        left if busy else "",
        facts.number,
        reason or (job.failed if job else "") or facts.health,
        progress.share,
    )


@dataclasses.dataclass(frozen=True)
class _Facts:
    progress: story.Progress
    preset: str
    data: str
    speed: float | None
    number: str
    health: str


@functools.lru_cache(maxsize=1024)
def _facts(run: Run, *moments: int) -> _Facts:
    # again only when numbers have come: every open page asks every few seconds
    content, lines = run.read_config(), list(run.metrics())
    found = story.numbers(story.evaluations(lines))
    key = next(iter(found), None)
    words = story.findings(lines)
    return _Facts(
        story.progress(content, lines),
        str(content["config"].get("preset", "")),
        Path(story.plain(content["config"].get("data"))).name,
        next((line["speed"] for line in reversed(lines) if "speed" in line), None),
        f"{scores.score(key).title} {scores.number(found[key][-1][1])}" if key else "",
        words[-1].word if words else "",
    )


def _state(job: Job) -> str:
    return "trains" if job.pid else "failed" if job.failed else "waits"


def may_stop(row: Row | None) -> bool:
    """Whether there is a training to be stopped, to be taken out of the queue, or to be forgotten."""
    return row is not None and row.state in ("trains", "waits", "failed")


def may_go_on(row: Row | None) -> bool:
    """Whether a run can be continued."""
    return row is not None and row.state in ("stopped", "failed", "broken") and row.share is not None


def changed(file: Path) -> int:
    """When a file was written, in nanoseconds; 0 for none."""
    return file.stat().st_mtime_ns if file.is_file() else 0


def board_of(rows: list[Row]) -> str:
    """The table as HTML, in which each run's name is a button."""
    head = "".join(f'<th scope="col">{title}</th>' for title in HEADERS)
    body = "".join(
        f'<tr class="{row.state}">{"".join(f"<td>{cell}</td>" for cell in _cells(row))}</tr>' for row in rows
    )
    return f'<div class="wide"><table class="runs"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(row: Row) -> list[str]:
    name = html.escape(row.run, quote=True)
    bar = f'<span class="bar"><i style="width: {row.share:.1%}"></i></span>' if row.share is not None else ""
    first = [f'<button class="link" data-run="{name}">{name}</button>', f'<span class="state">{row.state}</span>']
    middle = [html.escape(row.preset), html.escape(row.data), html.escape(row.progress) + bar]
    return first + middle + [html.escape(cell) for cell in (row.speed, row.left, row.number, row.health)]
