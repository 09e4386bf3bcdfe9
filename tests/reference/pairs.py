"""Let scikit-image and pytorch-msssim measure real pairs of pictures and record what they say in pairs.json.

Run COMMANDS from the repository's root, in any environment with torch, numpy, pillow and scipy. LIMNER_DATA is needed.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RECORD = Path(__file__).with_suffix(".json")
COMMANDS = (
    "pip install --target FOLDER --no-deps pytorch-msssim==1.0.0 scikit-image==0.26.0 lazy-loader imageio tifffile "
    "networkx packaging",
    "LIMNER_DATA=../shared PYTHONPATH=FOLDER:tests python -m reference.pairs",
)
VERSIONS = ("scikit-image", "pytorch-msssim", "numpy", "scipy", "torch", "pillow")


def pairs(data: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name and two pictures, uint8 (H, W, C): alike and unlike, even and odd sides, large, small, colour and grey."""
    facades = sorted((data / "facades" / "test").glob("*.jpg"))[:3]
    for path in facades:
        both = _read(path)
        photo, labels = both[:, :256], both[:, 256:]
        yield f"facades/{path.stem}: photo, labels", photo, labels
        yield f"facades/{path.stem}: photo, one pixel aside", photo, np.roll(photo, 1, axis=1)
        yield f"facades/{path.stem}: 161x177, moved by 2 and 1", photo[:161, :177], photo[2:163, 1:178]
        green = photo[..., 1:2]
        yield f"facades/{path.stem}: grey, darker by an eighth", green, green - green // 8
    faces = [_read(path)[93:157, 93:157] for path in sorted((data / "faces").rglob("*.jpg"))[:4]]
    for number, (one, other) in enumerate(itertools.pairwise(faces)):
        yield f"faces: 64x64 crops {number} and {number + 1}", one, other


def measure(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """What the reference packages say of a pair; MS-SSIM only where its five scales fit."""
    import pytorch_msssim
    import torch
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    x, y = (torch.tensor(picture.transpose(2, 0, 1)[None].astype(np.float64)) for picture in (real, fake))
    said = {
        "ssim, scikit-image": float(structural_similarity(real, fake, data_range=255, channel_axis=-1, **settings)),
        "ssim, pytorch-msssim": pytorch_msssim.ssim(x, y, data_range=255).item(),
        "psnr, scikit-image": float(peak_signal_noise_ratio(real, fake, data_range=255)),
    }
    if min(real.shape[:2]) > 160:
        said["ms-ssim, pytorch-msssim"] = pytorch_msssim.ms_ssim(x, y, data_range=255).item()
    return said


def main() -> None:
    """Measure all pairs and overwrite the record."""
    if "LIMNER_DATA" not in os.environ:
        sys.exit("set LIMNER_DATA to the folder with data/ in it")
    data = Path(os.environ["LIMNER_DATA"]) / "data"
    record = {
        "commands": COMMANDS,
        "versions": {name: importlib.metadata.version(name).partition("+")[0] for name in VERSIONS},
        "pairs": {name: measure(real, fake) for name, real, fake in pairs(data)},
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


if __name__ == "__main__":
    main()
