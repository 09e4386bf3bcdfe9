"""Pairs from the decode-once store against opening, cutting and resizing every AB picture with Pillow."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import harness
from limner.core.config import Size
from limner.core.images import to_float
from limner.data.loader import Loader
from limner.data.pair_store import PairStore
from limner.data.pairs import open_pairs
from limner.data.store import Store
from limner.data.transforms import Variety
from limner.presets.pix2pix import JITTER

SIZE, LOAD = 256, 286
ROUNDS = {1: 101, 4: 41}
AIM = 10.0


def halves(path: Path, top: int, left: int, mirrored: bool) -> tuple[Tensor, Tensor]:
    """Open an AB picture as a dataset without a store does: cut, resize both, cut the window out, mirror, normalise."""
    with Image.open(path) as opened:
        whole = opened.convert("RGB")
    middle = whole.width // 2
    made: list[Tensor] = []
    for box in ((0, 0, middle, whole.height), (middle, 0, whole.width, whole.height)):
        picture = whole.crop(box).resize((LOAD, LOAD), Image.Resampling.BICUBIC)
        picture = picture.crop((left, top, left + SIZE, top + SIZE))
        if mirrored:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
        made.append((pixels.float() / 255 - 0.5) / 0.5)
    return made[0], made[1]


def pillow_batch(paths: list[Path], batch: int, draw: np.random.Generator) -> dict[str, Tensor]:
    """A batch of pairs, opened one by one; one draw for both pictures of a pair."""
    pairs = []
    for path in draw.choice(np.array(paths), batch, replace=False):
        top, left = draw.integers(0, LOAD - SIZE + 1, 2).tolist()
        pairs.append(halves(path, top, left, draw.random() < 0.5))
    return {"A": torch.stack([a for a, _ in pairs]), "B": torch.stack([b for _, b in pairs])}


def side_by_side(folder: Path) -> Path:
    """CMP facades when LIMNER_DATA says where they are, else noise of the same size and number."""
    if "LIMNER_DATA" in os.environ:
        return Path(os.environ["LIMNER_DATA"]) / "data" / "facades"
    draw = np.random.default_rng(0)
    for split, count in (("train", 400), ("test", 106)):
        (folder / split).mkdir(parents=True)
        for i in range(count):
            small = Image.fromarray(draw.integers(0, 256, (26, 51, 3), dtype=np.uint8))
            small.resize((512, 256), Image.Resampling.BICUBIC).save(folder / split / f"{i:03}.jpg", quality=90)
    return folder


def floats(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Pixels to [-1, 1], as the training loop does it."""
    return {name: to_float(pixels) for name, pixels in batch.items()}


def main() -> None:
    """Race the two and write the result."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = side_by_side(Path(temporary) / "pairs")
        begun = time.perf_counter()
        pairs = open_pairs(str(folder), True)
        a, b = (
            Store.build(source, Size(SIZE, SIZE), 3, JITTER, Path(temporary) / name)
            for name, source in (("input", pairs.train.a), ("target", pairs.train.b))
        )
        decoded = time.perf_counter() - begun
        store = PairStore(a, b, paired=True)
        if store.a.pixels.shape[2:] != (LOAD, LOAD):
            raise AssertionError(f"read at {store.a.pixels.shape[2:]}, not at {LOAD}")
        paths = sorted((folder / "train").glob("*.jpg"))
        draw = np.random.default_rng(0)
        rows = []
        for batch, rounds in ROUNDS.items():
            batches = Loader(store, seed=0, batch=batch, variety=Variety(mirror=True)).start(0)
            result = harness.race(
                lambda: floats(next(batches)),  # noqa: B023
                lambda: pillow_batch(paths, batch, draw),  # noqa: B023
                rounds,
                warm_up=5,
            )
            cut = harness.race(lambda: next(batches), lambda: floats(next(batches)), rounds, warm_up=1)  # noqa: B023
            reached = "reached" if result.ratio.middle >= AIM else "**not reached**"
            rows.append(
                f"| {batch} | {result.ours.scaled(1e3)} | {cut.ours.scaled(1e3)} | {result.peer.scaled(1e3)} | "
                f"**{result.ratio}** | {reached} |"
            )
    harness.write(
        "pair_loader",
        "The paired loader against opening every picture",
        f"""
{store.count:,} JPEG pictures of 512 x 256, A on the left and B on the right, read at {LOAD} px; windows of {SIZE} px and the
mirror drawn once for both; in one process; rounds {", ".join(map(str, ROUNDS.values()))}; min / median / max. Listing, and decoding
all of them once, took {decoded:.1f} s, at the first start of a run only.

| batch | ours, ms | of that uint8 alone, ms | Pillow per pair, ms | ratio | aim of {AIM:g} |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Both end in float32 in [-1, 1]. Pillow per pair: open, cut in half, both halves resized bicubically to {LOAD} px, cut to the window,
mirrored, to a tensor, normalised, stacked. The column in the middle is our batch before [-1, 1], as loader workers hand it over.
""",
    )
