"""The Frechet distance: against arithmetic of 60 digits, by hand, and what it must not depend on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import UserError
from limner.metrics import fid as module
from limner.metrics.fid import Fid, fid, frechet, statistics
from limner.metrics.metric import Evidence, Features


def vectors(count: int, d: int, seed: int, decay: float = 0.0) -> np.ndarray:
    """Normal vectors whose standard deviations fall from 1 to 10^decay, in turned axes; float32 (count, d)."""
    turn = np.linalg.qr(np.random.default_rng(99).standard_normal((d, d)))[0]
    drawn = np.random.default_rng(seed).standard_normal((count, d)) * np.logspace(0, decay, d)
    return (drawn @ turn + 0.1 * seed).astype(np.float32)


def exact(real: np.ndarray, fake: np.ndarray) -> float:
    """The definition with 60 digits."""
    with mpmath.workdps(60):
        (mu1, sigma1), (mu2, sigma2) = _moments(real), _moments(fake)
        values, axes = mpmath.eigsy(sigma1)
        root = axes * mpmath.diag([mpmath.sqrt(max(value, 0)) for value in values]) * axes.T
        inner = mpmath.eigsy(root * sigma2 * root, eigvals_only=True)
        cross = mpmath.fsum(mpmath.sqrt(max(value, 0)) for value in inner)
        traces = mpmath.fsum(sigma1[i, i] + sigma2[i, i] for i in range(sigma1.rows))
        return float(mpmath.fsum((a - b) ** 2 for a, b in zip(mu1, mu2, strict=True)) + traces - 2 * cross)


def _moments(x: np.ndarray) -> tuple[Any, Any]:
    n, d = x.shape
    mu = [mpmath.fsum(map(float, column)) / n for column in x.T]
    centred = mpmath.matrix([[mpmath.mpf(float(x[i, j])) - mu[j] for j in range(d)] for i in range(n)])
    return mpmath.matrix(mu), centred.T * centred / (n - 1)


@pytest.mark.parametrize("decay", [0.0, -3.0, -5.0])
@pytest.mark.parametrize(("real", "fake"), [(40, 50), (13, 14)])
def test_full_rank_to_ten_digits(real: int, fake: int, decay: float) -> None:
    x, y = vectors(real, 12, 1, decay), vectors(fake, 12, 2, decay)
    wanted = exact(x, y)
    assert frechet(*statistics(x), *statistics(y)) == pytest.approx(wanted, rel=1e-10)
    assert fid(x, y) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("decay", [-2.0, -5.0])
@pytest.mark.parametrize("order", ["rising", "in turn"])
def test_full_rank_to_eight_digits_where_eigenvalues_are_lost_in_rounding(order: str, decay: float) -> None:
    scale = np.logspace(decay, 0, 12) if order == "rising" else np.where(np.arange(12) % 2, 1, 10**decay)
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((40, 12)) * scale, draw.standard_normal((40, 12)) * scale
    assert frechet(*statistics(x), *statistics(y)) == pytest.approx(exact(x, y), rel=1e-8)


@pytest.mark.parametrize("decay", [0.0, -3.0])
@pytest.mark.parametrize(("real", "fake"), [(6, 7), (7, 40), (40, 6), (12, 12), (2, 2)])
def test_fewer_pictures_than_features_to_nine_digits(real: int, fake: int, decay: float) -> None:
    x, y = vectors(real, 12, 1, decay), vectors(fake, 12, 2, decay)
    wanted = exact(x, y)
    assert fid(x, y) == pytest.approx(wanted, rel=1e-9)
    assert frechet(*statistics(x), *statistics(y)) == pytest.approx(wanted, rel=1e-9)


def test_the_usual_route_agrees_at_full_rank() -> None:
    (mu1, sigma1), (mu2, sigma2) = statistics(vectors(400, 64, 1, -1)), statistics(vectors(300, 64, 2, -1))
    cross = scipy.linalg.sqrtm(sigma1 @ sigma2)
    usual = np.square(mu1 - mu2).sum() + np.trace(sigma1 + sigma2 - 2 * cross)
    assert frechet(mu1, sigma1, mu2, sigma2) == pytest.approx(usual, rel=1e-8)


def test_by_hand() -> None:
    one = np.array([0.0]), np.array([[1.0]])
    assert frechet(*one, np.array([3.0]), np.array([[4.0]])) == pytest.approx(9 + (1 - 2) ** 2)
    assert frechet(np.zeros(2), np.diag([1.0, 9.0]), np.zeros(2), np.diag([4.0, 4.0])) == pytest.approx(1 + 1)
    # variances 2 and 8 with N - 1, means 1 apart
    assert fid(np.array([[0.0], [2.0]]), np.array([[0.0], [4.0]])) == pytest.approx(1 + 2 + 8 - 2 * 4)
    # (1, 0) and (0, 1) as only directions: nothing in common
    flat = np.array([[1.0, 0], [-1.0, 0]])
    assert fid(flat, flat[:, ::-1]) == pytest.approx(2 + 2)


@pytest.mark.parametrize("count", [2, 30, 100])
def test_identical_sets_are_at_0(count: int) -> None:
    for seed in range(10):  # rounding errs to either side
        x = vectors(count, 40, seed, -2)
        assert 0 <= fid(x, x.copy()) < 1e-6
        assert 0 <= frechet(*statistics(x), *statistics(x)) < 1e-6


def test_features_that_never_change() -> None:
    x, y = vectors(80, 12, 1), vectors(80, 12, 2)
    x[:, 3] = y[:, 3] = 0.5
    assert fid(x, y) == pytest.approx(fid(np.delete(x, 3, 1), np.delete(y, 3, 1)), rel=1e-10)
    x[:] = 1.0
    y[:] = 3.0
    assert fid(x, y) == fid(x[:5], y[:5]) == fid(x, y[:5]) == pytest.approx(12 * 4)
    assert fid(x, x) == 0


@pytest.mark.parametrize("seed", range(6))
def test_features_that_are_others_again(seed: int) -> None:
    """Rank is lost, but for rounding errors, with which a Cholesky factor may be found all the same."""
    x, y = vectors(30, 6, 2 * seed), vectors(30, 6, 2 * seed + 1)
    x, y = (np.concatenate([one, one[:, :3], one[:, :2] + one[:, 2:4]], axis=1) for one in (x, y))
    assert fid(x, y) == pytest.approx(exact(x, y), rel=1e-9)


def test_statistics_are_means_and_covariances(monkeypatch: pytest.MonkeyPatch) -> None:
    x = vectors(100, 7, 3) + np.float32(1000)
    mu, sigma = statistics(x)
    np.testing.assert_allclose(mu, x.astype(np.float64).mean(0), rtol=1e-14)
    np.testing.assert_allclose(sigma, np.cov(x.astype(np.float64).T), rtol=1e-10)
    monkeypatch.setattr(module, "ROWS", 9)
    np.testing.assert_allclose(statistics(x)[1], sigma, rtol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(1, 8), st.integers(0, 1000), st.floats(0.01, 100))
def test_what_any_distance_keeps_to(real: int, fake: int, d: int, seed: int, scale: float) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.standard_normal((real, d)), draw.standard_normal((fake, d)) + 0.5
    value = fid(x, y)
    assert value >= 0 and np.isfinite(value)
    assert fid(y, x) == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert fid(scale * x, scale * y) == pytest.approx(scale**2 * value, rel=1e-9, abs=1e-9 * scale**2)
    assert fid(x - 7, y - 7) == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert fid(x[:, ::-1], y[:, ::-1]) == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert frechet(*statistics(x), *statistics(y)) == pytest.approx(value, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("count", [20, 100])
def test_the_order_changes_nothing(count: int) -> None:
    x, y = vectors(count, 40, 1, -2), vectors(count, 40, 2, -2)
    shuffled = np.random.default_rng(0).permutation(count)
    assert fid(x[shuffled], y[shuffled[::-1]]) == pytest.approx(fid(x, y), rel=1e-10)


def test_noise_makes_it_worse() -> None:
    x, y, noise = vectors(200, 10, 1), vectors(200, 10, 1), vectors(200, 10, 5)
    worse = [fid(x, y + strength * noise) for strength in (0, 0.1, 0.3, 1, 3)]
    assert all(first < second for first, second in pairwise(worse))


def evidence(real: np.ndarray, fake: np.ndarray) -> Evidence:
    return Evidence(Features(real), Features(fake))


@pytest.mark.parametrize(("count", "d"), [(60, 4), (30, 40), (5, 2), (3, 2)])
def test_the_jackknife_leaves_groups_out_of_both(count: int, d: int) -> None:
    x, y = vectors(count, d, 1), vectors(count + 3, d, 2)
    of_x, of_y, groups = module.jackknife_groups(len(x), len(y), 7)
    assert groups == min(10, count)
    assert np.ptp(np.bincount(of_x)) <= 1 and len(of_y) == len(y)
    left = np.array([fid(x[of_x != k], y[of_y != k]) for k in range(groups)])
    wanted = np.sqrt((groups - 1) * left.var())
    error = Fid().measure(evidence(x, y), seed=7)["fid"].error
    assert error == pytest.approx(wanted, rel=1e-8)
    assert error != Fid().measure(evidence(x, y), seed=8)["fid"].error or count < 10


def test_the_error_is_that_of_another_draw() -> None:
    draw = np.random.default_rng(4)
    found = [
        Fid().measure(evidence(draw.standard_normal((100, 3)), draw.standard_normal((100, 3)) + 1))["fid"]
        for _ in range(60)
    ]
    spread = np.std([measure.value for measure in found])
    assert 0.6 < np.mean([measure.error or 0 for measure in found]) / spread < 1.6


def test_notes_and_error_bars() -> None:
    few = Fid().measure(evidence(vectors(8, 8, 1), vectors(30, 8, 2)))["fid"]
    assert "rank-deficient: 8 pictures for 8 features" in few.note and "too high" in few.note
    assert "rank" not in Fid().measure(evidence(vectors(9, 8, 1), vectors(9, 8, 2)))["fid"].note
    many = np.random.default_rng(0).standard_normal((10_000, 2)).astype(np.float32)
    assert Fid().measure(evidence(many, many))["fid"].note == ""
    assert Fid().measure(evidence(many, many), errors=False)["fid"].error is None
    assert Fid().measure(evidence(many[:2], many))["fid"].error is None


def test_bad_input() -> None:
    good, broken = vectors(10, 4, 1), vectors(10, 4, 2)
    broken[3, 0], broken[5, 1], broken[5, 2] = np.nan, np.inf, -np.inf
    with pytest.raises(UserError, match="2 of 10 fake feature vectors"):
        fid(good, broken)
    with pytest.raises(UserError, match="2 of 10 given feature vectors"):
        statistics(broken)
    with pytest.raises(UserError, match="4 features and fake ones 3"):
        fid(good, good[:, :3])
    with pytest.raises(UserError, match="too few real pictures: there are 1"):
        fid(good[:1], good)
    with pytest.raises(UserError, match="shape"):
        fid(good[0], good)
    mu, sigma = statistics(good)
    with pytest.raises(UserError, match="shapes"):
        frechet(mu, sigma, mu[:3], sigma)
    with pytest.raises(UserError, match="NaN"):
        frechet(mu, sigma * np.nan, mu, sigma)
