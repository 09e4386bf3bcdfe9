"""Feature matching of pairs, and of batches."""

from __future__ import annotations

import pytest
import torch

from limner.losses.reconstruction import feature_matching, mean_matching


def test_feature_matching_is_the_mean_over_layers() -> None:
    real = [torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 2, 2)]
    fake = [torch.full((2, 3, 4, 4), 0.5), torch.full((2, 5, 2, 2), -1.5)]
    assert feature_matching(fake, real).item() == pytest.approx(1.0)


def test_mean_matching_looks_at_batch_means_only() -> None:
    real = [torch.randn(6, 3, 4, 4), torch.randn(6, 2)]
    shuffled = [layer[torch.randperm(6)] for layer in real]
    assert mean_matching(shuffled, real).item() == pytest.approx(0.0, abs=1e-6)
    moved = [real[0] + 2.0, real[1] - 1.0]
    assert mean_matching(moved, real).item() == pytest.approx(4.0 + 1.0, rel=1e-5)


def test_no_gradient_goes_into_reals() -> None:
    for loss in (feature_matching, mean_matching):
        real, fake = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(2, 3, 4, 4, requires_grad=True)
        loss([fake], [real]).backward()
        assert fake.grad is not None and real.grad is None
