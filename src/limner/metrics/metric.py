"""What every metric and every feature extractor looks like from outside."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number: its standard error where there is one, and what a reader must know about it."""

    value: float
    error: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Features:
    """What an extractor saw in N pictures: vectors, float32 (N, D), and logits, float32 (N, K), where it has them."""

    vectors: np.ndarray
    logits: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.vectors)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that a metric of two sets may look at.

    `labels`, int64 (N,), are the classes that the fake pictures were asked to show; `classes` their names, in which
    position k belongs to label k. `logits` of `fake.logits[:, j]` belongs to `answers[j]`.
    """

    real: Features
    fake: Features
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


class SetMetric(abc.ABC):
    """A number about two sets of pictures as wholes."""

    better: ClassVar[Literal["lower", "higher"]]
    """which direction is good, for all results of the metric"""
    results: ClassVar[dict[str, str]]
    """what `measure` returns: key -> title for people"""
    needs: ClassVar[Literal["features", "logits", "labels"]] = "features"
    """labels: logits and the classes that were asked for"""
    least: ClassVar[int] = 2
    """pictures below which it says nothing"""

    @abc.abstractmethod
    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure; `seed` decides what is drawn, and `errors=False` leaves error bars out where they cost time."""


class PairMetric(abc.ABC):
    """A number about a picture and the one that it should be; a set's is the mean over its pairs."""

    better: ClassVar[Literal["lower", "higher"]]
    title: ClassVar[str]
    weights: ClassVar[str] = ""
    """its name and the first digits of its weights' SHA-256, for those that have weights"""
    least_side: ClassVar[int] = 1
    """height and width in pixels below which it is not defined"""

    def prepare(self) -> object:
        """Load what it needs now, so that what is missing shows before hours of work.

        Errors: UserError that says what to do.
        """
        return None

    @abc.abstractmethod
    def score(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """One number per pair, float64 (B,), of pictures uint8 (B, H, W, C) with C of 1 or 3."""


class Extractor(abc.ABC):
    """Turns pictures into feature vectors, each picture by itself: the same in any batch and order."""

    name: str
    """the name in FEATURES"""
    weights: str
    """the first 8 hexadecimal digits of the SHA-256 of its weights, or what stands for them"""
    resize: str
    """the named protocol by which pictures are brought to the network's size"""
    note: str = ""
    """what must stand beside every number made with it"""
    dimensions: int
    answers: tuple[str, ...] = ()
    """what the logits stand for, in order; empty without logits"""

    @abc.abstractmethod
    def extract(self, pictures: Sequence[np.ndarray]) -> Features:
        """Features of pictures, each uint8 (H, W, C) with C of 1, 3 or 4, of any sizes."""
