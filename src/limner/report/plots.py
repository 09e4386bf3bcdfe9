"""The metrics lines as small SVG plots that take the page's colours and width."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from limner.report import scores

WIDTH, HEIGHT = 5.4, 2.5  # inches of 72 points without the legend: at this size the letters are readable on a phone
LEFT, BOTTOM, RIGHT, TOP, LEGEND_ROW = 0.51, 0.32, 0.19, 0.2, 0.22  # margins in inches
POINTS = 400  # of a line; more than its pixels would be waste
SMOOTH_FROM = 60  # points: below this every one of them can be seen
MOST_MARKS = 8
FEW_LOSSES = 2  # in one plot
INK = "#010203"  # stands for the page's text colour until the SVG is written
# Blue, orange, green, purple, red, grey: told apart by the colour-blind, and seen on white as on near-black.
LINES = ("#3d82d6", "#d9791f", "#1f9d78", "#a96fc4", "#d1495b", "#85888c")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # of the first six runs of a comparison, of the next six, of more

GROUPS = {
    "loss": "Losses",
    "loss of D": "Losses of the discriminators",
    "loss of G": "Losses of the generators",
    "loss of VAE": "Losses of the autoencoder",
    "accuracy": "Accuracies",
    "penalty": "Gradient penalties",
    "opinion": "What the discriminator holds of pictures",
    "overfitting": "Overfitting",
    "augment": "Augmentation",
    "lr": "Learning rates",
    "speed": "Speed",
}
SUBTITLES = {
    "accuracy": "share of pictures on the right side",
    "speed": "images per second",
}
NAMES = {
    "D": "discriminator",
    "G": "generator",
    "real": "real pictures",
    "fake": "fake pictures",
    "class-real": "class of real pictures",
    "class-fake": "class of fake pictures",
    "gap": "lead on the pictures learned from",
    "p": "chance of each change",
}
NOT_PLOTTED = {"kind", "images", "seconds"}
STEADY = {"lr"}  # not noisy: drawn as they are

Curve = tuple[np.ndarray, np.ndarray]


def plot_groups(lines: Iterable[Mapping[str, Any]], until: int = 0) -> dict[str, str]:
    """Plot metrics lines against images seen: one inline SVG for each group of keys, by title.

    Keys are grouped by what stands before the slash ("loss/D"), and more than two losses by the side that they train;
    each "metric/..." has a plot of its own, the best-known first. What is no finite number is a gap; health findings
    become faint upright lines, numbered in the order in which each was first said. The axes of all reach to the last
    image, and at least to `until`. No lines give an empty dict.
    """
    lines = list(lines)
    marks = _marks(lines)
    groups: dict[str, dict[str, Curve]] = {}
    known = list(NAMES)  # first and in this order, so that D has the same colour in every plot
    curves = read_curves(lines)
    until = max([until, *(int(x[-1]) for x, _ in curves.values())])
    for key in sorted(curves, key=lambda key: [*known, key.rpartition("/")[2]].index(key.rpartition("/")[2])):
        prefix, _, name = key.partition("/")
        group = key if prefix == "metric" else prefix
        groups.setdefault(group, {})[name or prefix] = curves[key]
    if len(groups.get("loss", {})) > FEW_LOSSES:
        for name, curve in groups.pop("loss").items():
            of = name.partition("_")[0]
            side = of if f"loss of {of}" in GROUPS else "G"
            groups.setdefault(f"loss of {side}", {})[name] = curve
    order = [*(key for key in GROUPS if key in groups), *(key for key in groups if key not in GROUPS)]
    order = [key for key in order if not key.startswith("metric/")] + scores.in_order(
        key for key in order if key.startswith("metric/")
    )
    return {title(group): _plot(group, groups[group], marks, until) for group in order}


def overlay(key: str, curves: Mapping[int, Curve], names: Sequence[str], over: str) -> str:
    """Plot one number of several runs as inline SVG without a legend: run k has the k-th colour in every plot.

    `curves` holds the runs that have the number, `names` all of them; `over` says what x counts. Long curves are
    smoothed and shown so alone: the noise of several hides them all.
    """
    smoothed = {i: (x, smooth(y) if len(y) >= SMOOTH_FROM else y) for i, (x, y) in sorted(curves.items())}
    with matplotlib.rc_context(_style(f"{key} over {over}")):
        figure, axes = _canvas(HEIGHT)
        for i, curve in smoothed.items():
            dashes, marker = DASHES[i // len(LINES) % len(DASHES)], "o" if len(curve[1]) < 20 else ""
            axes.plot(*decimate(*curve), color=LINES[i % len(LINES)], lw=1.7, ls=dashes, marker=marker, ms=3)
        named = {names[i]: curve for i, curve in smoothed.items()}
        _scale(axes, key.partition("/")[0], named)
        return _inline(figure, _spoken(title(key), named, over), HEIGHT)


def subtitle(title: str) -> str:
    """What a plot's upright axis counts and which way is good, or nothing when the title says it."""
    words = {GROUPS[key]: words for key, words in SUBTITLES.items()}
    return words.get(title) or next((score.words for score in scores.SCORES.values() if score.title == title), "")


def title(key: str) -> str:
    """The name of a group of numbers ("loss"), of a result ("metric/kid") or of a single number ("loss/D")."""
    prefix, _, name = key.partition("/")
    if prefix == "metric":
        return scores.score(key).title
    if name:
        return f"{title(prefix)}: {NAMES.get(name, name.replace('_', ' '))}"
    return GROUPS.get(key) or prefix[:1].upper() + prefix[1:].replace("_", " ")


def short(value: float) -> str:
    """Write a number as an axis does: 200000 is 200k, 0.0002 is 2e-4."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    if 0 < abs(value) < 1e-2:  # so that the longest fits the margin
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.4g}"


def read_curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """Gather the numbers of metrics lines by key, as images seen and values; what is no finite number is NaN."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for line in lines:
        if line.get("kind") in ("health", "event"):
            continue
        for key, value in line.items():
            if key in NOT_PLOTTED or isinstance(value, bool) or not isinstance(value, int | float | None):
                continue
            xs, ys = found.setdefault(key, ([], []))
            xs.append(line["images"])
            ys.append(value if value is not None and math.isfinite(value) else math.nan)
    curves = {key: (np.array(xs, dtype=float), np.array(ys, dtype=float)) for key, (xs, ys) in found.items()}
    return {key: curve for key, curve in curves.items() if np.isfinite(curve[1]).any()}


def _marks(lines: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    # A finding keeps its number when it comes back; the page lists the words under the same numbers.
    health = [line for line in lines if line.get("kind") == "health" and line.get("word")]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(line["word"] for line in health), start=1)}
    return [(line["images"], numbers[line["word"]]) for line in health]


def _plot(group: str, curves: Mapping[str, Curve], marks: Sequence[tuple[int, int]], until: int) -> str:
    labels = [NAMES.get(name, name.replace("_", " ")).strip() or "value" for name in curves]
    columns = 3 if max(map(len, labels)) <= 14 else 2
    height = HEIGHT + LEGEND_ROW * max(1, math.ceil(len(labels) / columns))  # plots side by side stay level
    with matplotlib.rc_context(_style(group)):
        figure, axes = _canvas(height)
        drawn = [_draw(axes, *curve, index, steady=group in STEADY) for index, curve in enumerate(curves.values())]
        _scale(axes, group, curves, until)
        _mark(axes, marks)
        if len(labels) > 1:
            place = {
                "loc": "lower left",
                "bbox_to_anchor": (-0.01, 1 + TOP / (HEIGHT - BOTTOM - TOP)),
                "borderaxespad": 0,
            }
            look = {"frameon": False, "fontsize": 10, "labelcolor": INK, "handlelength": 1.4, "borderpad": 0.1}
            axes.legend(drawn, labels, ncols=columns, **place, **look)
        spoken = _spoken(title(group), {NAMES.get(name, name): curve for name, curve in curves.items()}, "images")
        return _inline(figure, spoken, height)


def _style(salt: str) -> Any:
    # what is referred to within one SVG has a name made from the salt
    return {"svg.fonttype": "none", "svg.hashsalt": salt, "text.parse_math": False, "path.simplify_threshold": 0.2}


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height))
    inner = (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - BOTTOM - TOP) / height
    return figure, figure.add_axes((LEFT / WIDTH, BOTTOM / height, *inner))


def _draw(axes: Axes, x: np.ndarray, y: np.ndarray, index: int, steady: bool) -> Line2D:
    colour = LINES[index % len(LINES)]
    if steady or len(y) < SMOOTH_FROM:
        dashes = (0, (4, 3)) if index and steady else "-"  # rates that coincide are both seen
        marker = "o" if len(y) < 20 and not steady else ""
        return axes.plot(*decimate(x, y), color=colour, lw=1.7, ls=dashes, marker=marker, ms=3)[0]
    axes.plot(*decimate(x, y), color=colour, lw=0.6, alpha=0.35)
    return axes.plot(*decimate(x, smooth(y)), color=colour, lw=1.8)[0]


def _scale(axes: Axes, group: str, curves: Mapping[str, Curve], until: int = 0) -> None:
    last = max(until, *(float(x[-1]) for x, _ in curves.values()))
    axes.set_xlim(0, last * 1.005 or 1)
    values = np.concatenate([y[np.isfinite(y)] for _, y in curves.values()])
    low, high = np.percentile(values, [0.5, 99.5]) if len(values) >= SMOOTH_FROM else (values.min(), values.max())
    if group == "accuracy":
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    else:
        if group in ("speed", "lr"):
            low = min(low, 0.0)
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_ylim(low if low == 0 else low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.tick_params(length=0, pad=5, labelsize=9.5, labelcolor=INK)
    axes.grid(axis="y", color=INK, alpha=0.12, lw=0.7)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set(color=INK, alpha=0.35, lw=0.8)


def _mark(axes: Axes, marks: Sequence[tuple[int, int]]) -> None:
    left, right = axes.get_xlim()
    written = -math.inf
    for images, number in marks[:MOST_MARKS]:
        axes.axvline(images, ymax=1.02, color=INK, alpha=0.45, lw=0.8, ls=(0, (2, 2)), clip_on=False)
        if images - written < 0.025 * (right - left):  # two numbers on top of each other say nothing
            continue
        beside = {"xytext": (0, 1), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axes.annotate(str(number), (images, 1.02), xycoords=("data", "axes fraction"), color=INK, size=9, **beside)
        written = images


def smooth(y: np.ndarray) -> np.ndarray:
    """Average over a twentieth of the points around each; gaps stay gaps and count in no average."""
    half = max(1, len(y) // 40)
    window = np.hanning(2 * half + 3)[1:-1]
    known = np.isfinite(y)
    total = np.convolve(np.where(known, y, 0.0), window)[half : half + len(y)]
    weight = np.convolve(known.astype(float), window)[half : half + len(y)]
    return np.where(known, total / np.maximum(weight, 1e-12), np.nan)


def decimate(x: np.ndarray, y: np.ndarray, most: int = POINTS) -> Curve:
    """Keep about `most` points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(x) <= most:
        return x, y
    kept = set()
    for stretch in np.array_split(np.arange(len(x)), most // 2):
        known = stretch[np.isfinite(y[stretch])]
        kept |= {int(known[y[known].argmin()]), int(known[y[known].argmax()])} if len(known) else {int(stretch[0])}
    chosen = sorted(kept)
    return x[chosen], y[chosen]


def _spoken(title: str, curves: Mapping[str, Curve], over: str) -> str:
    ends = [f"{name} {short(float(y[np.isfinite(y)][-1]))}" for name, (_, y) in curves.items()]
    reach = max(float(x[-1]) for x, _ in curves.values())
    return f"{title} over {short(reach)} {over}; at the end {', '.join(ends)}"


def _inline(figure: Figure, spoken: str, height: float) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\sd="[^"]*"', lambda path: re.sub(r"(\.\d)\d+|\n", r"\1", path[0]), svg)
    svg = re.sub(r'(<g)\sid="[^"]*"', r"\1", svg)  # only what is referred to needs a name, and names must differ
    svg = re.sub(r"font-family: [^;]*; |\n\s*", "", svg)
    svg = svg.replace(INK, "currentColor")
    box = f"0 0 {WIDTH * 72:g} {height * 72:g}"
    opening = f'<svg class="plot" role="img" aria-label="{html.escape(spoken)}" width="100%" viewBox="{box}">'
    return opening + svg[svg.index(">") + 1 :].strip()
