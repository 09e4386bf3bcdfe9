"""A small seeded digit classifier: train it on MNIST, then use it to judge generated digits.

Example: `python benchmarks/digit_classifier.py digits.safetensors --data data/mnist`.
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
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

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


def build() -> nn.Module:
    """Build the untrained network: 28x28 digits in [0, 1] to ten logits."""

    def block(fan_in: int, fan_out: int) -> list[nn.Module]:
        return [nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False), nn.BatchNorm2d(fan_out), nn.ReLU()]

    return nn.Sequential(
        *block(1, 16),
        nn.MaxPool2d(2),
        *block(16, 48),
        nn.MaxPool2d(2),
        *block(48, 64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 9, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )


def to_batch(images: NDArray[np.uint8] | torch.Tensor) -> torch.Tensor:
    """Turn (N, 28, 28) bytes into the (N, 1, 28, 28) floats in [0, 1] that the network takes."""
    return torch.as_tensor(images).unsqueeze(1).float().div_(255.0)


def shifted(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift the whole batch by up to two pixels each way, filling with black."""
    dx, dy = torch.randint(0, 5, (2,), generator=generator).tolist()
    return F.pad(batch, (2, 2, 2, 2))[..., dy : dy + batch.shape[-2], dx : dx + batch.shape[-1]]


def train(folder: str | Path, seed: int = 0) -> nn.Module:
    """Train the classifier on the 60,000 training images found in `folder`, and return it in evaluation mode."""
    images, labels = read_mnist(Path(folder), "train")
    pictures, targets = torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        model = build().train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=1e-2, fused=True)
        steps = EPOCHS * (len(pictures) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.25)
        for _ in range(EPOCHS):
            order = torch.randperm(len(pictures), generator=generator)
            for picks in order[: len(order) // BATCH * BATCH].split(BATCH):
                loss = F.cross_entropy(model(shifted(to_batch(pictures[picks]), generator)), targets[picks])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def save(model: nn.Module, path: str | Path) -> None:
    """Write the weights to a safetensors file."""
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def load(path: str | Path) -> nn.Module:
    """Load a classifier written by `save`, in evaluation mode."""
    model = build()
    model.load_state_dict(load_file(path))
    return model.eval()


@torch.inference_mode()
def classify(
    model: nn.Module, images: NDArray[np.uint8], batch: int = 500
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the label of each (28, 28) byte image and the classifier's confidence in it."""
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"expected uint8 images of shape (N, 28, 28), got {images.dtype} {images.shape}")
    if len(images) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    pictures = torch.from_numpy(np.ascontiguousarray(images))
    best = [model(to_batch(part)).softmax(dim=1).max(dim=1) for part in pictures.split(batch)]
    return torch.cat([b.indices for b in best]).numpy(), torch.cat([b.values for b in best]).numpy()


def accuracy(model: nn.Module, folder: str | Path) -> float:
    """Return the share of the 10,000 test images that the classifier labels correctly."""
    images, labels = read_mnist(Path(folder), "t10k")
    found, _ = classify(model, images.copy())
    return float((found == labels).mean())


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
    print(f"{size} parameters, test accuracy {accuracy(model, args.data):.4f}, trained in {seconds:.0f} s")


if __name__ == "__main__":
    main()
