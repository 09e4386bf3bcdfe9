"""Features of handwritten digits: of limner's own small classifier, which comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from limner.core import images
from limner.core.errors import UserError, unknown
from limner.core.files import sha256_of_file
from limner.metrics.metric import Extractor, Features
from limner.nets.digits import ANSWERS, FEATURES, SIDE, DigitClassifier

SHIPPED = Path(__file__).with_name("digit_classifier.safetensors")
SHA256 = "4523e127b9bb4a48cb72f248e4eb6cedd6f95b75cf66484986682d8edd24938a"  # of the shipped file
RESIZE = "mnist-28"
BATCH = 512
SCALE = 2.568  # root mean square of the features of MNIST's training digits: scaled by it, KID has readable sizes


class Digits(Extractor):
    """128 features and the ten logits of a classifier of digits that look like MNIST's: white on black, 28x28 px.

    It reads 99.38 % of MNIST's 10,000 test digits rightly. Colour turns grey; other sizes are scaled by Pillow (bicubic
    with antialias), 28x28 px is untouched. The weights are made by benchmarks/digit_classifier.py and come with the
    package, so that nothing is downloaded; a file of the same network trained otherwise may be given.

    Errors: UserError when the weights are damaged or of another network.
    """

    name = "digits"
    dimensions = FEATURES
    answers = tuple(map(str, range(ANSWERS)))

    def __init__(
        self, weights: Path | None = None, resize: str = RESIZE, download: bool = False, device: str = "cpu"
    ) -> None:
        if resize != RESIZE:
            raise unknown("resize protocol", resize, [RESIZE])
        self.resize = resize
        self._device = device
        path = SHIPPED if weights is None else weights
        digest = sha256_of_file(path)
        if weights is None and digest != SHA256:
            raise UserError(f"{path} is damaged: its SHA-256 is {digest}, expected {SHA256}. Install limner again.")
        self.weights = digest[:8]
        self._network = load(path).to(device)

    def extract(self, pictures: Sequence[np.ndarray]) -> Features:
        vectors = [np.zeros((0, FEATURES), np.float32)]
        logits = [np.zeros((0, ANSWERS), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                small = np.stack([_small(picture) for picture in pictures[start : start + BATCH]])
                hidden = self._network.features(to_batch(small).to(self._device))
                vectors.append((hidden / SCALE).cpu().numpy())
                logits.append(self._network.output(hidden).cpu().numpy())
        return Features(np.concatenate(vectors), np.concatenate(logits))


def load(path: Path) -> DigitClassifier:
    """Load a digit classifier for use; UserError when the file is damaged or of another network."""
    network = DigitClassifier()
    try:
        tensors = load_file(path)
        network.load_state_dict(tensors)
    except Exception as error:  # SafetensorError, OSError, RuntimeError: damaged in one way or another
        raise UserError(f"{path} does not hold the weights of limner's digit classifier: {error}") from error
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise UserError(f"{path}: some of its weights are not numbers; train or fetch it again")
    return network.eval()


def to_batch(digits: np.ndarray) -> torch.Tensor:
    """Turn digits, uint8 (B, 28, 28), into what the network takes: float (B, 1, 28, 28) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(digits)).unsqueeze(1).float().div_(255.0)


def _small(picture: np.ndarray) -> np.ndarray:
    grey = images.convert(images.from_array(picture), 1)
    if grey.size != (SIDE, SIDE):
        grey = grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(grey)
