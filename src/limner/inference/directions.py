"""Ways through the latent space: from picture to picture, and along the directions that matter to the generator."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from limner.core.errors import UserError
from limner.inference import latents
from limner.inference.pictures import Pictures

if TYPE_CHECKING:
    from limner.inference.pipeline import Pipeline

SEEDS = 2_000  # latents by which directions are found
BATCH = 50
REACH = 3.0  # standard deviations to each side
MOST = 15  # pictures on a side of a sheet


@dataclasses.dataclass(frozen=True)
class Directions:
    """Unit vectors in latent space (latent, latent), a row each, those that move the generator most first.

    `shares` (latent,) says how much of the first layer's linear response each of them makes; they add up to 1.
    """

    vectors: Tensor
    shares: Tensor


def find(pipeline: Pipeline, label: int | str | None = None) -> Directions:
    """Find the principal directions of what the generator's first layer answers to 2,000 seeds.

    These are GANSpace's (arXiv 2004.02546, sections 2.2 and 2.3): its principal components of the first layer's
    responses, brought back to z by regression. Here the regression comes first, which for a linear layer gives the
    same directions and needs no sample of all responses in memory. Conditional models are asked about one class.
    Errors: UserError for models that turn pictures into others, or are computed from an ONNX file, and for a label that
    is missing or unknown.
    """
    size = pipeline.method.latent
    if size and not pipeline.nets:
        raise UserError(
            "directions are found in a network's first layer, which an ONNX file does not show: give the "
            "run folder or the model.safetensors that it was exported from"
        )
    count, products, answers, z_sum, y_sum = 0, 0.0, 0.0, 0.0, 0.0
    with _listening(pipeline) as answer, torch.inference_mode():
        for start in range(0, SEEDS, BATCH):
            z = latents.draw(range(start, start + BATCH), max(1, size))
            y = answer(z, label)
            z, count = z.double(), count + len(z)
            products, answers = products + z.T @ z, answers + z.T @ y
            z_sum, y_sum = z_sum + z.sum(0), y_sum + y.sum(0)
    z_sum, y_sum = torch.as_tensor(z_sum), torch.as_tensor(y_sum)
    slope = torch.linalg.solve(
        products - torch.outer(z_sum, z_sum) / count, answers - torch.outer(z_sum, y_sum) / count
    )  # (latent, responses)
    power, vectors = torch.linalg.eigh(slope @ slope.T)
    vectors = vectors.flip(1).T
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return Directions((vectors * largest.sign()).float(), (power.flip(0) / power.sum()).float())


def around(
    pipeline: Pipeline,
    seed: int = 0,
    steps: int = 7,
    label: int | str | None = None,
    truncation: float | None = None,
    axes: tuple[int, int] = (0, 1),
    reach: float = REACH,
) -> Pictures:
    """Make `steps` x `steps` pictures around that of a seed, row by row.

    From top to bottom they go along the first of the two directions `axes`, from left to right along the second, from
    -`reach` to `reach` standard deviations of the noise; with an odd number of steps the seed's picture is in the
    middle. Errors: those of `find`, and UserError for a number of steps below 2 or above 15.
    """
    if not 2 <= steps <= MOST:
        raise UserError(f"a sheet of {steps} x {steps} pictures along two directions: give a number from 2 to {MOST}")
    found = find(pipeline, label).vectors
    if not all(0 <= axis < len(found) for axis in axes):
        raise UserError(f"directions {axes[0]} and {axes[1]}: this model has {len(found)}, counted from 0")
    down, right = (found[axis] for axis in axes)
    marks = torch.linspace(-reach, reach, steps)
    marks[steps // 2] *= steps % 2 == 0  # exactly 0, not to rounding
    z = latents.draw([seed], pipeline.method.latent, truncation)
    grid = z + marks[:, None, None] * down + marks[None, :, None] * right  # (steps, steps, latent)
    names = tuple(f"seed{seed:06d}-{row:02d}-{column:02d}" for row in range(steps) for column in range(steps))
    return pipeline.of_latents(grid.flatten(0, 1), names, label)


def walk(
    pipeline: Pipeline,
    seeds: Sequence[int],
    steps: int = 30,
    label: int | str | None = None,
    truncation: float | None = None,
) -> Iterator[Pictures]:
    """Walk from the picture of each seed to that of the next in `steps` pictures, yielded leg by leg.

    A leg begins where the one before ended, and that picture comes once. Errors: UserError for fewer than two seeds or
    steps.
    """
    if len(seeds) < 2:
        raise UserError(f"a walk through {len(seeds)} pictures: give at least 2, where it begins and where it ends")
    if steps < 2:
        raise UserError(f"an interpolation in {steps} steps: give at least 2, its two ends")
    ends = latents.draw(seeds, pipeline.method.latent, truncation)
    for leg in range(len(seeds) - 1):
        path = latents.slerp(ends[leg], ends[leg + 1], steps)
        names = tuple(f"seed{seeds[leg]:06d}-{seeds[leg + 1]:06d}-{i:04d}" for i in range(steps))
        first = 0 if leg == 0 else 1
        yield pipeline.of_latents(path[first:], names[first:], label)


@contextlib.contextmanager
def _listening(pipeline: Pipeline) -> Iterator[Any]:
    # Gives answer(z, label): what the first layer with weights says, (B, responses) in float64. The generator's own
    # layers come before those of networks that prepare its noise; where it is not asked, the first of all counts.
    heard: list[Tensor] = []

    class Enough(Exception):
        pass

    def hook(own: bool) -> Any:
        def listen(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if own:
                heard[:] = [output]
                raise Enough
            if not heard:
                heard.append(output)

        return listen

    def answer(z: Tensor, label: int | str | None) -> Tensor:
        heard.clear()
        with contextlib.suppress(Enough):
            pipeline.of_latents(z, ("",) * len(z), label)
        if not heard:
            raise UserError("this model has no layer in which directions could be found")
        return heard[0].flatten(1).double().cpu()

    handles = [
        module.register_forward_hook(hook(name == "G"))
        for name, net in pipeline.nets.items()
        for module in net.modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ]
    try:
        yield answer
    finally:
        for handle in handles:
            handle.remove()
