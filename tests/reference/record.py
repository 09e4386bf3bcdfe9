"""`make parity`: let the reference packages measure the pictures of pictures.py and record what they say.

Needs LIMNER_DATA. Writes parity.json (distances, versions, what was measured) and parity.npz (features) beside itself.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reference import packages, pictures

HERE = Path(__file__).parent
WEIGHTS = "fid_inception_2015_12_05.safetensors"
VERSIONS = ("pytorch-fid", "torch-fidelity", "clean-fid", "torch", "torchvision", "numpy", "scipy", "pillow")
NEIGHBOURS = (3, 5)


def measure(package: Any, name: str, protocol: str, data: Path, scratch: Path) -> tuple[dict[str, Any], np.ndarray]:
    """What one package says about one set, and its features of the first pictures of both sides."""
    sides = pictures.load(name, data, pictures.count(name, protocol))
    real, fake = (
        package.features(pictures.write(side, scratch / f"{name}-{protocol}" / title))
        for title, side in zip(("real", "fake"), sides, strict=True)
    )
    said: dict[str, Any] = {
        "count": len(real),
        "pictures": pictures.digest([*sides[0], *sides[1]]),
        "fid": package.fid(real, fake),
        "kid": package.kid(real, fake),
    }
    if protocol == "torch-fidelity":
        said["precision_recall"] = {str(k): package.precision_recall(real, fake, k) for k in NEIGHBOURS}
    return said, np.concatenate([real[: pictures.KEPT], fake[: pictures.KEPT]]).astype(np.float32)


def main() -> None:
    """Measure everything and overwrite what was recorded."""
    if "LIMNER_DATA" not in os.environ:
        sys.exit("make parity: set LIMNER_DATA to the folder with data/ and weights/")
    root = Path(os.environ["LIMNER_DATA"])
    weights = root / "weights" / WEIGHTS
    said: dict[str, Any] = {}
    features: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        photographs = pictures.photographs(root / "data")
        files = pictures.write(photographs, scratch / "photographs")
        for protocol, build in packages.PACKAGES.items():
            package = build(weights, scratch)
            features[f"photographs/{protocol}"] = package.features(files, batch=1).astype(np.float32)
            for name in pictures.SETS:
                begun, key = time.perf_counter(), f"{name}/{protocol}"
                said[key], features[key] = measure(package, name, protocol, root / "data", scratch)
                print(f"{key}: {said[key]} in {time.perf_counter() - begun:.0f} s", flush=True)
    record = {
        "command": "make parity",
        "python": platform.python_version(),
        "versions": {package: importlib.metadata.version(package) for package in VERSIONS},
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "weights": {"file": WEIGHTS, "sha256": packages.sha256(weights)},
        "photographs": pictures.digest(photographs),
        "measured": said,
    }
    (HERE / "parity.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    np.savez_compressed(HERE / "parity.npz", **features)


if __name__ == "__main__":
    main()
