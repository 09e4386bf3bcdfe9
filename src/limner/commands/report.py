"""`limner report`: the page of a run, made anew from its folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from limner.core.console import say
from limner.core.runs import Run


@dataclasses.dataclass(frozen=True)
class Report:
    """Make the page, the plots and the time-lapse of a run anew, also while it trains."""

    run: Positional[Path]
    """run folder"""


def report(command: Report) -> Path:
    """Write report.html and the time-lapse; return the page's path. UserError when the folder is no run."""
    from limner.report import refresh

    run = Run(command.run)
    run.read_config()
    page = refresh(run)
    say(f"Open {page}")
    return page
