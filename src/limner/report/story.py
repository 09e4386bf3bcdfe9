"""What a run folder says, in words and numbers that a page can show as they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from limner.report import scores

Line = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: images seen, of how many (None: not known), and the seconds that it has trained."""

    images: int
    total: int | None
    seconds: float

    @property
    def done(self) -> bool:
        """Whether the run has seen all its images."""
        return self.total is not None and self.images >= self.total

    @property
    def share(self) -> float | None:
        """The part that is done, in [0, 1]; None when the length is not known."""
        return min(1.0, self.images / self.total) if self.total else None


@dataclasses.dataclass(frozen=True)
class Finding:
    """A health word, when it was first said, how often, and the advice that came with it."""

    images: int
    word: str
    advice: str
    times: int = 1


def progress(content: Mapping[str, Any], lines: Iterable[Line], newest_sheet: int = 0) -> Progress:
    """Read off how far the run is; a clock that starts anew after a resume is added to what was before."""
    lines = list(lines)
    images = max((int(line.get("images", 0)) for line in lines), default=0)
    times = clock(lines)
    return Progress(max(images, newest_sheet), _total(content), times[-1][1] if times else 0.0)


def clock(lines: Iterable[Line]) -> list[tuple[int, float]]:
    """Pair images seen with the seconds that training had taken by then; a clock that starts anew is added up."""
    times, seconds, before = [], 0.0, 0.0
    for line in lines:
        now = line.get("seconds")
        if line.get("kind") == "evaluation" or not isinstance(now, int | float):  # an evaluation's are its own cost
            continue
        seconds += now - before if now >= before else now
        before = now
        times.append((int(line.get("images", 0)), seconds))
    return times


def evaluations(lines: Iterable[Line]) -> list[Line]:
    """List the evaluations that may be compared: those that were made as the last one was."""
    found = [line for line in lines if line.get("kind") == "evaluation"]
    return [line for line in found if line.get("protocol") == found[-1].get("protocol")]


def numbers(evaluations: Sequence[Line]) -> dict[str, list[tuple[int, float]]]:
    """Gather each result as (images, value) in the order of training: the leading one first, then the best-known.

    The last evaluation says which one leads under "headline"; where it does not, the best-known does.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for line in evaluations:
        for key, value in line.items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if key.startswith("metric/") and number:
                found.setdefault(key.removeprefix("metric/"), []).append((int(line["images"]), float(value)))
    first = evaluations[-1].get("headline") if evaluations else None
    return {key: found[key] for key in sorted(scores.in_order(found), key=lambda key: key != first)}


def best(points: Sequence[tuple[int, float]], better: str) -> tuple[int, float] | None:
    """Find the moment and the value of the best of (images, value); None where no direction is good."""
    if not points or better not in ("lower", "higher"):
        return None
    return min(points, key=lambda point: point[1] if better == "lower" else -point[1])


def leading(lines: Iterable[Line]) -> dict[str, Any] | None:
    """Say how good the run is by the number that leads, and how that was measured; None before any evaluation."""
    lines = list(lines)
    measured = evaluations(lines)
    points = next(iter(numbers(measured).items()), None)
    if points is None:
        return None
    score = scores.score(points[0])
    top = best(points[1], score.better)
    return {
        "score": score,
        "best": scores.number(top[1]) if top else None,
        "at": top[0] if top else None,
        "last": scores.number(points[1][-1][1]),
        "protocol": measured[-1].get("protocol"),
        "left_out": sum(line.get("kind") == "evaluation" for line in lines) - len(measured),
    }


def findings(lines: Iterable[Line]) -> list[Finding]:
    """Gather the health lines, one finding for each word, in order of their first appearance."""
    found: dict[str, Finding] = {}
    for line in lines:
        word = line.get("word")
        if line.get("kind") != "health" or not word:
            continue
        if word in found:
            found[word] = dataclasses.replace(found[word], times=found[word].times + 1)
        else:
            found[word] = Finding(int(line["images"]), str(word), str(line.get("advice") or ""))
    return list(found.values())


def events(lines: Iterable[Line]) -> list[str]:
    """List in words what happened to the run besides training, such as a resume."""
    words = []
    for line in lines:
        if line.get("kind") == "event":
            text, moment = str(line.get("text", "")), f"{int(line['images']):,}"
            words.append(text if moment in text else f"{text} (at {moment} images)")
    return words


def settings(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested settings to (dotted name, value in words)."""
    rows = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value.keys() != {"height", "width"}:
            rows += settings(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", plain(value)))
    return rows


def plain(value: Any) -> str:
    """Write a JSON value for people: yes and no, 200,000, 64 x 96, a list with commas."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, Mapping):
        return f"{value['height']} × {value['width']}" if value.keys() == {"height", "width"} else str(dict(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(item) for item in value) or "none"
    return str(value)


def duration(seconds: float) -> str:
    """Write a time as people say it: 45 s, 8 min, 2 h 10 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def translates(content: Mapping[str, Any]) -> bool:
    """Whether the run turns pictures into others; else it makes them from noise."""
    data = (content.get("resolved") or {}).get("data")
    return isinstance(data, Mapping) and bool(data.get("channels_in"))


def picture_size(content: Mapping[str, Any]) -> str | None:
    """The pictures' height and width, when the run has settled them."""
    for size in (content["resolved"].get("data"), content["config"].get("size")):
        if isinstance(size, Mapping) and {"height", "width"} <= size.keys():
            return f"{size['height']} × {size['width']} px"
    return None


def picture_count(content: Mapping[str, Any]) -> str:
    """How many pictures the run learns from, in words; empty when it has not counted them."""
    data = content["resolved"].get("data")
    count = data.get("count") if isinstance(data, Mapping) else None
    return f"{count:,} pictures" if isinstance(count, int) else ""


def _total(content: Mapping[str, Any]) -> int | None:
    total = content["resolved"].get("total")
    return total if isinstance(total, int) else None
