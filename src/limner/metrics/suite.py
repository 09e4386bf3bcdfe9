"""Several metrics of the same pictures at once, with everything that must be said about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.errors import UserError, listing
from limner.metrics import METRICS
from limner.metrics.metric import Evidence, Measure, PairMetric, SetMetric
from limner.metrics.pictures import PictureSet
from limner.metrics.protocol import Protocol, headline
from limner.metrics.seeing import ALONE, Progress, Team, batches

DEFAULT_SETS = ("kid", "fid", "prdc", "accuracy", "is", "memorisation")
DEFAULT_PAIRS = ("lpips", "ssim", "ms-ssim", "psnr", "l1")


@dataclasses.dataclass(frozen=True)
class Result:
    """One number with its name, its error bar, the good direction ("lower" or "higher") and its note."""

    key: str
    title: str
    value: float
    error: float | None
    better: str
    note: str = ""
    headline: bool = False


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured, how, and what a reader must know; `title` names what was judged."""

    title: str
    protocol: Protocol
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> float:
        """The value of a result by its key, such as "kid"; KeyError for one that was not measured."""
        return {result.key: result.value for result in self.results}[key]

    @property
    def headline(self) -> Result:
        """The result that leads."""
        return next(result for result in self.results if result.headline)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: title, line, how, protocol, results, notes."""
        return {
            "title": self.title,
            "line": self.protocol.line,
            "how": self.protocol.how,
            "protocol": dataclasses.asdict(self.protocol),
            "results": [dataclasses.asdict(result) for result in self.results],
            "notes": list(self.notes),
        }


def choose_sets(asked: Sequence[str], evidence: Evidence) -> dict[str, SetMetric]:
    """Build those of the metrics of sets that are asked for, or all that this evidence allows when none are.

    Errors: UserError for one that is asked for and cannot be measured.
    """
    chosen = {}
    for name in asked or DEFAULT_SETS:
        metric = METRICS.load(name)
        if not issubclass(metric, SetMetric):
            continue
        lack = _lack(metric, evidence)
        if lack and name in asked:
            raise UserError(f"--metrics {name}: {lack}")
        if not lack:
            chosen[name] = metric()
    return chosen


def _lack(metric: type[SetMetric], evidence: Evidence) -> str:
    few = min(len(evidence.real), len(evidence.fake))
    if few < metric.least:
        return f"it needs {metric.least} pictures of each side, and one has {few}"
    if metric.needs in ("logits", "labels") and evidence.fake.logits is None:
        return "it needs a classifier's answers, which these features do not have"
    if metric.needs == "labels" and evidence.labels is None:
        return "it needs a model that is told which class to make"
    if metric.needs == "labels" and set(evidence.classes) - set(evidence.answers):
        return f"the classifier knows {listing(evidence.answers)}, but the model makes {listing(evidence.classes)}"
    return ""


def measure_sets(asked: Sequence[str], evidence: Evidence, seed: int = 0, errors: bool = True) -> list[Result]:
    """Measure two sets; error bars are left out when they cost time and `errors` is False."""
    results = []
    for name, metric in choose_sets(asked, evidence).items():
        try:
            measures = metric.measure(evidence, seed, errors)
        except UserError:
            if name in asked or not all(np.isfinite(part.vectors).all() for part in (evidence.real, evidence.fake)):
                raise
            continue  # it says nothing about such pictures, and nobody asked for it
        results += [_result(key, metric.results[key], measure, metric.better) for key, measure in measures.items()]
    return results


def measure_pairs(
    metrics: dict[str, PairMetric],
    real: PictureSet,
    fake: PictureSet,
    team: Team = ALONE,
    progress: Progress | None = None,
) -> tuple[list[Result], dict[str, np.ndarray], tuple[str, ...]]:
    """Measure each picture of `fake` against the one of the same position in `real`, by all processes together.

    Returns the results with standard errors, every pair's scores, float64 (N,), and notes. A generated picture of
    another size is scaled to the real one's first. Errors: UserError for pictures that are broken.
    """
    mine = range(team.rank, real.count, team.world)
    scores: dict[str, list[float]] = {name: [] for name in metrics}
    notes: set[str] = set()
    for (some, wanted, broken), (_, made, broken_too) in zip(batches(real, mine), batches(fake, mine), strict=True):
        if broken or broken_too:
            raise UserError(f"pictures that cannot be read have no pair: {listing([*broken, *broken_too])}")
        for one, other in zip(wanted, made, strict=True):
            first, second = _alike(one, other, notes)
            for name, metric in metrics.items():
                scores[name].append(float(metric.score(first[None], second[None])[0]))
        if progress:
            progress(len(some))
    parts = team.gather((list(mine), scores, notes))
    order = np.argsort([position for positions, _, _ in parts for position in positions])
    whole = {name: np.array([value for _, found, _ in parts for value in found[name]])[order] for name in metrics}
    results = [_result(name, metric.title, _mean(whole[name]), metric.better) for name, metric in metrics.items()]
    return results, whole, tuple(sorted(set().union(*(said for _, _, said in parts))))


def choose_pairs(
    asked: Sequence[str], smallest_side: int, build: dict[str, Any]
) -> tuple[dict[str, PairMetric], list[str]]:
    """Build those of the metrics of pairs that are asked for, or all that pictures of this size allow.

    `build` holds the arguments of metrics that need some, by name. Returns them with notes about those left out.
    Errors: UserError for one that is asked for and cannot be measured.
    """
    chosen, notes = {}, []
    for name in asked or DEFAULT_PAIRS:
        kind = METRICS.load(name)
        if not issubclass(kind, PairMetric):
            continue
        metric = kind(**build.get(name, {}))
        try:
            if smallest_side < metric.least_side:
                raise UserError(
                    f"it needs pictures of at least {metric.least_side} x {metric.least_side} px, but the smallest "
                    f"here has a side of {smallest_side} px."
                )
            metric.prepare()
        except UserError as error:
            if name in asked:
                raise UserError(f"--metrics {name}: {error}") from error
            notes.append(f"Without {metric.title}: {error}")
            continue
        chosen[name] = metric
    return chosen, notes


def conclude(title: str, protocol: Protocol, results: Sequence[Result], notes: Sequence[str] = ()) -> Evaluation:
    """Let the right number lead and say what must be said."""
    if not results:
        raise UserError("none of the metrics asked for can be measured on these pictures: see `limner evaluate --help`")
    key, reason = headline([result.key for result in results], protocol.n_real, protocol.n_fake)
    marked = tuple(dataclasses.replace(result, headline=result.key == key) for result in results)
    return Evaluation(title, protocol, marked, tuple(dict.fromkeys([*([reason] if reason else []), *notes])))


def _result(key: str, title: str, measure: Measure, better: str) -> Result:
    return Result(key, title, measure.value, measure.error, better, measure.note)


def _mean(values: np.ndarray) -> Measure:
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Measure(float(values.mean()), error)


def _alike(real: np.ndarray, fake: np.ndarray, notes: set[str]) -> tuple[np.ndarray, np.ndarray]:
    if real.shape[2] != fake.shape[2]:
        notes.add("Pairs that differ in channels were compared in colour.")
        real, fake = (images.as_array(images.convert(images.from_array(one), 3)) for one in (real, fake))
    if real.shape != fake.shape:
        notes.add("Generated pictures of another size than the real ones were scaled to theirs (bicubic).")
        scaled = images.from_array(fake).resize((real.shape[1], real.shape[0]), Image.Resampling.BICUBIC)
        fake = images.as_array(scaled)
    return real, fake
