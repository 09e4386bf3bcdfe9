"""Clusters: numbers of a generator's noise of which only the largest counts."""

from __future__ import annotations

import pytest
import torch

from limner.core.contract import Method, Spec
from limner.methods import build
from limner.presets.dcgan import DCGANSettings

LATENT, CLUSTERS = 2, 3


@pytest.fixture
def method() -> Method:
    """A small DCGAN with clusters, as it is used: no statistics of batches."""
    method = build("dcgan", DCGANSettings(latent=LATENT, clusters=CLUSTERS, filters=2), Spec(1, 8, 8))
    method.nets["G"].eval()
    return method


def test_only_the_largest_counts(method: Method) -> None:
    assert method.latent == LATENT + CLUSTERS
    z = torch.tensor([[0.5, -0.5, 0.1, 0.9, 0.2], [0.5, -0.5, -2.0, 3.0, 2.9], [0.5, -0.5, 0.9, 0.1, 0.2]])
    first, alike, other = method.infer(method.nets, {"z": z})
    torch.testing.assert_close(first, alike, rtol=1e-5, atol=1e-8)
    assert (first - other).abs().max() > 0.1 * first.abs().max()


def test_the_other_numbers_count_as_ever(method: Method) -> None:
    z = torch.tensor([[0.5, -0.5, 0.1, 0.9, 0.2], [0.6, -0.5, 0.1, 0.9, 0.2]])
    one, two = method.infer(method.nets, {"z": z})
    assert (one - two).abs().max() > 1e-3 * one.abs().max()
