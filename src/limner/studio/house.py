"""What every page of the studio shares: the runs folder, the shelf of models, room for files, errors as sentences."""

from __future__ import annotations

import contextlib
import functools
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from limner.core.errors import UserError
from limner.studio.jobs import Jobs
from limner.studio.shelf import Shelf

KEPT, TIDIED = 24 * 3600.0, 3600.0  # seconds that results are kept, and between looks for older ones
HIDDEN = ".studio"  # in the runs folder: uploads, results, the queue of trainings

F = TypeVar("F", bound=Callable[..., Any])


class House:
    """The runs folder and what the studio keeps in it; `data` holds the sets that one may train on."""

    def __init__(self, runs: Path, data: Path | None = None) -> None:
        self.runs = runs.resolve()
        self.data = data.resolve() if data is not None else None
        self.uploads = self.runs / HIDDEN / "uploads"
        self.shelf = Shelf(self.runs)
        self.files = self.runs / HIDDEN / "files"
        self.jobs = Jobs(self.runs / HIDDEN, self.runs)
        self.computing = threading.Lock()  # one network at a time: two would only slow each other down
        self.files.mkdir(parents=True, exist_ok=True)
        self._tidied = -TIDIED

    def folder(self) -> Path:
        """A new folder for results, of a name that nobody can guess; those of yesterday are cleared away."""
        self._tidy()
        folder = self.files / secrets.token_hex(16)
        folder.mkdir()
        return folder

    def _tidy(self) -> None:
        # uploads lie here, too; Gradio forgets at its end what it has put here
        if time.monotonic() - self._tidied < TIDIED:
            return
        self._tidied = time.monotonic()
        for child in self.files.iterdir():
            with contextlib.suppress(OSError):  # somebody else may be tidying
                newest = max(path.lstat().st_ctime for path in (child, *child.rglob("*")))
                if newest < time.time() - KEPT:
                    shutil.rmtree(child)


def said(function: F) -> F:
    """Show the words of a UserError on the page, or to who called the API."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except UserError as error:
            words = str(error)
            raise gr.Error(words[:1].upper() + words[1:], print_exception=False, title="") from error

    return wrapped  # type: ignore[return-value]
