"""Pictures that look the same are found without comparing each with each, and in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from limner.data import near


def copies(kinds: int, each: int, flips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shuffled hashes in which up to `flips` bits of the first's are turned over, thumbs, and the kind of each row."""
    draw = np.random.default_rng(0)
    kind = draw.permutation(np.repeat(np.arange(kinds), each))
    hashes = draw.integers(0, 2**64, kinds, dtype=np.uint64)[kind]
    for _ in range(flips):
        hashes ^= np.uint64(1) << draw.integers(0, 64, len(hashes)).astype(np.uint64)
    return hashes, draw.integers(0, 256, (kinds, 16)).astype(np.uint8)[kind], kind


def test_groups_are_those_of_comparing_each_with_each() -> None:
    hashes, thumbs, kind = copies(40, 3, 2)
    close = np.array([[bin(int(one ^ other)).count("1") <= near.NEAR for other in hashes] for one in hashes])
    reach = close & (kind[:, None] == kind)
    for _ in range(3):  # what is like a like one belongs to them
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    expected = sorted({tuple(np.flatnonzero(row).tolist()) for row in reach if row.sum() > 1})
    assert near.near_groups(hashes, thumbs) == [list(group) for group in expected]


def test_pictures_of_one_hash_but_other_looks_are_no_copies() -> None:
    thumbs = np.random.default_rng(1).integers(0, 256, (20, 16)).astype(np.uint8)
    assert near.near_groups(np.zeros(20, np.uint64), thumbs) == []
    assert near.near_groups(np.empty(0, np.uint64), np.empty((0, 16), np.uint8)) == []


def test_copies_without_number_are_compared_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes, thumbs, kind = copies(2, 1500, 0)  # 2,248,500 pairs
    together, sizes = near._together, []

    def counted(pending: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(sum(len(first) for first, _ in pending))
        return together(pending)

    monkeypatch.setattr(near, "_together", counted)
    found = near.near_groups(hashes, thumbs)
    assert [len(group) for group in found] == [1500, 1500] and len(set(kind[found[0]].tolist())) == 1
    assert max(sizes) <= near.AT_ONCE + 1500 and sum(sizes) < 100_000
