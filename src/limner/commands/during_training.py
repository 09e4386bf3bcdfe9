"""Evaluation while training: what is measured, on which features, and how often it may be."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from limner.commands import picture_sets
from limner.core.errors import UserError, unknown
from limner.data.pair_store import PairStore
from limner.data.source import together
from limner.data.store import Store
from limner.engine.augmentation import D
from limner.engine.distributed import gather
from limner.engine.evaluation import Evaluate
from limner.engine.held_out import HeldOut
from limner.inference.pipeline import Pipeline
from limner.metrics import METRICS, choice
from limner.metrics.metric import Evidence, Extractor, PairMetric, SetMetric
from limner.metrics.pictures import PictureSet, choose
from limner.metrics.protocol import Protocol as How
from limner.metrics.seeing import Team, see
from limner.metrics.suite import DEFAULT_SETS, choose_pairs, measure_pairs, measure_sets

if TYPE_CHECKING:
    from limner.commands.reading import Stock
    from limner.core.config import KeepConfig, TrainConfig
    from limner.core.runs import Run
    from limner.engine.hooks import Journal, Save
    from limner.engine.training import Training

PROBE = 16  # pictures by which the cost of an evaluation is foretold
NOT_BEFORE = {"digits": 20.0, "inception": 120.0}  # seconds of training before foretelling the cost is itself cheap
LOOKS = 100  # moments of a run at which an evaluation may happen when nobody says how often
PAIRS = ("l1", "psnr", "ssim", "lpips")
MOST_PAIRS = 50  # held-out pairs: enough to tell moments of one run apart

GAPS = 50  # looks over a run at how D takes held-out pictures

Numbers = tuple[Mapping[str, float], str]


class Judge(Protocol):
    """Measures a run at one moment; `prepare` fails early, `foretell` says what it will cost in seconds."""

    def prepare(self) -> None: ...

    def foretell(self) -> float: ...

    def measure(self, training: Training) -> Numbers: ...


def evaluate_hook(
    config: TrainConfig,
    keep: KeepConfig,
    run: Run,
    stock: Stock,
    training: Training,
    journal: Journal,
    save: Save,
) -> Evaluate | None:
    """Build the hook that evaluates while training; None when it is off or nothing can be measured.

    Errors: UserError when evaluation is asked for and its weights are not here, or for an unknown --best.
    """
    store, held_out = stock.store, stock.held_out
    paired = held_out is not None and held_out.paired
    best = keep.best or ("l1" if paired else "kid")
    lower = direction(best, PAIRS if paired else DEFAULT_SETS)
    if keep.evaluate_every == 0:
        return None
    judge: Judge
    if isinstance(store, Store) and training.method.latent:
        judge, not_before = _Dreams(training, store, stock.stamp, journal, config), NOT_BEFORE[_features(store)]
    elif held_out is not None and held_out.paired:
        judge, not_before = _Translations(training, held_out, config), NOT_BEFORE["digits"]
    else:
        return None
    if keep.evaluate_every is not None:
        judge.prepare()
    look_every = max(config.batch, training.clock.total // LOOKS)
    every = keep.evaluate_every
    return Evaluate(run, journal, save, judge.measure, every, look_every, best, lower, judge.foretell, not_before)


def held_out_hook(stock: Stock, training: Training, journal: Journal) -> HeldOut | None:
    """Build the hook that looks whether D knows its pictures by heart; None where none are held out."""
    if stock.split is None or D not in training.method.nets:
        return None
    store = stock.store
    assert isinstance(store, Store)
    learned, held_out = stock.split
    spread = learned[np.linspace(0, len(learned) - 1, len(held_out)).astype(np.int64)]  # it may be sorted by class

    def shown(rows: np.ndarray) -> dict[str, np.ndarray]:
        pixels = [picture_sets.middle(store.pixels[row].transpose(1, 2, 0), store.size) for row in rows]
        labels = {} if store.labels is None else {"label": store.labels[rows]}
        return {"image": np.stack(pixels).transpose(0, 3, 1, 2), **labels}

    every = max(training.config.batch, training.clock.total // GAPS)
    return HeldOut(journal, every, shown(spread), shown(held_out))


def direction(best: str, names: Sequence[str]) -> bool:
    """Whether less is better for the result called `best`; UserError naming the nearest for one that none gives."""
    found: dict[str, bool] = {}
    for name in names:
        metric = METRICS.load(name)
        keys = metric.results if issubclass(metric, SetMetric) else [name]
        found |= {key: metric.better == "lower" for key in keys}
    if best not in found:
        raise unknown("result for --best", best, found)
    return found[best]


def _features(store: Store) -> str:
    # by the size alone: whether they are digits is looked at later
    digits = (store.channels, store.size.height, store.size.width) == (1, 28, 28)
    return "digits" if digits else "inception"


def _pipeline(training: Training, store: Store | PairStore) -> Pipeline:
    nets = {name: training.ema.nets[name] for name in training.method.portable}
    return Pipeline(training.method, nets, store.spec, training.machine.device)


class _Dreams:
    # The same real pictures and the same seeds at every moment, so that a curve shows the model and nothing else.
    def __init__(self, training: Training, store: Store, stamp: str, journal: Journal, config: TrainConfig) -> None:
        self.training, self.store, self.stamp, self.journal, self.config = training, store, stamp, journal, config
        self.title = f"EMA of {config.ema:,} images" if config.ema else "no EMA"
        self.team = Team(training.ranks.rank, training.ranks.world, gather)

    def prepare(self) -> None:
        """Load what sees the pictures, once; UserError when its weights are not here."""
        assert self.count

    def measure(self, training: Training) -> Numbers:
        """Numbers by name and how they were made, on the first rank."""
        fake = self._fake()
        real, made = see(self.real, self.extractor, self.team), see(fake, self.extractor, self.team)
        if not training.ranks.first:
            return {}, ""
        classes = self.store.classes
        labels = np.array([classes.index(label) for label in self.labels]) if self.labels else None
        evidence = Evidence(real.features, made.features, labels, classes, self.extractor.answers)
        results = measure_sets((), evidence, errors=False)
        return {result.key: result.value for result in results}, How.of(self.extractor, self.real, fake, 0).how

    def foretell(self) -> float:
        """Seconds that a measurement is likely to take; infinitely many when it cannot be done, which is said."""
        try:
            self.prepare()
        except UserError as error:
            self.journal.write("event", self.training, text=f"No evaluation while training: {error}")
            return math.inf
        begun = time.perf_counter()
        self.extractor.extract(self._fake().read(range(PROBE)))
        return (time.perf_counter() - begun) / PROBE * (self.real.count + self.count) / self.team.world

    @functools.cached_property
    def extractor(self) -> Extractor:
        store, device = self.store, self.training.machine.device
        some = together(choose(store.count, choice.DIGITS_SEEN, 0), store.windows)

        def pictures() -> list[np.ndarray]:
            return [picture_sets.middle(store.pixels[i].transpose(1, 2, 0), store.size) for i in some]

        name = choice.features_for(store.spec, pictures, None if store.labels is None else store.labels[some])
        return choice.build_extractor(name, device=device if device.startswith("cuda") else "cpu")

    @functools.cached_property
    def count(self) -> int:
        return choice.pictures_for(self.extractor.name, self.training.machine.device, training=True)

    @functools.cached_property
    def real(self) -> PictureSet:
        title = f"training pictures of {self.config.data}"
        return picture_sets.of_store(self.store, self.stamp, title, self.count, 0, self.config.crop)

    @functools.cached_property
    def labels(self) -> list[str] | None:
        if not self.training.method.conditional:
            return None
        return picture_sets.asked_labels(self.store.labels, self.store.classes, self.count, 0)

    def _fake(self) -> PictureSet:
        pipeline = _pipeline(self.training, self.store)
        return picture_sets.of_model(pipeline, self.title, self.count, 0, self.labels)


class _Translations:
    # The same held-out pairs at every moment.
    def __init__(self, training: Training, held_out: PairStore, config: TrainConfig) -> None:
        self.training, self.held_out, self.config = training, held_out, config
        self.team = Team(training.ranks.rank, training.ranks.world, gather)

    @functools.cached_property
    def metrics(self) -> dict[str, PairMetric]:
        size = self.held_out.size
        metrics, _ = choose_pairs((), min(size.height, size.width), {})
        return {name: metrics[name] for name in PAIRS if name in metrics}

    def prepare(self) -> None:
        """Load what measures, once."""
        assert self.metrics

    def measure(self, training: Training) -> Numbers:
        """Numbers by name and how they were made, on the first rank."""
        real, fake = self._sets(training)
        results, _, _ = measure_pairs(self.metrics, real, fake, self.team)
        if not training.ranks.first:
            return {}, ""
        return {result.key: result.value for result in results}, How.of(self.metrics.values(), real, fake, 0).how

    def foretell(self) -> float:
        """Seconds that a measurement is likely to take."""
        self.prepare()
        real, fake = self._sets(self.training)
        begun = time.perf_counter()
        one, other = real.read([0])[0], fake.read([0])[0]
        for metric in self.metrics.values():
            metric.score(one[None], other[None])
        return (time.perf_counter() - begun) * real.count / self.team.world

    def _sets(self, training: Training) -> tuple[PictureSet, PictureSet]:
        held_out, pipeline = self.held_out, _pipeline(training, self.held_out)
        count = min(MOST_PAIRS, held_out.count)

        def wanted(some: Sequence[int]) -> list[np.ndarray]:
            return [held_out.b.pixels[held_out.rows_b[i]].transpose(1, 2, 0) for i in some]

        def made(some: Sequence[int]) -> list[np.ndarray]:
            return pipeline.translate([held_out.a.pixels[held_out.rows_a[i]].transpose(1, 2, 0) for i in some])

        key = f"{held_out.fingerprint} {held_out.size} {count}"
        real = PictureSet(count, wanted, str, f"held-out pictures of {self.config.data}", held_out.count, key)
        return real, PictureSet(count, made, str, "EMA" if self.config.ema else "no EMA")
