"""What a person sees in a terminal: a bar with the losses and the last health word; plain lines elsewhere; JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.style import Style
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from PIL import Image

PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal


def say(*words: str) -> None:
    """Tell the person something, on the standard error stream so that the output stays data."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(*words, markup=False)


def print_out(content: RenderableType) -> None:
    """Write what was asked for to standard output: words, or a table; `[...]` in names is no markup."""
    Console(highlight=False, markup=False).print(content, soft_wrap=isinstance(content, str | Text))


def show(pictures: Mapping[str, Image.Image], rows: int = 10) -> None:
    """Draw small pictures, titled, side by side on a terminal that has colours; elsewhere do nothing."""
    console = Console(stderr=True)
    if not console.is_terminal or console.color_system not in ("256", "truecolor"):
        return
    table = Table.grid(padding=(0, 3))
    cells = []
    for picture in pictures.values():
        # Two pixels a character: the upper half block in one colour on a ground of the other.
        small = picture.convert("RGB").resize((max(2, round(2 * rows * picture.width / picture.height)), 2 * rows))
        cell = Text()
        for y in range(0, small.height, 2):
            for x in range(small.width):
                upper, lower = (Color.from_rgb(*small.getpixel((x, row))) for row in (y, y + 1))  # pyright: ignore
                cell.append("\N{UPPER HALF BLOCK}", Style(color=upper, bgcolor=lower))
            cell.append("\n")
        cells.append(cell)
    table.add_row(*pictures)
    table.add_row(*cells)
    console.print(table)


class TrainingDisplay:
    """Shows how a run goes: call `tick` as often as you like, `line` with every line of the metrics.

    `style` is "auto" (a bar on a terminal, else plain lines), "json" (each line on standard output) or "quiet".
    """

    def __init__(self, title: str, total: int, start: int, style: str = "auto") -> None:
        self.total = total
        self.style = style
        self.words = ""
        self.speed: float | None = None
        self._last_line = 0.0
        self._progress: Progress | None = None
        console = Console(stderr=True)
        if style == "auto" and console.is_terminal:
            self._progress = Progress(
                TextColumn(title, markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                _Remaining(self),
                TextColumn("{task.fields[words]}", markup=False),
                console=console,
            )
            self._task = self._progress.add_task(title, total=total, completed=start, words="")

    def __enter__(self) -> TrainingDisplay:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress:
            self._progress.stop()

    def tick(self, images: int) -> None:
        """Move the bar."""
        if self._progress:
            self._progress.update(self._task, completed=min(images, self.total), words=self.words)

    def line(self, line: dict[str, Any]) -> None:
        """Take in a line of the metrics."""
        if self.style == "json":
            print_data(json.dumps(line))
        elif line["kind"] == "log":
            self.speed = line["speed"]
            self.words = summary(line)
            if self._progress is None and self.style == "auto" and self._is_time(line["images"]):
                left = duration((self.total - line["images"]) / max(line["speed"], 1e-9))
                say(f"{line['images']:>9,} of {self.total:,} images, {left} left  {self.words}")
        elif line["kind"] == "health" and self.style == "auto":
            self.say(f"at {line['images']:,} images: {line['word']}. {line['advice']}")

    def say(self, words: str) -> None:
        """Say something without breaking the bar."""
        if self._progress:
            self._progress.console.print(words, markup=False, highlight=False)
        elif self.style == "auto":
            say(words)

    def _is_time(self, images: int) -> bool:
        now = time.monotonic()
        if now - self._last_line < PLAIN_EVERY and images < self.total:
            return False
        self._last_line = now
        return True


@contextlib.contextmanager
def counting(title: str, total: int, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while something is counted; give a function that takes how many more are done."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda more: progress.advance(task, more)


class _Remaining(ProgressColumn):
    # The bar's own estimate is unsteady at the start; the last log line's speed is measured over many steps.
    def __init__(self, display: TrainingDisplay) -> None:
        super().__init__()
        self.display = display

    def render(self, task: Task) -> Text:
        if not self.display.speed:
            return Text("")
        return Text(f"{duration((self.display.total - task.completed) / self.display.speed)} left", style="cyan")


def summary(line: dict[str, Any]) -> str:
    """The numbers of a log line worth a glance: speed, losses, accuracies."""
    words = [f"{line['speed']:,.0f} images/s" if line["speed"] >= 10 else f"{line['speed']:.2f} images/s"]
    for prefix, form in (("loss", "{:.3f}"), ("accuracy", "{:.0%}")):
        values = {key.partition("/")[2]: value for key, value in line.items() if key.startswith(f"{prefix}/")}
        if values:
            words.append(f"{prefix} " + " ".join(f"{name} {form.format(value)}" for name, value in values.items()))
    return "  ".join(words)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 3:05, 2:03:09."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def print_data(text: str) -> None:
    """Write data to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
