"""Numbers equal those of pytorch-fid, torch-fidelity and clean-fid on the same pictures and weights.

What the packages said was recorded by `make parity`, see tests/reference/. A test for each set and protocol: about a
thousand pictures go through the network, three minutes of one core in all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.metrics.fid import fid
from limner.metrics.inception import Inception
from limner.metrics.kid import mmd2
from limner.metrics.prdc import prdc
from reference import pictures

RECORDED = Path(__file__).parent.parent / "reference"
SAID: dict[str, Any] = json.loads((RECORDED / "parity.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def network(real_data: Path) -> Callable[[str], Inception]:
    """Our extractor for a protocol, on the weights that the packages had."""
    weights = real_data.parent / "weights" / SAID["weights"]["file"]
    built: dict[str, Inception] = {}
    return lambda protocol: built.get(protocol) or built.setdefault(protocol, Inception(weights, protocol))


def check_pixels(found: Sequence[np.ndarray], digest: str) -> None:
    assert pictures.digest(found) == digest, "not the pixels that the packages saw: record again by `make parity`"


def check_features(found: np.ndarray, key: str) -> None:
    with np.load(RECORDED / "parity.npz") as recorded:
        np.testing.assert_allclose(found, recorded[key], rtol=0, atol=1e-4)


@pytest.mark.parametrize("key", SAID["measured"])
def test_sets(key: str, real_data: Path, network: Callable[[str], Inception]) -> None:
    said, (name, protocol) = SAID["measured"][key], key.split("/")
    sides = pictures.load(name, real_data, said["count"])
    check_pixels([*sides[0], *sides[1]], said["pictures"])
    real, fake = (network(protocol).extract(side).vectors for side in sides)
    check_features(np.concatenate([real[: pictures.KEPT], fake[: pictures.KEPT]]), key)
    assert fid(real, fake) == pytest.approx(said["fid"], rel=1e-3)
    assert mmd2(real, fake) == pytest.approx(said["kid"], abs=1e-5)
    for k, expected in said.get("precision_recall", {}).items():
        measured = prdc(real, fake, int(k))
        assert (measured["precision"].value, measured["recall"].value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("protocol", pictures.PROTOCOLS)
def test_photographs_of_many_sizes(protocol: str, real_data: Path, network: Callable[[str], Inception]) -> None:
    photographs = pictures.photographs(real_data)
    check_pixels(photographs, SAID["photographs"])
    check_features(network(protocol).extract(photographs).vectors, f"photographs/{protocol}")


def test_the_protocols_can_be_told_apart() -> None:
    """The tolerance for features is far below what a wrong protocol changes."""
    with np.load(RECORDED / "parity.npz") as recorded:
        for name in ("photographs", *pictures.SETS):
            one, two, three = (recorded[f"{name}/{protocol}"] for protocol in pictures.PROTOCOLS)
            assert min(np.abs(a - b).max() for a, b in ((one, two), (two, three), (one, three))) > 0.05
