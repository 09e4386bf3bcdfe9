"""What is chosen for people who do not choose: features that suit the pictures, and how many pictures to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.core.contract import Spec
from limner.metrics import FEATURES
from limner.metrics.metric import Extractor

DIGITS_SEEN = 200  # pictures by which digits are told from other small grey pictures
DIGITS_RIGHT = 0.9

ENOUGH = 10_000  # from here on FID's bias is small beside what one wants to see
ON_CPU = 1_000  # for the Inception without a GPU: minutes rather than an hour
WHILE_TRAINING = {"digits": 2_000, "inception": 5_000}


def features_for(spec: Spec, pictures: Callable[[], list[np.ndarray]], labels: np.ndarray | None) -> str:
    """Choose the features that suit the pictures: those of the digit classifier when it reads them, else Inception's.

    `pictures` gives a few of them, uint8 (H, W, C), and `labels` their classes. The Inception has seen photographs and
    says little about digits.
    """
    if (spec.channels, spec.height, spec.width) != (1, 28, 28) or spec.classes not in ((), tuple("0123456789")):
        return "inception"
    logits = FEATURES.load("digits")().extract(pictures()).logits
    assert logits is not None
    if labels is not None:
        return "digits" if np.mean(logits.argmax(1) == labels) >= DIGITS_RIGHT else "inception"
    likely = np.exp(logits - logits.max(1, keepdims=True))
    sure = np.mean(likely.max(1) / likely.sum(1) > DIGITS_RIGHT)
    return "digits" if sure >= DIGITS_RIGHT else "inception"


def build_extractor(name: str, resize: str = "pytorch-fid", **options: Any) -> Extractor:
    """Build a feature extractor; `options` are weights, download and device.

    Errors: UserError when its weights are not found or are others.
    """
    return FEATURES.load(name)(resize=resize, **options) if name == "inception" else FEATURES.load(name)(**options)


def pictures_for(features: str, device: str, training: bool = False) -> int:
    """How many pictures of each side to look at when nobody says."""
    if features == "inception" and not device.startswith("cuda"):
        return ON_CPU
    return WHILE_TRAINING.get(features, ON_CPU) if training else ENOUGH
