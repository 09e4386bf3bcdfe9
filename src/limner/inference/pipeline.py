"""The only door to a trained model: the command line, the API and the studio get equal pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from limner.core.contract import Batch, Spec
from limner.core.errors import UserError, listing
from limner.core.images import as_array, convert, from_array, to_arrays, to_float
from limner.inference import directions, latents
from limner.inference.pictures import Pictures, join
from limner.inference.tiling import Net, noisy, resize, tiled

ROW, MOST_ROWS = 8, 16  # of a sheet of classes
TILE = 2048  # pixels: a side from which pictures are cut into tiles


class Model(Protocol):
    """What the pipeline asks of a model. Every Method has it, and so has the graph in an ONNX file."""

    @property
    def latent(self) -> int: ...

    @property
    def conditional(self) -> bool: ...

    @property
    def both_ways(self) -> bool: ...

    @property
    def any_size(self) -> bool: ...

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor: ...

    def infer_back(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor: ...


class Pipeline:
    """A trained method, ready for use.

    `spec` says what its pictures are and `info` what the model file says of itself (None while it is being trained,
    and for an ONNX file that another program made).
    """

    def __init__(
        self, method: Model, nets: Mapping[str, nn.Module], spec: Spec, device: str = "cpu", info: Any = None
    ) -> None:
        self.method = method
        self.nets = {name: net.to(device).eval() for name, net in nets.items()}
        self.spec = spec
        self.device = device
        self.info = info

    def generate(
        self,
        seeds: Sequence[int] | None = None,
        labels: Sequence[int | str] | None = None,
        *,
        count: int = 16,
        seed: int = 0,
        truncation: float | None = None,
        batch: int = 64,
    ) -> Pictures:
        """Make new pictures, one for each of `seeds`, or `count` of them from `seed` on.

        A seed is the same picture in any order and batch. Errors: UserError when the model turns pictures into
        others, or when labels are missing or unknown.
        """
        seeds = range(seed, seed + count) if seeds is None else seeds
        if not len(seeds):
            raise UserError("no pictures asked for: give a count above 0")
        return join(list(self.stream(seeds, labels, truncation=truncation, batch=batch)))

    def stream(
        self,
        seeds: Sequence[int],
        labels: Sequence[int | str] | None = None,
        *,
        truncation: float | None = None,
        batch: int = 64,
    ) -> Iterator[Pictures]:
        """Yield what `generate` would return, `batch` pictures at a time."""
        indices = self._labels(labels, len(seeds))
        for start in range(0, len(seeds), batch):
            some = seeds[start : start + batch]
            z = latents.draw(some, self._latent(), truncation)
            chosen = None if indices is None else indices[start : start + batch]
            yield Pictures(self._pixels(z, chosen), tuple(f"seed{number:06d}" for number in some))

    def translate(
        self,
        pictures: Sequence[np.ndarray],
        direction: str | None = None,
        *,
        stochastic: bool = False,
        batch: int = 8,
        tile: int = TILE,
    ) -> list[np.ndarray]:
        """Turn pictures, uint8 (H, W, C) of any sizes, into others of the same sizes.

        `direction` is "AtoB" or "BtoA"; None: the one it was trained in. What a picture becomes does not depend on the
        others; at most `batch` are turned at once, and fewer when together they have more pixels than a tile. One with
        a side above `tile` is cut into overlapping tiles. Transparency is laid on white, and kept in the result.
        `stochastic` leaves dropout on, which is pix2pix's only noise. Errors: UserError for a model that makes pictures
        from noise, that goes the other way only, or that has no dropout to be left on.
        """
        infer, channels = self._way(direction)
        modules = list(self.nets.values())
        if stochastic and not any(isinstance(layer, nn.Dropout) for net in modules for layer in net.modules()):
            raise UserError("this model has no dropout, so it has no noise to leave on: leave --stochastic out")
        made: list[np.ndarray] = []
        with torch.inference_mode(), noisy(modules, stochastic):
            for size, group in itertools.groupby(pictures, key=lambda picture: picture.shape[:2]):
                alike = list(group)
                at_once = max(1, min(batch, tile * tile // (size[0] * size[1])))
                for start in range(0, len(alike), at_once):
                    made += self._turn(infer, channels, size, alike[start : start + at_once], tile)
        return made

    def translate_back(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Turn targets into inputs, against the way it was trained; for methods that learn both."""
        learned = self.info.settings.get("direction", "AtoB") if self.info else "AtoB"
        return self.translate(pictures, "BtoA" if learned == "AtoB" else "AtoB")

    def _turn(
        self, infer: Net, channels: int, size: tuple[int, int], some: Sequence[np.ndarray], tile: int
    ) -> list[np.ndarray]:
        inputs = np.stack([as_array(convert(from_array(picture), channels)) for picture in some])
        x = torch.from_numpy(inputs).permute(0, 3, 1, 2).to(self.device)  # uint8 (B, C, H, W)
        if not self.method.any_size:
            turned = to_arrays(resize(infer(resize(to_float(x), self.spec.height, self.spec.width)), *size))
        elif max(size) > tile:
            parts = [tiled(infer, list(self.nets.values()), one[None], tile) for one in x]
            turned = torch.cat(parts).permute(0, 2, 3, 1).numpy()
        else:
            turned = to_arrays(infer(to_float(x)))
        if channels == 4:  # to such a model transparency is a part of the picture, and not for us to keep
            return list(turned)
        return [_with_alpha(new, old) for new, old in zip(turned, some, strict=True)]

    def _way(self, direction: str | None) -> tuple[Net, int]:
        if self.method.latent:
            raise UserError("this model makes pictures from noise: use `limner generate`, not `translate`")
        learned = self.info.settings.get("direction", "AtoB") if self.info else "AtoB"
        if direction in (None, learned):
            return lambda x: self.method.infer(self.nets, {"image": x}), self.spec.channels_in
        if not self.method.both_ways:
            raise UserError(f"this model was trained {learned} and cannot go back: leave --direction out")
        return lambda x: self.method.infer_back(self.nets, {"image": x}), self.spec.channels

    def sheet(self, count: int = 64) -> Pictures:
        """The pictures of seeds 0, 1, 2 ... that every sample sheet shows.

        With classes, each row of 8 shows one; of more classes than `count` has rows, the first 16 get one all the same.
        """
        labels = None
        if self.method.conditional:
            classes = self.spec.classes
            count = max(count, ROW * min(len(classes), MOST_ROWS))
            labels = [classes[i // ROW % len(classes)] for i in range(count)]
        return self.generate(range(count), labels)

    def interpolate(
        self,
        start: int,
        end: int,
        steps: int = 30,
        truncation: float | None = None,
        label: int | str | None = None,
    ) -> Pictures:
        """Walk from the picture of one seed to that of another in `steps` pictures, both included."""
        return next(directions.walk(self, (start, end), steps, label, truncation))

    def of_latents(self, z: Tensor, names: Sequence[str], label: int | str | None = None) -> Pictures:
        """Make the pictures of latents (N, latent), all of one class where the model has classes."""
        self._latent()
        labels = self._labels(None if label is None else [label], len(z))
        parts = [
            self._pixels(z[start : start + 64], None if labels is None else labels[start : start + 64])
            for start in range(0, len(z), 64)
        ]
        return Pictures(np.concatenate(parts), tuple(names))

    @torch.inference_mode()
    def _pixels(self, z: Tensor, labels: Tensor | None) -> Any:
        inputs = {"z": z.to(self.device)}
        if labels is not None:
            inputs["label"] = labels.to(self.device)
        return to_arrays(self.method.infer(self.nets, inputs))

    def _latent(self) -> int:
        if not self.method.latent:
            raise UserError("this model turns one picture into another: use `limner translate`, not `generate`")
        return self.method.latent

    def _labels(self, labels: Sequence[int | str] | None, count: int) -> Tensor | None:
        classes = self.spec.classes
        if not self.method.conditional:
            if labels is not None:
                raise UserError("this model makes pictures without classes: leave the label out")
            return None
        if labels is None:
            raise UserError(f"this model needs a label for each picture, one of {listing(classes)}")
        if len(labels) not in (1, count):
            raise UserError(f"{len(labels)} labels for {count} pictures: give one label, or one for each picture")
        found = [classes.index(str(label)) if str(label) in classes else -1 for label in labels]
        if -1 in found:
            raise UserError(f"unknown label {labels[found.index(-1)]!r}: the classes are {listing(classes)}")
        return torch.tensor(found * (count if len(found) == 1 else 1))


def _with_alpha(made: np.ndarray, given: np.ndarray) -> np.ndarray:
    # what was transparent stays so
    if given.shape[2] != 4 or made.shape[2] == 4:
        return made
    colours = made if made.shape[2] == 3 else made.repeat(3, axis=2)
    return np.concatenate([colours, given[..., 3:]], axis=2)
