"""Pictures that look the same, found without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

NEAR = 4  # bits of 64 in which the perceptual hashes of two copies may differ
BANDS = ((0, 13), (13, 26), (26, 39), (39, 52), (52, 64))  # one more than NEAR: one of them is the same in both
ALIKE, MATCH = 10.0, 0.985  # grey levels of mean difference, and correlation, of what is left of two copies
AT_ONCE = 100_000  # pairs that are compared at a time
MOST = 200_000_000  # pairs that are compared at all: sets of one motif share most of their hashes
_ONES = np.array([bin(number).count("1") for number in range(1 << 16)], dtype=np.uint8)


def near_pairs(hashes: np.ndarray, thumbs: np.ndarray) -> np.ndarray:
    """Find pairs of pictures that look the same, int64 (P, 2) with the smaller row first, in order.

    `hashes` uint64 (N,) are perceptual hashes, of which near ones differ in at most NEAR bits; `thumbs` uint8 (N, k)
    are the pictures reduced to a few grey values, which must agree too. Two hashes that differ in so few bits are equal
    in at least one of five bands: only pictures that share a band are compared.
    """
    found = []
    for first, second in _candidates(hashes):
        apart = (hashes[first] ^ hashes[second]).view(np.uint16).reshape(-1, 4)
        near = _ONES[apart].sum(axis=1) <= NEAR
        first, second = first[near], second[near]
        one, other = (thumbs[rows].astype(np.float32) for rows in (first, second))
        alike = np.abs(one - other).mean(axis=1) <= ALIKE
        one, other = (some - some.mean(axis=1, keepdims=True) for some in (one, other))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        alike &= np.einsum("ij,ij->i", one, other) >= MATCH * lengths
        found.append(np.column_stack([first[alike], second[alike]]))
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    pairs = np.sort(pairs.astype(np.int64), axis=1)
    return np.unique(pairs, axis=0)


def groups(pairs: np.ndarray, count: int) -> list[list[int]]:
    """Join pairs of `count` rows into groups, each in order, the group of the first row first."""
    parent = np.arange(count)

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    for first, second in pairs.tolist():
        one, other = sorted((root(first), root(second)))
        parent[other] = one
    members: dict[int, list[int]] = {}
    for row in np.unique(pairs).tolist():
        members.setdefault(root(row), []).append(row)
    return [members[key] for key in sorted(members)]


def _candidates(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    # pairs of rows that share a band, some at a time
    left = MOST
    for low, high in BANDS:
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order], prepend=band[order][:1] ^ np.uint64(1))) if len(order) else []
        ends = np.append(starts[1:], len(order)) if len(order) else []
        pending: list[tuple[np.ndarray, np.ndarray]] = []
        size = 0
        for start, end in zip(starts, ends, strict=True):
            rows = order[start:end]
            for place in range(len(rows) - 1):
                if left <= 0:
                    break
                others = rows[place + 1 :]
                pending.append((np.full(len(others), rows[place]), others))
                size += len(others)
                left -= len(others)
                if size >= AT_ONCE:
                    yield _together(pending)
                    pending, size = [], 0
        if pending:
            yield _together(pending)


def _together(pending: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([first for first, _ in pending]), np.concatenate([second for _, second in pending])
