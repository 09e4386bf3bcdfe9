"""Runs side by side: what they are, how good they are where that may be compared, and in which settings they differ."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report import scores, story

UNKNOWN = "not written down"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One run of a comparison; `name` is the shortest end of its path that no other has."""

    name: str
    run: Run
    content: dict[str, Any]
    lines: list[dict[str, Any]]
    progress: story.Progress
    speed: float | None
    """images per second over the whole run"""
    health: tuple[str, ...]

    @property
    def preset(self) -> str:
        """The recipe's name."""
        return str(self.content["config"].get("preset", "?"))

    @property
    def data(self) -> str:
        """What the run learns from, as it was asked for."""
        return story.plain(self.content["config"].get("data"))


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run's number: the best one with its moment in images, and the last one, when measured while training."""

    value: float
    error: float | None = None
    at: int | None = None
    last: float | None = None
    wins: bool = False

    @property
    def text(self) -> str:
        """The number with its error."""
        return scores.number(self.value, self.error)


@dataclasses.dataclass(frozen=True)
class Row:
    """One result of all runs, in their order; None where a run does not have it."""

    key: str
    title: str
    better: str
    cells: tuple[Cell | None, ...]


@dataclasses.dataclass(frozen=True)
class Board:
    """Results of all runs; `refusal` says why nobody may rank them, and is empty where anybody may."""

    title: str
    protocols: tuple[str | None, ...]
    rows: tuple[Row, ...]
    refusal: str

    @property
    def protocol(self) -> str:
        """How all of them were measured; empty where they were measured differently."""
        return "" if self.refusal else next(filter(None, self.protocols), "")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What there is to say about several runs; `settings` are titled lists of (name, value of each run or None)."""

    entries: tuple[Entry, ...]
    trained: Board
    """measured while training, from the metrics lines"""
    evaluated: Board
    """measured by limner evaluate, from each run's evaluation.json"""
    settings: dict[str, list[tuple[str, list[Any]]]]

    @property
    def boards(self) -> list[Board]:
        """Those that have anything to say."""
        return [board for board in (self.trained, self.evaluated) if board.rows]

    @property
    def names(self) -> list[str]:
        """What the runs are called."""
        return [entry.name for entry in self.entries]


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Read two or more run folders; UserError when one is no run, or stands there twice."""
    if len(folders) < 2:
        raise UserError(f"limner compare takes two or more run folders: {len(folders)} given")
    places = [folder.resolve() for folder in folders]
    twice = next((folder for i, folder in enumerate(folders) if places[i] in places[:i]), None)
    if twice is not None:
        raise UserError(f"{twice} is given twice: a run is compared with others")
    names = _names(places)
    entries = tuple(read_entry(Run(folder), name) for folder, name in zip(folders, names, strict=True))
    trained = _board("While training", names, [_trained(entry) for entry in entries])
    evaluated = _board("By limner evaluate", names, [_evaluated(entry) for entry in entries])
    settings = {
        "As asked": _differences([entry.content["config"] for entry in entries]),
        "As found and decided": _differences(
            [{"limner": entry.content.get("limner"), **entry.content["resolved"]} for entry in entries]
        ),
    }
    return Comparison(entries, trained, evaluated, settings)


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return all that is told as plain JSON values; what a run does not have is left out of its place."""
    names = comparison.names

    def by_name(values: Sequence[Any]) -> dict[str, Any]:
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    runs = [
        {
            "name": entry.name,
            "folder": str(entry.run.folder),
            "preset": entry.preset,
            "data": entry.content["config"].get("data"),
            "images": entry.progress.images,
            "total": entry.progress.total,
            "hours": round(entry.progress.seconds / 3600, 4),
            "speed": entry.speed and round(entry.speed, 1),
            "health": list(entry.health),
        }
        for entry in comparison.entries
    ]
    boards = [
        {
            "title": board.title,
            "comparable": not board.refusal,
            "refusal": board.refusal,
            "protocols": by_name(board.protocols),
            "results": [
                {
                    "key": row.key,
                    "title": row.title,
                    "better": row.better,
                    "runs": by_name([cell and _as_numbers(cell) for cell in row.cells]),
                }
                for row in board.rows
            ],
        }
        for board in comparison.boards
    ]
    settings = {
        title: {key: by_name(values) for key, values in rows} for title, rows in comparison.settings.items() if rows
    }
    return {"runs": runs, "measured": boards, "settings": settings}


def _as_numbers(cell: Cell) -> dict[str, Any]:
    # JSON knows no infinity, which the PSNR of two equal pictures is
    values = dataclasses.asdict(cell)
    return {key: value if value is None or math.isfinite(value) else None for key, value in values.items()}


def _names(places: Sequence[Path]) -> list[str]:
    longest = max(len(place.parts) for place in places)
    tails = (["/".join(place.parts[-depth:]) for place in places] for depth in range(1, longest + 1))
    return next((names for names in tails if len(set(names)) == len(names)), [str(place) for place in places])


def read_entry(run: Run, name: str) -> Entry:
    """Read one run folder; UserError when it is none."""
    content, lines = run.read_config(), list(run.metrics())
    progress, times = story.progress(content, lines), story.clock(lines)
    speed = times[-1][0] / times[-1][1] if times and times[-1][1] > 0 else None
    return Entry(name, run, content, lines, progress, speed, tuple(found.word for found in story.findings(lines)))


# What a run has to show: how it was measured, and its results by key as (title, better, cell).
Shown = tuple[str | None, dict[str, tuple[str, str, Cell]]]


def _trained(entry: Entry) -> Shown:
    measured = story.evaluations(entry.lines)
    results = {}
    for key, points in story.numbers(measured).items():
        score, last = scores.score(key), points[-1][1]
        at, value = story.best(points, score.better) or points[-1]
        results[key] = (" ".join(filter(None, (score.title, score.unit))), score.better, Cell(value, None, at, last))
    return (str(measured[-1].get("protocol") or UNKNOWN) if results else None), results


def _evaluated(entry: Entry) -> Shown:
    path = entry.run.folder / "evaluation.json"
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        results = {
            result["key"]: (result["title"], result["better"], Cell(float(result["value"]), result["error"]))
            for result in evaluation["results"]
            if result["value"] is not None
        }
        return str(evaluation.get("how") or evaluation["line"]), results
    except FileNotFoundError:
        return None, {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({error!r}): run limner evaluate again, or remove it") from error


def _board(title: str, names: Sequence[str], shown: Sequence[Shown]) -> Board:
    refusal = _refusal({name: how for name, (how, _) in zip(names, shown, strict=True) if how is not None})
    known = {key: result for _, results in shown for key, result in results.items()}
    rows = []
    for key, (name, better, _) in known.items():
        cells = [results[key][2] if key in results else None for _, results in shown]
        values, errors = [cell and cell.value for cell in cells], [cell and cell.error for cell in cells]
        best = set() if refusal else scores.winners(values, better, errors)
        marked = (cell and dataclasses.replace(cell, wins=i in best) for i, cell in enumerate(cells))
        rows.append(Row(key, name, better, tuple(marked)))
    return Board(title, tuple(how for how, _ in shown), tuple(rows), refusal)


def _refusal(protocols: Mapping[str, str]) -> str:
    ways = list(dict.fromkeys(protocols.values()))
    if len(protocols) < 2 or (len(ways) == 1 and ways != [UNKNOWN]):
        return ""
    if ways == [UNKNOWN]:
        return "Not comparable: how the runs were measured is not written down."
    said = (f"{', '.join(name for name in protocols if protocols[name] == way)} with {way}" for way in ways)
    return f"Not comparable: the runs were measured differently: {' | '.join(said)}."


def _differences(contents: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    flat = [_flat(content) for content in contents]
    keys = dict.fromkeys(key for values in flat for key in values)
    rows = ((key, [values.get(key) for values in flat]) for key in keys)
    # a setting that another run does not have differs, unless it is not set either
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping) and value.keys() != {"height", "width"}
        found |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found
