"""What an evaluation says: a table in the terminal, and a page of the numbers and the pictures that explain them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from limner.core import files
from limner.report import scores, story
from limner.report.figures import figure, moment, render

LARGE, SMALL = 1280, 256  # longest side of the sheet of samples and of a single picture, in pixels
ARROWS = {"lower": "↓", "higher": "↑"}


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A sample beside the picture of the training set that is most like it."""

    fake: Image.Image
    real: Image.Image
    caption: str


@dataclasses.dataclass(frozen=True)
class WorstPair:
    """A translation that missed: what went in (None where there is nothing to show), what was wanted, what came out."""

    source: Image.Image | None
    real: Image.Image
    fake: Image.Image
    caption: str


def write_evaluation(
    path: Path,
    evaluation: Mapping[str, Any],
    samples: Image.Image | None,
    neighbours: Sequence[Neighbour],
    worst: Sequence[WorstPair],
) -> Path:
    """Write an evaluation as one page that opens from the disk and asks for nothing else; return its path.

    `evaluation` holds what evaluation.json does: "limner", "written" (ISO 8601), "title", "line" (the protocol in one
    line), "protocol" (the same in detail), "results" and "notes". A result has "key", "title", "value", "error" (one
    standard error, or None), "better" ("lower" or "higher"), "note" and "headline". A dozen neighbours and a dozen
    pairs are as many as a person looks at. Errors: UserError when the place cannot be written.
    """
    results = [_result(result) for result in evaluation["results"]]
    values = {
        "title": evaluation["title"],
        "headline": _headline(results),
        "results": results,
        "has_errors": any(result["error"] for result in results),
        "line": evaluation["line"],
        "protocol": story.settings(evaluation["protocol"]),
        "notes": evaluation["notes"],
        "samples": figure(samples, LARGE, "") if samples else None,
        "neighbours": [
            {"fake": figure(pair.fake, SMALL, ""), "real": figure(pair.real, SMALL, ""), "words": pair.caption}
            for pair in neighbours
        ],
        "worst": [_worst(pair) for pair in worst],
        "measured": _measured(evaluation),
    }
    files.write_text(path, render("evaluation.html", values))
    return path


def table(evaluation: Mapping[str, Any]) -> RenderableType:
    """Lay out an evaluation for a terminal: results with their errors, then the notes, the protocol line last."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("result", "value", "", "better", "note"):
        grid.add_column(title, justify="right" if title == "value" else "left", overflow="fold")
    for result in map(_result, evaluation["results"]):
        style = "bold" if result["headline"] else ""
        error = f"± {result['error']}" if result["error"] else ""
        cells = (result["title"], result["value"], error, result["better"], result["note"])
        grid.add_row(*(Text(cell, style) for cell in cells))
    notes = [Text(f"- {note}") for note in evaluation["notes"]]
    space = [Text("")]
    return Group(grid, *(space + notes if notes else []), Text(""), Text(evaluation["line"], "dim"))


def print_table(evaluation: Mapping[str, Any]) -> None:
    """Print the evaluation to standard output."""
    Console().print(table(evaluation))


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    value, error = scores.parts(result["value"], result["error"])
    better = result["better"]
    return {**result, "value": value, "error": error, "arrow": ARROWS.get(better, "")}


def _headline(results: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((result for result in results if result["headline"]), results[0] if results else None)


def _worst(pair: WorstPair) -> dict[str, Any]:
    shown = (("given", pair.source), ("wanted", pair.real), ("made", pair.fake))
    return {
        "pictures": [figure(picture, SMALL, words) for words, picture in shown if picture is not None],
        "words": pair.caption,
    }


def _measured(evaluation: Mapping[str, Any]) -> str:
    when = datetime.fromisoformat(evaluation["written"])
    zone = " UTC" if when.utcoffset() is not None and not when.utcoffset() else ""
    return f"{moment(when)}{zone} by limner {evaluation['limner']}"
