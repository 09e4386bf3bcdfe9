"""How the digit classifier that comes with limner was made: seeded training on MNIST, some two minutes on two cores.

Example: `python -m benchmarks.digit_classifier digits.safetensors --data data/mnist`.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from limner.core.files import sha256_of_file
from limner.metrics.digits import Digits, to_batch
from limner.nets.digits import DigitClassifier

EPOCHS = 4
BATCH = 128
PEAK_RATE = 4e-3


def default_folder() -> Path:
    """Return the MNIST folder below `$LIMNER_DATA`, or below the working directory when it is unset."""
    return Path(os.environ.get("LIMNER_DATA", ".")) / "data" / "mnist"


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one gzipped IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name} is not an IDX file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, dtype=">u4", count=rank, offset=4).astype(int)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(tuple(shape))


def read_mnist(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the images and labels of the `train` or `t10k` split."""
    return read_idx(folder / f"{split}-images-idx3-ubyte.gz"), read_idx(folder / f"{split}-labels-idx1-ubyte.gz")


def shifted(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift the whole batch by up to two pixels each way, filling with black."""
    dx, dy = torch.randint(0, 5, (2,), generator=generator).tolist()
    return F.pad(batch, (2, 2, 2, 2))[..., dy : dy + batch.shape[-2], dx : dx + batch.shape[-1]]


def train(folder: Path, seed: int = 0) -> DigitClassifier:
    """Train the classifier on the 60,000 training images found in `folder`, and return it in evaluation mode."""
    images, labels = read_mnist(folder, "train")
    targets = torch.from_numpy(labels.astype(np.int64))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        model = DigitClassifier().train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=1e-2, fused=True)
        steps = EPOCHS * (len(images) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.25)
        for _ in range(EPOCHS):
            order = torch.randperm(len(images), generator=generator)
            for picks in order[: len(order) // BATCH * BATCH].split(BATCH):
                loss = F.cross_entropy(model(shifted(to_batch(images[picks.numpy()]), generator)), targets[picks])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def save(model: nn.Module, path: Path) -> None:
    """Write the weights to a safetensors file."""
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def accuracy(weights: Path, folder: Path) -> float:
    """Return the share of the 10,000 test images that the classifier labels correctly."""
    images, labels = read_mnist(folder, "t10k")
    logits = Digits(weights).extract(list(images[..., None])).logits
    assert logits is not None
    return float((logits.argmax(axis=1) == labels).mean())


def main() -> None:
    """Train, measure and save a classifier from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the .safetensors file to write")
    parser.add_argument("--data", type=Path, default=default_folder(), help="folder with the four MNIST .gz files")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start = time.perf_counter()
    model = train(args.data, args.seed)
    seconds = time.perf_counter() - start
    save(model, args.weights)
    size = sum(p.numel() for p in model.parameters())
    print(f"{size} parameters, test accuracy {accuracy(args.weights, args.data):.4f}, trained in {seconds:.0f} s")
    print(f"SHA-256 {sha256_of_file(args.weights)}")


if __name__ == "__main__":
    main()
