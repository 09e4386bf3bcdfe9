"""`Pipeline.translate` against the bare forward pass of its network, and `limner translate` on a folder."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from benchmarks import harness
from benchmarks.pair_loader import side_by_side
from benchmarks.step import training
from benchmarks.translation import spec
from limner.core import images
from limner.inference import Pipeline, load, model

SIZE, COUNT = 256, 100
ROUNDS, COMMANDS = 31, 3
AIM = 1.2


def write_model(path: Path) -> Path:
    """A model file of pix2pix with the weights that training begins with."""
    run = training("pix2pix", spec(SIZE), 1)
    model.save(path, run.method, run.ema.nets, spec(SIZE), run.config, 0)
    return path


def write_inputs(pairs: Path, folder: Path) -> list[Path]:
    """The right halves of AB pictures of 512 x 256 as PNG files."""
    folder.mkdir()
    paths: list[Path] = []
    for i, path in enumerate(sorted((pairs / "test").glob("*.jpg"))[:COUNT]):
        with Image.open(path) as picture:
            paths.append(folder / f"{i:03}.png")
            picture.convert("RGB").crop((SIZE, 0, 2 * SIZE, SIZE)).save(paths[-1])
    return paths


def command(weights: Path, inputs: Path, out: Path) -> float:
    """Seconds of `limner translate` in a process of its own."""
    begun = time.perf_counter()
    words = [sys.executable, "-m", "limner", "translate", weights, inputs, "--out", out]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


@torch.inference_mode()
def bare(pipeline: Pipeline, x: torch.Tensor) -> torch.Tensor:
    """The network alone on pictures (b, 3, H, W) in [-1, 1]."""
    return pipeline.nets["G"](x)


def main() -> None:
    """Race the two, time the command, write the result."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        weights = write_model(place / "model.safetensors")
        paths = write_inputs(side_by_side(place / "pairs"), place / "inputs")
        arrays = [images.as_array(images.decode(path)) for path in paths]
        pipeline = load(weights)
        rows = []
        for batch in (1, 8):
            some = arrays[:batch]
            x = images.to_float(
                torch.stack([torch.from_numpy(one.copy()).permute(2, 0, 1) for one in some]).contiguous()
            )
            # the second over the first: how many times as long the whole way takes
            result = harness.race(lambda: bare(pipeline, x), lambda: pipeline.translate(some), ROUNDS // batch + 4)  # noqa: B023
            each = 1e3 / batch
            rows.append(f"| {batch} | {result.ours.scaled(each)} | {result.peer.scaled(each)} | **{result.ratio}** |")
        whole = [command(weights, paths[0].parent, place / f"out{i}") for i in range(COMMANDS)]
        one = [command(weights, paths[0], place / f"one{i}") for i in range(COMMANDS)]
        written = len(list((place / "out0").glob("*.png")))
        if written != COUNT:
            raise AssertionError(f"{written} pictures came out of {COUNT}")
    each = [(a - b) / (COUNT - 1) for a, b in zip(whole, one, strict=True)]
    harness.write(
        "translate",
        "Translating pictures against the bare network",
        f"""
`pix2pix`, {SIZE} px, 54 million parameters; min / median / max. Bare: the network of the same pipeline on floats that are ready.
`Pipeline.translate`: from uint8 (H, W, C) to the same again. Aim: at most {AIM} times the bare pass at batch 1.

| pictures at once | bare, ms a picture | `translate`, ms a picture | times the bare pass |
| --- | --- | --- | --- |
{chr(10).join(rows)}

`limner translate` on a folder of {COUNT} PNG pictures of {SIZE} px, {COMMANDS} times: {harness.Figures.of(whole)} s from start to end, that is
**{harness.Figures.of(whole).scaled(1e3 / COUNT)} ms a picture**; on one picture {harness.Figures.of(one)} s, nearly all of it Python, PyTorch and the weights
being loaded. Without that start: {harness.Figures.of(each).scaled(1e3)} ms a picture, with the PNG decoded and the result written as PNG.
""",
    )
