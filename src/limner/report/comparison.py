"""What a comparison of runs shows: tables in the terminal, and one page of curves, samples and settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from limner.core import files
from limner.report import scores, story
from limner.report.figures import figure, newest_sheet, render
from limner.report.standings import Cell, Comparison, Entry
from limner.report.timelapse import caption

BEST = "best, or no further from it than the standard errors allow"
SHEETS = {2: 800, 3: 640}  # longest side of each sheet in pixels by the number of runs
SMALL = 480  # of more runs
FOREMOST = 4  # results whose curves are seen at once
LONG_RUN = 2 * 3600  # seconds from which curves are drawn over hours instead of minutes


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write the comparison as one page that opens from the disk and asks for nothing else; return its path.

    Errors: UserError when the place cannot be written.
    """
    from limner.report import plots

    entries, names = comparison.entries, comparison.names
    runs = [
        {
            "entry": entry,
            "colour": plots.LINES[i % len(plots.LINES)],
            "line": ("solid", "dashed", "dotted")[i // len(plots.LINES) % len(plots.DASHES)],
            "count": story.picture_count(entry.content),
            "sheet": _sheet(entry, SHEETS.get(len(entries), SMALL)),
        }
        for i, entry in enumerate(entries)
    ]
    results, losses, alone = _curves(comparison)
    values = {
        "title": " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) <= 4 else f"{len(names)} runs",
        "runs": runs,
        "boards": comparison.boards,
        "best": BEST,
        "number": scores.number,
        "plots": results[:FOREMOST] + losses,
        "folded": results[FOREMOST:],
        "alone": alone,
        "losses_differ": len({_loss(entry) for entry in entries}) > 1,
        "settings": [
            (title, [(key, [_value(key, value) for value in cells]) for key, cells in rows])
            for title, rows in comparison.settings.items()
            if rows
        ],
        "duration": story.duration,
    }
    files.write_text(path, render("comparison.html", values))
    return path


def table(comparison: Comparison) -> RenderableType:
    """Lay out the comparison for a terminal: a row for each run, then a row for each result."""
    facts = _grid("run", "preset", "data", "images", "time", "images/s", "health")
    for entry in comparison.entries:
        seconds, speed = entry.progress.seconds, entry.speed
        cells = [entry.name, entry.preset, Path(entry.data).name, f"{entry.progress.images:,}"]
        cells += [story.duration(seconds) if seconds else "", f"{speed:,.0f}" if speed else ""]
        facts.add_row(
            *map(Text, cells), Text(", ".join(entry.health) or ("nothing to report" if entry.lines else "not begun"))
        )
    parts: list[RenderableType] = [facts]
    for board in comparison.boards:
        grid = _grid(board.title.lower(), "better", *comparison.names)
        for row in board.rows:
            grid.add_row(Text(row.title), Text(row.better), *(Text(_words(cell)) for cell in row.cells))
        parts += [Text(""), grid]
        if any(cell and cell.wins for row in board.rows for cell in row.cells):
            parts.append(Text(f"* {BEST}", "dim"))
        parts.append(Text(board.refusal, "yellow") if board.refusal else Text(board.protocol, "dim"))
    return Group(*parts)


def _grid(*titles: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        number, words = title in ("images", "images/s"), title in ("data", "health")
        justify = "right" if number else "left"
        grid.add_column(Text(title), overflow="fold", justify=justify, no_wrap=titles[0] == "run" and not words)
    return grid


def _words(cell: Cell | None) -> str:
    if cell is None:
        return ""
    words = cell.text + (" *" if cell.wins else "")
    if cell.at is not None:
        words += f" at {cell.at:,}"
    return words if cell.last in (None, cell.value) else f"{words}, last {scores.number(cell.last)}"


def _sheet(entry: Entry, longest: int) -> dict[str, Any] | None:
    sheet, picture = newest_sheet(entry.run.sample_sheets())
    return figure(picture, longest, caption(sheet)) if sheet is not None and picture is not None else None


def _curves(comparison: Comparison) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    # a pair of plots for each result and for each loss that two runs have, and the names of those that only one has
    from limner.report import plots

    found: dict[str, dict[int, plots.Curve]] = {}
    for i, entry in enumerate(comparison.entries):
        shown = [line for line in entry.lines if line.get("kind") != "evaluation"]
        shown += [] if comparison.trained.refusal else story.evaluations(entry.lines)
        for key, curve in plots.read_curves(shown).items():
            if key.startswith(("metric/", "loss/")):
                found.setdefault(key, {})[i] = curve
    losses = sorted((key for key in found if key.startswith("loss/")), key=lambda key: (len(key), key))
    results = scores.in_order(key for key in found if key.startswith("metric/"))
    alone = [plots.title(key) for key in results + losses if len(found[key]) == 1]

    def drawn(key: str) -> dict[str, Any]:
        title = plots.title(key)
        return {"title": title, "words": plots.subtitle(title), "axes": _over(key, found[key], comparison)}

    several, pairs = ([drawn(key) for key in keys if len(found[key]) > 1] for keys in (results, losses))
    return several, pairs, alone


def _over(key: str, curves: Mapping[int, Any], comparison: Comparison) -> list[tuple[str, Markup]]:
    from limner.report import plots

    names = comparison.names
    svgs = [("images", Markup(plots.overlay(key, curves, names, "images")))]
    clocks = {i: story.clock(comparison.entries[i].lines) for i in curves}
    if all(clocks.values()):
        slow = max(clock[-1][1] for clock in clocks.values()) >= LONG_RUN
        unit, seconds = ("hours", 3600) if slow else ("minutes", 60)
        timed = {}
        for i, (x, y) in curves.items():
            images, times = np.array([(0, 0.0), *clocks[i]]).T
            timed[i] = (np.interp(x, images, times) / seconds, y)
        svgs.append((unit, Markup(plots.overlay(key, timed, names, unit))))
    return svgs


def _loss(entry: Entry) -> tuple[str, str]:
    config = entry.content["config"]
    settings = config.get("settings")
    return str(config.get("method")), str(settings.get("loss") if isinstance(settings, Mapping) else None)


def _value(key: str, value: Any) -> str:
    if value is None:
        return "–"
    return str(value)[:8] if key.endswith("fingerprint") else story.plain(value)
