"""Batches from the decode-once store against opening every picture with Pillow; and the loader's share of a step."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks import harness
from benchmarks.step import training
from limner import data
from limner.core.config import Size
from limner.data.loader import Loader
from limner.data.store import Store
from limner.data.transforms import Variety
from limner.engine.loop import prepare

BATCH = 64


def pillow_batch(paths: list[Path], size: int, draw: np.random.Generator) -> torch.Tensor:
    """What a dataset that opens pictures one by one does: decode, resize, mirror, to [-1, 1], stack."""
    batch = []
    for path in draw.choice(np.array(paths), BATCH, replace=False):
        with Image.open(path) as opened:
            picture = opened.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        if draw.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        batch.append(torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1)
    return torch.stack(batch)


def photographs(folder: Path) -> Path:
    """Real photographs when LIMNER_DATA says where they are, else noise of the same size."""
    if "LIMNER_DATA" in os.environ:
        return Path(os.environ["LIMNER_DATA"]) / "data" / "faces"
    draw = np.random.default_rng(0)
    for i in range(500):
        small = Image.fromarray(draw.integers(0, 256, (25, 25, 3), dtype=np.uint8))
        small.resize((250, 250), Image.Resampling.BICUBIC).save(folder / f"{i:03}.jpg", quality=90)
    return folder


def main() -> None:
    """Race the two and write the result."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = photographs(Path(temporary))
        begun = time.perf_counter()
        source = data.open(f"folder:{folder}")
        listed = time.perf_counter() - begun
        store = Store.build(source, Size(64, 64), 3, 1.0, Path(temporary) / "cache")
        decoded = time.perf_counter() - begun - listed
        batches = Loader(store, seed=0, batch=BATCH, variety=Variety(mirror=True)).start(0)
        run = training("dcgan", store.spec, BATCH)
        paths = sorted(folder.glob("*.jpg"))
        draw = np.random.default_rng(0)
        result = harness.race(
            lambda: prepare(run, next(batches))["image"], lambda: pillow_batch(paths, 64, draw), rounds=25
        )
        share = harness.race(lambda: next(batches), lambda: run.step(prepare(run, next(batches))), rounds=9)
        count = store.count
    harness.write(
        "loader",
        "The loader against opening every picture",
        f"""
{count:,} JPEG photographs of 250 px, batches of {BATCH} at 64 px, mirrored at random, in one process; min / median / max.
Listing took {listed:.2f} s and decoding all of them once {decoded:.1f} s, at the first start of a run only.

| batch of {BATCH} | ms |
| --- | --- |
| ours, from the store to [-1, 1] in the network's memory format | {result.ours.scaled(1e3)} |
| Pillow per picture, to [-1, 1] | {result.peer.scaled(1e3)} |
| ratio | **{result.ratio}** |

Making a batch takes {share.ours.middle / share.peer.middle:.2%} of a training step of `dcgan` at 64 px, batch {BATCH} (aim: under 3 %).
""",
    )
