"""An evaluation with the pictures it was made from, for those who want to look."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.grids import grid
from limner.inference.pictures import save_png
from limner.metrics.memorisation import neighbours
from limner.metrics.pictures import PictureSet
from limner.metrics.seeing import Seen
from limner.metrics.suite import Evaluation
from limner.report.evaluation import Neighbour, WorstPair

SHOWN = 12  # pairs on the page
SHEET = 64  # pictures on its sheet


@dataclasses.dataclass(frozen=True)
class Judged:
    """What was measured, of which pictures.

    `seen` holds the features of the real and the generated ones; `scores`, of pairs, one number each by metric, and
    `inputs` what the generated ones were made of; `run` is the run folder that was judged, if it was one.
    """

    evaluation: Evaluation
    real: PictureSet
    fake: PictureSet
    seen: tuple[Seen, Seen] | None = None
    scores: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    run: Path | None = None
    inputs: PictureSet | None = None

    def save_samples(self, folder: Path) -> None:
        """Write the generated pictures that were judged as PNG files."""
        whole = self._whole()
        for start in range(0, len(whole), SHEET):
            some = whole[start : start + SHEET]
            for position, picture in zip(some, self.fake.read(some), strict=True):
                name = re.sub(r"[^\w-]+", "_", self.fake.name(position))
                save_png(images.from_array(picture), folder / f"{position:06d}_{name}.png")

    def sheet(self) -> Image.Image | None:
        """The first generated pictures on one sheet; None when they differ in shape."""
        pictures = self.fake.read(self._whole()[:SHEET])
        return grid(np.stack(pictures)) if len({picture.shape for picture in pictures}) == 1 else None

    def nearest(self) -> list[Neighbour]:
        """The generated pictures that lie closest to a real one, by the usual distance there, each beside it."""
        if self.seen is None:
            return []
        real, fake = self.seen
        pairs = []
        for mine, theirs, _, ratio in neighbours(fake.features.vectors, real.features.vectors, SHOWN):
            ours, its = int(fake.positions[mine]), int(real.positions[theirs])
            words = f"{self.fake.name(ours)} beside {self.real.name(its)}: {ratio:.2f} of the usual distance"
            pairs.append(Neighbour(_picture(self.fake, ours), _picture(self.real, its), words))
        return pairs

    def worst(self) -> list[WorstPair]:
        """The pairs that the first metric likes least."""
        if not self.scores:
            return []
        key, scores = next(iter(self.scores.items()))
        result = next(result for result in self.evaluation.results if result.key == key)
        order = np.argsort(scores if result.better == "higher" else -scores)[:SHOWN]
        return [
            WorstPair(
                _picture(self.inputs, position) if self.inputs else None,
                _picture(self.real, position),
                _picture(self.fake, position),
                f"{self.real.name(position)}: {result.title} {scores[position]:.3f}",
            )
            for position in order.tolist()
        ]

    def _whole(self) -> Sequence[int]:
        return self.seen[1].positions.tolist() if self.seen else range(self.fake.count)


def _picture(pictures: PictureSet, position: int) -> Image.Image:
    return images.from_array(pictures.read([position])[0])
