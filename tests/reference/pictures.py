"""The real pictures on which limner and the reference packages must agree; needs NumPy and Pillow alone."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

PROTOCOLS = ("pytorch-fid", "torch-fidelity", "clean")
SETS = ("facades", "digits", "faces")
KEPT = 2  # pictures of each side whose features are recorded whole

# A picture costs the network about 0.3 s on one core: each set is measured with 100 against 100 under one protocol,
# and with 30 against 30 under the two others.
MANY = {("facades", "pytorch-fid"), ("faces", "torch-fidelity"), ("digits", "clean")}


def count(name: str, protocol: str) -> int:
    """How many pictures each side of a set has under a protocol."""
    return 100 if (name, protocol) in MANY else 30


def load(name: str, data: Path, number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The first `number` real and other pictures of a set, uint8 (H, W, C); `data` is the folder of real data."""
    if name == "facades":  # photographs against the label maps of the same houses, 256 px
        whole = [_rgb(path) for path in sorted((data / "facades" / "test").glob("*.jpg"))[:number]]
        return [pair[:, :256] for pair in whole], [pair[:, 256:] for pair in whole]
    if name == "faces":  # a hundred people against the next hundred, 250 px
        files = sorted((data / "faces").glob("*.jpg"))
        return [_rgb(path) for path in files[:number]], [_rgb(path) for path in files[100 : 100 + number]]
    with gzip.open(data / "mnist" / "train-images-idx3-ubyte.gz") as opened:  # digits against worn ones, 28 px, grey
        digits = np.frombuffer(opened.read(16 + 200 * 784)[16:], np.uint8).reshape(200, 28, 28, 1)
    return list(digits[:number]), list(_worn(digits[100:])[:number])


def photographs(data: Path) -> list[np.ndarray]:
    """Four photographs larger than 299 px, each of another size and shape: what only shrinking can get wrong."""
    return [_rgb(path) for path in sorted((data / "face_photos").glob("*.jpg"))[-4:]]


def digest(pictures: Sequence[np.ndarray]) -> str:
    """Say which pixels these are: a JPEG decoder that rounds otherwise makes other pictures of the same files."""
    total = hashlib.sha256()
    for picture in pictures:
        total.update(repr(picture.shape).encode() + np.ascontiguousarray(picture).tobytes())
    return total.hexdigest()[:16]


def write(pictures: Sequence[np.ndarray], folder: Path) -> list[Path]:
    """Write pictures as PNG files 000.png, 001.png, ... for packages that read files."""
    folder.mkdir(parents=True)
    paths = [folder / f"{i:03}.png" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else np.ascontiguousarray(picture)).save(path)
    return paths


def _rgb(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def _worn(digits: np.ndarray) -> np.ndarray:
    padded = np.pad(digits.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    blurred = sum(padded[:, y : y + 28, x : x + 28] for y in range(3) for x in range(3)) / 9
    noisy = blurred + np.random.default_rng(0).normal(0, 20, digits.shape)
    return np.rint(noisy).clip(0, 255).astype(np.uint8)
