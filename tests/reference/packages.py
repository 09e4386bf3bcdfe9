"""The reference packages on limner's weights, without a download. Runs in `.venv-parity`, never in limner's own.

What differs from the packages as they come, and why the numbers are theirs all the same:

- torchvision needs two operators declared before it can be imported beside a PyTorch without CUDA; nothing calls them.
- The weights come from limner's file. It has no logits layer, which none of the features needs: theirs is zero.
- clean-fid's own network is a TorchScript file that cannot be built from a weights file. Its place takes pytorch-fid's
  network, behind what clean-fid's wrapper does to its input: (x - 128) / 128 of pixels in 0..255, no further resize.
  The two networks' features are equal to 1.4e-6 (measured when the weights file was made).
- Their functions are called one by one, so that features are extracted once; their commands give the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

_library: Any = None  # what a torch library declares is gone when the object is


def declare_torchvision_operators() -> None:
    """Let torchvision be imported beside a PyTorch without CUDA."""
    global _library
    if _library is None:
        _library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The Inception's tensors, with a logits layer of zeros."""
    return {**load_file(path), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pytorch_fid_network(path: Path, **settings: bool) -> torch.nn.Module:
    """pytorch-fid's network, its download replaced by our file."""
    declare_torchvision_operators()
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *_, **__: weights(path)
    return inception.InceptionV3([3], **settings).eval()


class PytorchFid:
    """pytorch-fid: its files, its loop, its distance. It has no KID: clean-fid's kernel over its features."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.network = pytorch_fid_network(path)

    def features(self, files: Sequence[Path], batch: int = 50) -> np.ndarray:
        """Features, float64 (N, 2048)."""
        from pytorch_fid.fid_score import get_activations

        return get_activations([str(file) for file in files], self.network, batch, num_workers=0)

    def fid(self, real: np.ndarray, fake: np.ndarray) -> float:
        """The Frechet distance as the package computes it."""
        from pytorch_fid.fid_score import calculate_frechet_distance

        moments = [m for side in (real, fake) for m in (np.mean(side, axis=0), np.cov(side, rowvar=False))]
        return float(calculate_frechet_distance(*moments))

    def kid(self, real: np.ndarray, fake: np.ndarray) -> float:
        """The squared MMD of all pictures."""
        return _kernel_distance(real, fake)


class TorchFidelity:
    """torch-fidelity; also precision and recall, on the same features."""

    def __init__(self, path: Path, scratch: Path) -> None:
        declare_torchvision_operators()
        from torch_fidelity.utils import create_feature_extractor

        converted = scratch / "inception.pth"
        torch.save(weights(path), converted)
        self.network = create_feature_extractor(
            "inception-v3-compat", ["2048"], cuda=False, feature_extractor_weights_path=str(converted), verbose=False
        )

    def features(self, files: Sequence[Path], batch: int = 50) -> np.ndarray:
        """Features, float32 (N, 2048)."""
        from torch_fidelity.datasets import ImagesPathDataset
        from torch_fidelity.utils import get_featuresdict_from_dataset

        pictures = ImagesPathDataset([str(file) for file in files])
        return get_featuresdict_from_dataset(pictures, self.network, batch, False, True, False)["2048"].numpy()

    def fid(self, real: np.ndarray, fake: np.ndarray) -> float:
        """The Frechet distance as the package computes it."""
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        moments = [fid_features_to_statistics(torch.from_numpy(side)) for side in (real, fake)]
        return fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"]

    def kid(self, real: np.ndarray, fake: np.ndarray) -> float:
        """The squared MMD of one subset that holds all pictures."""
        from torch_fidelity.metric_kid import kid_features_to_metric

        sides = (torch.from_numpy(real), torch.from_numpy(fake))
        measured = kid_features_to_metric(*sides, kid_subsets=1, kid_subset_size=len(real), verbose=False)
        return measured["kernel_inception_distance_mean"]

    def precision_recall(self, real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, float]:
        """Precision and recall with the distance to the k-th other neighbour as radius."""
        from torch_fidelity.metric_prc import prc_features_to_metric

        sides = (torch.from_numpy(fake), torch.from_numpy(real))  # the package names the generated side first
        measured = prc_features_to_metric(*sides, prc_neighborhood=k, verbose=False)
        return measured["precision"], measured["recall"]


class CleanFid:
    """clean-fid in its mode "clean"."""

    def __init__(self, path: Path, scratch: Path) -> None:
        network = pytorch_fid_network(path, resize_input=False, normalize_input=False)
        self.network: Callable[[torch.Tensor], torch.Tensor] = lambda x: network((x - 128) / 128)[0].flatten(1)

    def features(self, files: Sequence[Path], batch: int = 50) -> np.ndarray:
        """Features, float32 (N, 2048)."""
        from cleanfid.fid import get_files_features

        names = [str(file) for file in files]
        device = torch.device("cpu")
        return get_files_features(names, self.network, 0, batch, device, mode="clean", verbose=False)

    def fid(self, real: np.ndarray, fake: np.ndarray) -> float:
        """The Frechet distance as the package computes it."""
        from cleanfid.fid import fid_from_feats

        return float(fid_from_feats(real, fake))

    def kid(self, real: np.ndarray, fake: np.ndarray) -> float:
        """The squared MMD of one subset that holds all pictures."""
        return _kernel_distance(real, fake)


PACKAGES = {"pytorch-fid": PytorchFid, "torch-fidelity": TorchFidelity, "clean": CleanFid}


def _kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    from cleanfid.fid import kernel_distance

    return kernel_distance(real, fake, num_subsets=1, max_subset_size=len(real))
