"""The order of pictures, and what happens to each: functions of the seed and the number of images seen."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.core.config import Size
from limner.data import transforms
from limner.data.sampler import Sampler

counts, batches = st.integers(1, 40), st.integers(1, 100)


@given(counts, batches, st.integers(0, 2**40), st.integers(0, 5))
def test_every_epoch_shows_every_picture_once(count: int, batch: int, seed: int, start: int) -> None:
    sampler = Sampler(count, seed, batch)
    shown = [sampler(images) for images in range(start * count, (start + 3) * count, batch)]
    epochs, indices = (np.concatenate(part)[: 3 * count] for part in zip(*shown, strict=True))
    for epoch in range(start, start + 3):
        assert sorted(indices[epochs == epoch]) == list(range(count))
    assert (np.diff(epochs) >= 0).all()


@given(counts, batches, batches, st.integers(0, 10**6))
def test_a_position_alone_decides(count: int, batch: int, other: int, images: int) -> None:
    both = Sampler(count, 7, batch + other)(images)
    first, second = Sampler(count, 7, batch)(images), Sampler(count, 7, other)(images + batch)
    for whole, left, right in zip(both, first, second, strict=True):
        assert np.array_equal(whole, np.concatenate([left, right]))
    assert len(first[0]) == batch  # always full, however small the set


@given(counts, st.integers(1, 8), st.integers(1, 8), st.integers(0, 1000))
def test_ranks_share_a_batch_out(count: int, share: int, world: int, images: int) -> None:
    whole = Sampler(count, 3, share * world)(images)[1]
    parts = [Sampler(count, 3, share * world, rank, world)(images)[1] for rank in range(world)]
    assert {len(part) for part in parts} == {share}
    assert np.array_equal(whole, np.concatenate(parts))


def test_orders_differ_between_epochs_and_seeds() -> None:
    orders = [Sampler(50, seed, 50)(epoch * 50)[1].tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_a_sampler_travels_without_its_permutations() -> None:
    sampler = Sampler(100_000, 0, 10)
    expected = sampler(12345)
    packed = pickle.dumps(sampler)
    assert len(packed) < 1000
    assert np.array_equal(pickle.loads(packed)(12345), expected)


def test_what_happens_to_a_picture_depends_on_epoch_and_index_alone() -> None:
    indices = np.arange(1000)
    drawn = transforms.Draws(5, np.full(1000, 3), indices)("augment", 3)
    order = np.random.default_rng(0).permutation(1000)[:100]
    assert np.array_equal(transforms.Draws(5, np.full(100, 3), order)("augment", 3), drawn[order])
    assert not np.array_equal(transforms.Draws(5, np.full(1000, 4), indices)("augment", 3), drawn)
    assert not np.array_equal(transforms.Draws(6, np.full(1000, 3), indices)("augment", 3), drawn)


def test_windows_are_cut_where_the_draw_says_and_reach_every_place() -> None:
    pixels = np.arange(600 * 2 * 5 * 6).reshape(600, 2, 5, 6)
    drawn = np.random.default_rng(0).random((600, 3))
    cut = transforms.window(pixels, Size(3, 4), drawn, mirror=False)
    places = set()
    for item, (top, left) in enumerate((drawn[:, :2] * 3).astype(int).tolist()):
        assert np.array_equal(cut[item], pixels[item, :, top : top + 3, left : left + 4])
        places.add((top, left))
    assert len(places) == 9
    assert cut.flags.c_contiguous
    assert transforms.window(pixels, Size(5, 6), drawn, mirror=False) is pixels


def test_mirroring_turns_half_of_the_pictures() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (400, 3, 4, 5), dtype=np.uint8)
    drawn = np.random.default_rng(0).random((400, 3))
    turned = transforms.window(pixels, Size(*pixels.shape[2:]), drawn, mirror=True)
    flags = drawn[:, 2] < 0.5
    assert np.array_equal(turned[~flags], pixels[~flags])
    assert np.array_equal(turned[flags], pixels[flags][..., ::-1])
    assert 150 < flags.sum() < 250
