"""Precision, recall, density and coverage, and the distances behind them: exact, whatever the blocks and the order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import UserError
from limner.metrics import distances
from limner.metrics.distances import nearest, within
from limner.metrics.metric import Evidence, Features
from limner.metrics.prdc import Prdc, prdc

NAMES = ("precision", "recall", "density", "coverage")


def values(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, ...]:
    found = prdc(real, fake, k)
    return tuple(found[name].value for name in NAMES)


def by_loops(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, ...]:
    """The definitions on whole numbers, for which float64 makes no errors."""

    def square(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.square(a.astype(float) - b.astype(float)).sum())

    def radii(x: np.ndarray) -> list[float]:
        return [sorted(square(a, b) for j, b in enumerate(x) if j != i)[k - 1] for i, a in enumerate(x)]

    of_real, of_fake = radii(real), radii(fake)
    near_real = np.array([[square(a, b) < r for b in fake] for a, r in zip(real, of_real, strict=True)])
    near_fake = np.array([[square(a, b) < r for b, r in zip(fake, of_fake, strict=True)] for a in real])
    return (
        near_real.any(0).mean(),
        near_fake.any(1).mean(),
        near_real.sum() / k / len(fake),
        near_real.any(1).mean(),
    )


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 40), st.sampled_from([0, 1000]))
def test_the_definition_with_many_ties(data: st.DataObject, d: int, k: int, block: int, offset: int) -> None:
    def some() -> np.ndarray:
        count = data.draw(st.integers(k + 1, 14))
        numbers = st.lists(st.integers(0, 4), min_size=count * d, max_size=count * d)
        return np.array(data.draw(numbers), np.float32).reshape(count, d) + np.float32(offset)

    real, fake = some(), some()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "BLOCK", block)
        assert values(real, fake, k) == pytest.approx(by_loops(real, fake, k), abs=1e-12)


def test_by_hand() -> None:
    # balls with k = 1: reals reach 1, 1, 2; fakes 3.5, 3.5, 90
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [4.0], [94.0]])
    found = prdc(real, fake, k=1)
    assert found["precision"].value == pytest.approx(2 / 3)
    assert found["recall"].value == 1
    assert found["density"].value == pytest.approx((2 + 1 + 0) / 3)
    assert found["coverage"].value == 1
    assert found["precision"].error == pytest.approx(np.sqrt(2 / 9 / 3))
    assert found["density"].error == pytest.approx(1 / 3**0.5)


def normal(count: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, d)).astype(np.float32)


def test_identical_sets() -> None:
    x = normal(300, 16, 0)
    assert values(x, x.copy()) == (1, 1, 1, 1)


def test_equal_distributions() -> None:
    precision, recall, density, coverage = values(normal(600, 4, 0), normal(600, 4, 1))
    assert min(precision, recall, coverage) > 0.85
    assert density == pytest.approx(1, abs=0.15)


def test_a_collapsed_generator() -> None:
    real = normal(300, 16, 0)
    middle = np.square(real).sum(1).argmin()
    fake = real[middle] + 0.001 * normal(300, 16, 1)
    precision, recall, density, coverage = values(real, fake)
    assert precision == 1 and density > 1
    assert recall < 0.02 and coverage < 0.2
    alike = np.repeat(real[[middle]], 300, axis=0)  # the very same picture 300 times
    precision, recall, _, coverage = values(real, alike)
    assert precision == 1 and recall == 0 and coverage < 0.2


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs are measured one by one, call by call."""
    counts, exact = [], distances._exact

    def counting(x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        counts.append(len(i))
        return exact(x, y, i, j)

    monkeypatch.setattr(distances, "_exact", counting)
    return counts


@pytest.mark.parametrize("offset", [0, 30_000])
def test_blocks_and_order_change_nothing(offset: int, monkeypatch: pytest.MonkeyPatch, measured: list[int]) -> None:
    real, fake = normal(150, 32, 0) + np.float32(offset), normal(130, 32, 1) + np.float32(offset)
    whole = values(real, fake)
    # far from 0 float32 still decides nearly all: nine candidates for each of 280, and little besides
    assert sum(measured) < 280 * 9 + 100
    draw = np.random.default_rng(0)
    assert values(draw.permutation(real), draw.permutation(fake)) == whole
    for block in (1, 500, 7000):
        monkeypatch.setattr(distances, "BLOCK", block)
        assert values(real, fake) == whole


def test_noise_makes_all_but_recall_worse() -> None:
    real, fake, noise = normal(400, 8, 0), normal(400, 8, 1), normal(400, 8, 2)
    found = [prdc(real, fake + strength * noise) for strength in (0, 0.5, 1, 2, 4)]
    for name in ("precision", "density", "coverage"):
        assert all(first[name].value > second[name].value for first, second in pairwise(found)), name
    # the noise's own balls are large, so that they hold the reals: see the docstring
    assert found[-1]["recall"].value > 0.5


def test_the_metric_uses_five_neighbours() -> None:
    real, fake = normal(50, 4, 0), normal(60, 4, 1)
    found = Prdc().measure(Evidence(Features(real), Features(fake)), errors=False)
    assert set(found) == set(Prdc.results)
    assert found == prdc(real, fake, 5)
    share = found["precision"].value
    assert found["precision"].error == pytest.approx(np.sqrt(share * (1 - share) / 60))


def test_bad_input() -> None:
    good, broken = normal(10, 4, 1), normal(10, 4, 2)
    broken[[1, 2, 3], 0] = np.nan
    with pytest.raises(UserError, match="3 of 10 fake feature vectors"):
        prdc(good, broken)
    with pytest.raises(UserError, match="4 features and fake ones 3"):
        prdc(good, good[:, :3])
    with pytest.raises(UserError, match="too few real pictures: there are 5, and this metric needs 6"):
        prdc(good[:5], good)
    with pytest.raises(UserError, match="at least 1"):
        prdc(good, good, k=0)


def by_differences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(x[:, None].astype(float) - y[None].astype(float)).sum(-1))


@pytest.mark.parametrize("scale", [1e-20, 1, 1e20])
@pytest.mark.parametrize("jitter", [1, 1e-3, 1e-5])
def test_neighbours_in_heaps_of_near_copies(jitter: float, scale: float) -> None:
    """Float32 products cannot tell those of a heap apart, and there are more of them than spare candidates."""
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((3, 6))
    x, y = (
        scale * (centres[draw.integers(0, 3, count)] + jitter * draw.standard_normal((count, 6))) for count in (90, 80)
    )
    between, own = by_differences(x, y), by_differences(x, x)
    index, distance = nearest(x, y, 3)
    assert np.array_equal(index, np.argsort(between, axis=1, kind="stable")[:, :3])
    np.testing.assert_allclose(distance, np.sort(between, axis=1)[:, :3], rtol=1e-12)
    np.fill_diagonal(own, np.inf)
    assert np.array_equal(nearest(x, x, 2, others=True)[0], np.argsort(own, axis=1, kind="stable")[:, :2])
    radius_x, radius_y = np.median(between, axis=1), np.quantile(between, 0.1, axis=0)
    for rows, near_x, near_y in within(x, y, radius_x, radius_y):
        assert np.array_equal(near_x, between[rows] < radius_x[rows, None])
        assert np.array_equal(near_y, between[rows] < radius_y)


def test_one_far_away_hides_nothing() -> None:
    x = np.concatenate([normal(60, 8, 0), np.full((1, 8), 1e6, np.float32)])
    own = by_differences(x, x)
    np.fill_diagonal(own, np.inf)
    np.testing.assert_allclose(nearest(x, x, 5, others=True)[1], np.sort(own, axis=1)[:, :5], rtol=1e-12)


def test_equal_vectors_are_not_measured_pair_by_pair(measured: list[int]) -> None:
    x = np.ones((300, 8), np.float32)
    assert values(x, x) == (0, 0, 0, 0)  # nothing is nearer than a radius of 0
    assert sum(measured) == 2 * 300 * 9


def test_rounding_stays_within_the_tolerance() -> None:
    """What TOLERANCE promises, with ample room, where the features are many and have much in common."""
    x = (np.abs(normal(300, 2048, 0)) + 5 * np.abs(normal(1, 2048, 1))).astype(np.float32)
    scaling = distances._scaling(x, x)
    wanted = np.square(by_differences(x[:10], x) * scaling[1])
    for rows, squares, tolerance in distances._blocks(x[:10], x, scaling):
        assert (np.abs(squares - wanted[rows]) < tolerance / 5).all()
