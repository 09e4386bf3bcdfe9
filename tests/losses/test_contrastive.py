"""PatchNCE against the formula written out, and that it falls when features agree."""

from __future__ import annotations

import math

import pytest
import torch

from limner.losses.contrastive import patch_nce, take_patches


def test_formula() -> None:
    queries, keys = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    terms = []
    for q, k in zip(queries, keys, strict=True):
        for i in range(5):
            scores = [torch.cosine_similarity(q[i], k[j], dim=0).item() / 0.07 for j in range(5)]
            terms.append(math.log(sum(math.exp(s) for s in scores)) - scores[i])
    assert patch_nce(queries, keys).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_falls_when_features_agree() -> None:
    torch.manual_seed(0)
    keys, noise = torch.randn(2, 32, 16), torch.randn(2, 32, 16)
    losses = [patch_nce(keys * share + noise * (1 - share), keys).item() for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > math.log(32) and losses[-1] < 0.05


def test_knows_neither_length_nor_other_pictures() -> None:
    keys, queries = torch.randn(2, 8, 4), torch.randn(2, 8, 4)
    both = patch_nce(queries, keys)
    torch.testing.assert_close(patch_nce(3 * queries, keys / 5), both)
    torch.testing.assert_close((patch_nce(queries[:1], keys[:1]) + patch_nce(queries[1:], keys[1:])) / 2, both)


def test_no_gradient_goes_into_keys() -> None:
    queries, keys = torch.randn(1, 8, 4, requires_grad=True), torch.randn(1, 8, 4, requires_grad=True)
    patch_nce(queries, keys).backward()
    assert queries.grad is not None and keys.grad is None


def test_patches_are_counted_row_by_row() -> None:
    features = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    patches = take_patches(features, torch.tensor([0, 7, 19]))
    assert patches.shape == (2, 3, 3)
    torch.testing.assert_close(patches[:, 1], features[:, :, 1, 2])
    torch.testing.assert_close(patches[:, 2], features[:, :, 3, 4])
