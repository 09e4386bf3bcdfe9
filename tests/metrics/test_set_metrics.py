"""Inception score, class accuracy and memorisation, and what every metric of two sets keeps to."""

from __future__ import annotations

import gzip
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import UserError
from limner.metrics import METRICS
from limner.metrics.class_accuracy import ClassAccuracy, recognised
from limner.metrics.inception_score import InceptionScore, inception_scores
from limner.metrics.memorisation import Memorisation, Neighbour, neighbours, ratios
from limner.metrics.metric import Evidence, Features, SetMetric

NAMES = [name for name in METRICS.names() if issubclass(METRICS.load(name), SetMetric)]
CLASSES, ANSWERS = ("cat", "dog"), ("fox", "dog", "cat")


def normal(count: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, d)).astype(np.float32)


def world(count: int = 40, d: int = 6, broken: float | None = None, fewer: int = 0) -> Evidence:
    """Everything that any metric looks at; `broken` is put into one fake, whose features are `fewer`."""
    vectors, logits = normal(count, d - fewer, 1), normal(count, len(ANSWERS), 2)
    if broken is not None:
        vectors[count // 2, 0] = logits[count // 2, 0] = broken
    labels = np.arange(count) % 2
    return Evidence(Features(normal(40, d, 0)), Features(vectors, logits), labels, CLASSES, ANSWERS)


@pytest.mark.parametrize("name", NAMES)
class TestEverySetMetric:
    def test_returns_what_it_says(self, name: str) -> None:
        metric = METRICS.load(name)()
        found = metric.measure(world(), seed=1)
        assert set(found) == set(metric.results)
        for measure in found.values():
            assert math.isfinite(measure.value)
            assert type(measure.value) is float
            assert measure.error is None or (type(measure.error) is float and measure.error >= 0)
        assert found == metric.measure(world(), seed=1)
        for key, measure in metric.measure(world(), seed=1, errors=False).items():
            assert measure.value == pytest.approx(found[key].value, rel=1e-12)

    @pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
    def test_refuses_what_is_no_number(self, name: str, broken: float) -> None:
        with pytest.raises(UserError, match=r"1 of 40 .*NaN or infinity"):
            METRICS.load(name)().measure(world(broken=broken))

    def test_refuses_fewer_than_its_least(self, name: str) -> None:
        metric = METRICS.load(name)()
        metric.measure(world(metric.least))
        with pytest.raises(UserError, match=f"{metric.least}"):
            metric.measure(world(metric.least - 1))

    def test_leaves_its_evidence_alone(self, name: str) -> None:
        given_, kept = world(), world()
        METRICS.load(name)().measure(given_)
        for one, other in ((given_.real, kept.real), (given_.fake, kept.fake)):
            assert np.array_equal(one.vectors, other.vectors)
        assert str(given_.fake.logits) == str(kept.fake.logits)


@pytest.mark.parametrize("name", ["fid", "kid", "prdc", "memorisation"])
def test_features_of_two_networks_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="6 features and fake ones 5"):
        METRICS.load(name)().measure(world(fewer=1))


@pytest.mark.parametrize("name", ["is", "accuracy"])
def test_without_answers_there_is_no_number(name: str) -> None:
    features = Features(normal(40, 6, 0))
    with pytest.raises(UserError, match="classifier's answers"):
        METRICS.load(name)().measure(Evidence(features, features, np.zeros(40, np.int64), CLASSES, ANSWERS))


def test_inception_score_by_hand() -> None:
    sure = np.log(np.array([[1.0, 1e-30], [1e-30, 1.0]]))
    assert inception_scores(np.tile(sure, (5, 1)), 5) == pytest.approx([2] * 5)  # sure and varied: as many as answers
    assert inception_scores(np.repeat(sure, 5, axis=0), 2) == pytest.approx([1, 1])  # the same all along each part
    assert inception_scores(np.zeros((10, 4))) == pytest.approx([1] * 10)  # never sure
    p, q = np.array([0.9, 0.1]), np.array([0.3, 0.7])
    mean = (p + q) / 2
    divergence = (p * np.log(p / mean) + q * np.log(q / mean)).sum() / 2
    assert inception_scores(np.log([p, q]), 1) == pytest.approx([np.exp(divergence)])


def test_inception_score_of_logits_so_large_that_exp_overflows() -> None:
    logits = np.array([[1e5, 0.0, -1e5], [0.0, 1e5, -1e5]])
    assert inception_scores(logits, 1) == pytest.approx([2])


@settings(deadline=None, max_examples=30)
@given(st.integers(10, 60), st.integers(2, 6), st.integers(0, 100), st.integers(0, 50))
def test_inception_scores_lie_between_1_and_the_number_of_answers(n: int, k: int, seed: int, scale: float) -> None:
    logits = scale * normal(n, k, seed)
    scores = inception_scores(logits)
    assert (scores >= 1 - 1e-9).all() and (scores <= k + 1e-9).all()
    assert inception_scores(logits + 7) == pytest.approx(scores, rel=1e-4)  # float32 loses digits there
    edges = [n * part // 10 for part in range(11)]
    assert scores == pytest.approx([inception_scores(logits[a:b], 1)[0] for a, b in pairwise(edges)])


def test_inception_score_is_mean_and_deviation_of_ten_parts() -> None:
    logits = 3 * normal(205, 4, 0)
    found = InceptionScore().measure(Evidence(Features(logits), Features(logits, logits)))["is"]
    scores = inception_scores(logits)
    assert len(scores) == 10
    assert (found.value, found.error) == (pytest.approx(scores.mean()), pytest.approx(scores.std()))
    assert "of 4 answers" in found.note and "50,000" in found.note
    wide = Features(normal(20, 2, 0), normal(20, 1008, 0))
    assert "answers" not in InceptionScore().measure(Evidence(wide, wide))["is"].note
    worse = [inception_scores(logits * share).mean() for share in (1, 0.7, 0.4, 0.1)]
    assert all(first > second for first, second in pairwise(worse))


def test_accuracy_by_hand() -> None:
    # columns are fox, dog, cat; asked for are cat, cat, dog, dog, dog
    logits = np.eye(3)[[2, 0, 1, 1, 0]]
    labels = np.array([0, 0, 1, 1, 1])
    assert recognised(logits, labels, CLASSES, ANSWERS).tolist() == [True, False, True, True, False]
    found = ClassAccuracy().measure(Evidence(Features(logits), Features(logits, logits), labels, CLASSES, ANSWERS))
    assert found["accuracy"].value == pytest.approx(3 / 5)
    assert found["accuracy"].error == pytest.approx(np.sqrt(0.6 * 0.4 / 5))
    assert found["accuracy"].note == "worst: cat with 50.0% of 2"


def test_accuracy_falls_with_noise() -> None:
    labels = np.arange(2000) % 2
    right = np.eye(3)[2 - labels]
    noise = np.random.default_rng(0).standard_normal(right.shape)
    worse = [recognised(right + strength * noise, labels, CLASSES, ANSWERS).mean() for strength in (0, 0.5, 1, 2, 8)]
    assert worse[0] == 1 and worse[-1] < 0.5
    assert all(first > second for first, second in pairwise(worse))


def test_accuracy_refuses_what_does_not_fit() -> None:
    logits, labels = np.eye(3), np.array([0, 1, 1])
    with pytest.raises(UserError, match=r"no answer for the model's cow.*it knows fox, dog, cat"):
        recognised(logits, labels, ("cat", "cow"), ANSWERS)
    with pytest.raises(UserError, match="labels from 0 to 2"):
        recognised(logits, np.array([0, 1, 2]), CLASSES, ANSWERS)
    with pytest.raises(UserError, match="labels from -1 to 1"):
        recognised(logits, np.array([0, -1, 1]), CLASSES, ANSWERS)
    with pytest.raises(UserError, match="2 labels and 3 answers"):
        recognised(logits, labels[:2], CLASSES, ANSWERS)
    with pytest.raises(UserError, match="3 labels and 2 answers"):
        recognised(logits, labels, CLASSES, ANSWERS[1:])
    features = Features(logits, logits)
    with pytest.raises(UserError, match="which class to make"):
        ClassAccuracy().measure(Evidence(features, features))


def test_memorisation_by_hand() -> None:
    # spacings 1, 1, 2, 7, of which the median is 1.5
    real = np.array([[0.0], [1.0], [3.0], [10.0]])
    fake = np.array([[9.3], [3.0], [0.25], [20.0]])
    index, distance, ratio = ratios(fake, real)
    assert index.tolist() == [3, 2, 0, 3]
    assert distance == pytest.approx([0.7, 0, 0.25, 10])
    assert ratio == pytest.approx([0.1, 0, 0.25, 10 / 7])
    found = neighbours(fake, real, 3)
    assert [(one.fake, one.real) for one in found] == [(1, 2), (0, 3), (2, 0)]
    assert isinstance(found[1], Neighbour)
    assert (found[1].distance, found[1].ratio) == (pytest.approx(0.7), pytest.approx(0.1))
    assert len(neighbours(fake, real, 100)) == len(neighbours(fake, real)) == 4


def remembered(real: np.ndarray, fake: np.ndarray) -> tuple[float, str]:
    found = Memorisation().measure(Evidence(Features(real), Features(fake)))["memorisation"]
    return found.value, found.note


def test_new_pictures_are_about_as_far_as_the_training_set_is_wide() -> None:
    value, note = remembered(normal(500, 8, 0), normal(400, 8, 1))
    assert value == pytest.approx(1, abs=0.15)
    assert "suspicious" not in note


def test_copies_are_found_and_fade_with_noise() -> None:
    real, noise = normal(300, 8, 0), normal(300, 8, 1)
    found = [remembered(real, real + strength * noise) for strength in (0, 0.03, 0.1, 0.3, 1)]
    assert found[0][0] == 0 and found[1][0] < 0.1
    assert all(first[0] < second[0] for first, second in pairwise(found))
    assert "100.0% nearer" in found[0][1] and "suspicious" in found[0][1]
    assert "suspicious" not in found[-1][1]


def test_a_few_copies_among_many_are_found() -> None:
    real, fake = normal(300, 8, 0), normal(300, 8, 1)
    fake[[5, 77, 200, 250]] = real[[1, 2, 3, 4]]
    value, note = remembered(real, fake)
    assert value > 0.8 and "1.3% nearer" in note and "suspicious" in note
    assert {(one.fake, one.real) for one in neighbours(fake, real, 4)} == {(5, 1), (77, 2), (200, 3), (250, 4)}


def test_copies_of_doubled_training_pictures_are_copies() -> None:
    real = normal(300, 8, 0)
    real[:50] = real[250:] + 1e-4  # these have a spacing of next to nothing
    real = np.concatenate([real, real[100:120]])  # and these of nothing at all
    assert remembered(real, real[:120])[0] == 0
    index, _, ratio = ratios(real[:120] + 1e-3, real)
    assert (ratio < 0.05).all() and (index < 300).all()


def test_a_training_set_of_doubles_is_refused() -> None:
    real = np.repeat(normal(10, 4, 0), 2, axis=0)
    with pytest.raises(UserError, match="100% of the 20 training pictures have an exact double"):
        ratios(real, real)
    with pytest.raises(UserError, match="too few training pictures: there are 1"):
        neighbours(real, real[:1])


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 30), st.integers(1, 30), st.integers(0, 1000))
def test_memorisation_does_not_depend_on_order_or_scale(n: int, m: int, seed: int) -> None:
    real, fake = normal(n, 3, seed), normal(m, 3, seed + 1)
    draw = np.random.default_rng(seed)
    order, other = draw.permutation(m), draw.permutation(n)
    index, distance, ratio = ratios(fake, real)
    shuffled = ratios(fake[order], real[other])
    assert np.array_equal(other[shuffled[0]], index[order])
    assert np.array_equal(shuffled[1], distance[order]) and np.array_equal(shuffled[2], ratio[order])
    np.testing.assert_allclose(ratios(8 * fake, 8 * real)[2], ratio, rtol=1e-12)


def test_unseen_digits_are_not_taken_for_copies(real_data: Path) -> None:
    """On MNIST's pixels: test digits are as new as can be, though some classes are much denser than others."""

    def digits(name: str, count: int) -> np.ndarray:
        with gzip.open(real_data / "mnist" / name) as file:
            return np.frombuffer(file.read(16 + count * 784)[16:], np.uint8).reshape(count, 784).astype(np.float32)

    train, test = digits("train-images-idx3-ubyte.gz", 2000), digits("t10k-images-idx3-ubyte.gz", 500)
    value, note = remembered(train, test)
    assert value == pytest.approx(1.05, abs=0.1)
    assert note.startswith("0.0%")
    noise = np.random.default_rng(0).normal(0, 5, (500, 784)).astype(np.float32)
    value, note = remembered(train, train[:500] + noise)
    assert value < 0.2 and "suspicious" in note
