"""`limner compare`: runs side by side, in one table and on one page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from tyro.conf import Positional

from limner.core.console import print_data, print_out, say
from limner.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Compare:
    """Put runs side by side: tables here, and a page of their curves, samples and the settings that differ."""

    runs: Positional[tuple[Path, ...]]
    """two or more run folders"""
    out: Path = Path("comparison.html")
    """the page"""
    json: bool = False
    """the tables as JSON"""


def compare(command: Compare) -> Path:
    """Write the page, print the tables, and return the page's path; UserError for what a person can mend."""
    from limner.report import comparison, standings

    if command.out.suffix != ".html":
        raise UserError(f"--out {command.out}: expected the name of a page, such as comparison.html")
    runs = standings.compare_runs(command.runs)
    page = comparison.write_comparison(command.out, runs)
    if command.json:
        print_data(json.dumps({**standings.as_data(runs), "page": str(page)}, indent=2))
    else:
        print_out(comparison.table(runs))
    say(f"Open {page}")
    return page
