"""How a number was made: what must stand beside it, and what must agree before two are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from limner.metrics.metric import Extractor, PairMetric
from limner.metrics.pictures import PictureSet

UNBIASED_FROM = 10_000  # pictures from which FID may lead: below, its bias is larger than what is to be seen


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Everything that decides a number besides the generated pictures' looks.

    `features`, `weights` and `resize` name the extractor (weights by the first digits of their SHA-256); `real`,
    `real_key`, `real_total` and `n_real` the real pictures and how many were drawn of how many; `fake` where the
    others come from, with their seeds and whether the weights were averaged (EMA); `seed` what was drawn by chance.
    For pairs, which no extractor sees, `features` is "pixels" and `weights` those of the metrics that have some.
    """

    features: str
    weights: str
    resize: str
    real: str
    real_key: str
    real_total: int
    n_real: int
    fake: str
    n_fake: int
    seed: int

    @classmethod
    def of(cls, seen_by: Extractor | Iterable[PairMetric], real: PictureSet, fake: PictureSet, seed: int) -> Protocol:
        """State how `real` and `fake` are compared: through an extractor, or pair by pair."""
        if isinstance(seen_by, Extractor):
            words = (seen_by.name, seen_by.weights, seen_by.resize)
        else:
            words = ("pixels", " ".join(metric.weights for metric in seen_by if metric.weights), "")
        total = real.total or real.count
        return cls(*words, real.title, real.digest, total, real.count, fake.title, fake.count, seed)

    @property
    def how(self) -> str:
        """The part of the line that two numbers must share to be comparable."""
        seen_by = " ".join(filter(None, (self.features, self.weights, self.resize)))
        of = f" of {self.real_total:,}" if self.real_total != self.n_real else ""
        key = f" ({self.real_key})" if self.real_key else ""
        return f"{seen_by}; real {self.n_real:,}{of}{key}, seed {self.seed}; generated {self.n_fake:,}"

    @property
    def line(self) -> str:
        """The protocol in one line, to stand beside every number."""
        return f"{self.how}; real: {self.real}; generated: {self.fake}"


def headline(keys: Sequence[str], n_real: int, n_fake: int) -> tuple[str, str]:
    """Choose the result that leads and say why, or nothing when nothing needs saying."""
    few = min(n_real, n_fake)
    if "kid" in keys and ("fid" not in keys or few < UNBIASED_FROM):
        reason = f"With {few:,} pictures KID leads: FID comes out too high for fewer than {UNBIASED_FROM:,}."
        return "kid", reason if "fid" in keys else ""
    return ("fid" if "fid" in keys else keys[0]), ""
