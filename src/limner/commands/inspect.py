"""`limner inspect`: what a set of pictures holds, what is wrong with it, and what to train on it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from limner.core import files
from limner.core.console import print_data, print_out, say

if TYPE_CHECKING:
    from limner.data.inspection import Advice, Inspection

ON_SHEET = 64  # pictures on the contact sheet
TILE = 128  # px
SERIOUS = {"stops": ("stops training", "bold red"), "harms": ("harms", "yellow"), "note": ("note", "cyan")}


@dataclasses.dataclass(frozen=True)
class Inspect:
    """See what a set of pictures holds and what is wrong with it; the exit code is 1 when training would fail."""

    data: Annotated[Positional[str], arg(metavar="DATA")]
    """folder, file, or name of a set, as --data of train takes it"""
    sheet: Path | None = None
    """also write a contact sheet to this .png"""
    json: bool = False
    """print one JSON object instead of a table"""


def inspect(command: Inspect) -> Inspection:
    """Look at every picture, show what was found and return it.

    Errors: UserError when there is no such set; SystemExit(1), after all was shown, when training would fail.
    """
    from limner.data.inspection import advise
    from limner.data.inspection import inspect as look

    inspection = look(command.data, show=not command.json)
    advice = advise(inspection)
    if command.json:
        print_data(json.dumps(to_dict(inspection, advice)))
    else:
        _show(inspection, advice)
    if command.sheet is not None:  # last: where it cannot be written, nothing is lost
        _write_sheet(inspection, command.sheet)
    if inspection.would_fail:
        raise SystemExit(1)
    return inspection


def to_dict(inspection: Inspection, advice: Advice | None) -> dict[str, Any]:
    """All that was found, as JSON takes it."""
    return {
        "data": inspection.data,
        "layout": inspection.layout.words,
        "paired": inspection.paired or inspection.side_by_side,
        "parts": [one.facts() for one in inspection.seen],
        "findings": [dataclasses.asdict(finding) for finding in inspection.findings],
        "advice": dataclasses.asdict(advice) if advice else None,
        "would_fail": inspection.would_fail,
    }


def _show(inspection: Inspection, advice: Advice | None) -> None:
    from rich.table import Table
    from rich.text import Text

    words = inspection.layout.words
    words += "; A left and B right, by their shape" if inspection.side_by_side else ""
    words += ", paired by name" if inspection.paired else ""
    print_out(f"{inspection.data}: {words}")
    table = Table(box=None, pad_edge=False)
    for column in ("part", "pictures", "size", "channels", "bits", "format", "bytes", "classes"):
        table.add_column(column)
    for one in inspection.seen:
        table.add_row(*_cells(one.facts()))
    print_out(table)
    for finding in inspection.findings:
        word, style = SERIOUS[finding.severity]
        print_out(Text.assemble((f"{word}: ", style), finding.words))
    if not inspection.findings:
        print_out("Nothing is wrong with it.")
    if advice is not None:
        print_out(f"Advice: {advice.preset} at {advice.size} px: {advice.reason}.")
        print_out(f"  {advice.command}")


def _cells(facts: dict[str, Any]) -> list[str]:
    from limner.core.errors import listing
    from limner.core.fetching import volume

    count = f"{facts['pictures']:,}"
    if facts["readable"] < facts["pictures"]:
        count = f"{facts['readable']:,} of {count}"
    size = ""
    if "smallest" in facts:
        low, high = ("x".join(map(str, facts[key])) for key in ("smallest", "largest"))
        size = low if low == high else f"{low} to {high}"
    several = [", ".join(facts.get(key, {})) for key in ("channels", "depths")]
    taken = volume(facts["bytes"]) if facts.get("bytes") else ""
    classes = facts.get("classes", {})
    named = f"{len(classes)}: {listing(classes, 3)}" if classes else ""
    return [facts["part"], count, size, *several, listing(facts["kinds"], 3), taken, named]


def _write_sheet(inspection: Inspection, path: Path) -> None:
    """A sheet of some pictures of each part, A and B of a pair beside each other."""
    import io

    import numpy as np

    from limner.core import images
    from limner.core.config import Size
    from limner.core.errors import UserError
    from limner.core.grids import grid
    from limner.data.layout import stem

    size = Size(TILE, TILE * (2 if inspection.side_by_side else 1))
    train = [one for one in inspection.seen if one.part.split == "train" and len(one.table)]
    if not train:
        say("There is nothing to put on a contact sheet.")
        return
    rows = np.unique(np.linspace(0, len(train[0].table) - 1, ON_SHEET // len(train)).round().astype(int)).tolist()
    shown, partners = [], {}
    for one in train[1:]:
        partners = {stem(one.part.source.name(int(index))): int(index) for index in one.table["index"]}
    for row in rows:
        index = int(train[0].table["index"][row])
        cells = [(train[0], index)]
        for one in train[1:]:
            name = stem(train[0].part.source.name(index))
            fallback = int(one.table["index"][row % len(one.table)])
            cells.append((one, partners.get(name, fallback) if inspection.paired else fallback))
        try:
            made = [one.part.source.read(index, size) for one, index in cells]
        except UserError:
            continue
        shown += [images.as_array(images.convert(images.fit(picture, size), 3)) for picture in made]
    out = io.BytesIO()
    grid(np.stack(shown), columns=8 if len(shown) >= 8 else None).save(out, "PNG")
    files.write_bytes(path, out.getvalue())
    say(f"Contact sheet: {path}")
