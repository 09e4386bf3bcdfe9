"""The kernel distance: against plain loops, without bias, and the same whichever way it is computed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import UserError
from limner.metrics import kid as module
from limner.metrics.distances import jackknife_groups
from limner.metrics.kid import Kid, mmd2, polynomial_kernel, subset_mmd2
from limner.metrics.metric import Evidence, Features


def normal(count: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((count, d)) + shift).astype(np.float32)


def evidence(real: np.ndarray, fake: np.ndarray) -> Evidence:
    return Evidence(Features(real), Features(fake))


def by_loops(x: np.ndarray, y: np.ndarray) -> float:
    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(a.astype(float) @ b.astype(float) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_the_definition_whatever_the_tiles(n: int, m: int, d: int, tile: int, seed: int) -> None:
    x, y = normal(n, d, seed), normal(m, d, seed + 1, 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TILE", tile)
        assert mmd2(x, y) == pytest.approx(by_loops(x, y), rel=1e-10, abs=1e-12)


def test_by_hand() -> None:
    assert polynomial_kernel(np.array([[1.0, 3.0]]), np.array([[2.0, 0.0]])) == pytest.approx((2 / 2 + 1) ** 3)
    # kernels: 1 within x (0 . 2 = 0), 8 within y (1 . 1), between them 1, 1, 27, 27
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])
    assert mmd2(x, y) == pytest.approx(1 + 8 - 2 * (1 + 1 + 27 + 27) / 4)


def test_no_bias() -> None:
    values = [mmd2(normal(12, 4, 2 * i), normal(9, 4, 2 * i + 1)) for i in range(600)]
    assert abs(np.mean(values)) < 3.5 * np.std(values) / len(values) ** 0.5
    assert min(values) < 0  # as an unbiased estimate of 0 must be


def test_identical_sets_are_about_0_and_far_ones_are_not() -> None:
    x = normal(300, 16, 0)
    assert abs(mmd2(x, x.copy())) < 0.05
    assert mmd2(x, normal(300, 16, 1, 1.0)) > 1


def test_the_order_changes_nothing() -> None:
    x, y = normal(50, 8, 0), normal(40, 8, 1, 0.5)
    shuffled = np.random.default_rng(0).permutation(50)
    whole = Kid().measure(evidence(x, y))["kid"].value
    assert Kid().measure(evidence(x[shuffled], y[::-1]))["kid"].value == pytest.approx(whole, rel=1e-10)


def test_noise_makes_it_worse() -> None:
    x, y, noise = normal(200, 8, 0), normal(200, 8, 1), normal(200, 8, 2)
    worse = [mmd2(x, y + strength * noise) for strength in (0, 0.2, 0.5, 1, 2)]
    assert all(first < second for first, second in pairwise(worse))


@pytest.mark.parametrize(("count", "subsets"), [(60, 3), (15, 40)])
def test_subsets_alone_and_from_a_shared_kernel(count: int, subsets: int) -> None:
    x, y = normal(count, 5, 0), normal(count + 4, 5, 1, 0.3)
    assert (count**2 > subsets * 10**2) == (subsets == 3)  # one case goes either way
    draw = np.random.default_rng(11)
    wanted = []
    for _ in range(subsets):
        i, j = draw.choice(len(x), 10, replace=False), draw.choice(len(y), 10, replace=False)
        wanted.append(by_loops(x[i], y[j]))
    np.testing.assert_allclose(subset_mmd2(x, y, subsets, 10, seed=11), wanted, rtol=1e-9, atol=1e-12)


def test_under_2000_pictures_all_count_once() -> None:
    x, y = normal(50, 8, 0), normal(40, 8, 1, 0.5)
    found = Kid().measure(evidence(x, y), seed=3)["kid"]
    assert found.value == pytest.approx(1000 * mmd2(x, y), rel=1e-12)
    of_x, of_y, groups = jackknife_groups(50, 40, 3)
    left = np.array([1000 * mmd2(x[of_x != k], y[of_y != k]) for k in range(groups)])
    assert found.error == pytest.approx(np.sqrt((groups - 1) * left.var()), rel=1e-9)
    assert Kid().measure(evidence(x, y), errors=False)["kid"].error is None
    assert Kid().measure(evidence(x[:2], y))["kid"].error is None


def test_the_error_is_that_of_another_draw() -> None:
    found = [Kid().measure(evidence(normal(60, 4, 2 * i), normal(60, 4, 2 * i + 1, 0.5)))["kid"] for i in range(60)]
    spread = np.std([measure.value for measure in found])
    assert 0.6 < np.mean([measure.error or 0 for measure in found]) / spread < 1.6


def test_from_2000_pictures_on_subsets_decide() -> None:
    x, y = normal(2000, 4, 0), normal(2100, 4, 1, 0.5)
    found = Kid().measure(evidence(x, y), seed=5)["kid"]
    values = 1000 * subset_mmd2(x, y, seed=5)
    assert len(values) == 100
    assert (found.value, found.error) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    assert "standard deviation over 100 subsets of 1,000" in found.note
    assert found.value == pytest.approx(1000 * mmd2(x, y), rel=0.05)
    assert found == Kid().measure(evidence(x, y), seed=5)["kid"]
    assert found != Kid().measure(evidence(x, y), seed=6)["kid"]


def test_bad_input() -> None:
    good, broken = normal(10, 4, 1), normal(10, 4, 2)
    broken[3] = np.inf
    with pytest.raises(UserError, match="1 of 10 real feature vectors"):
        mmd2(broken, good)
    with pytest.raises(UserError, match="1 of 10 fake feature vectors"):
        Kid().measure(evidence(good, broken))
    with pytest.raises(UserError, match="4 features and fake ones 3"):
        mmd2(good, good[:, :3])
    with pytest.raises(UserError, match="too few fake pictures: there are 1"):
        mmd2(good, good[:1])
    with pytest.raises(UserError, match="this metric needs 11"):
        subset_mmd2(good, good, size=11)
