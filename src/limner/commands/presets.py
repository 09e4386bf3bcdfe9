"""`limner presets`: the recipes there are."""

from __future__ import annotations

import dataclasses
import json

from rich.table import Table

from limner import presets
from limner.core.console import print_data, print_out


@dataclasses.dataclass(frozen=True)
class Presets:
    """List the recipes: name, what it does, paper, default size."""

    json: bool = False
    """as JSON"""


def list_presets(command: Presets) -> None:
    """Print the table."""
    rows = []
    for name in presets.PRESETS.names():
        what, paper = presets.describe(name)
        size = presets.get(name).size
        rows.append({"name": name, "what": what, "paper": paper, "size": f"{size} px" if size else "any"})
    if command.json:
        print_data(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("preset", "what it does", "paper", "size"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["what"], row["paper"], row["size"])
    print_out(table)
