"""Pictures that look the same, found without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

NEAR = 4  # bits of 64 in which the perceptual hashes of two copies may differ
BANDS = ((0, 13), (13, 26), (26, 39), (39, 52), (52, 64))  # one more than NEAR: one of them is the same in both
ALIKE, MATCH = 10.0, 0.985  # grey levels of mean difference, and correlation, of what is left of two copies
AT_ONCE = 20_000  # pairs that are compared at a time
MOST = 200_000_000  # pairs that are compared at all: sets of one motif share most of their hashes
_ONES = np.array([bin(number).count("1") for number in range(1 << 16)], dtype=np.uint8)


def near_groups(hashes: np.ndarray, thumbs: np.ndarray) -> list[list[int]]:
    """Find groups of pictures that look the same: lists of rows in order, the group of the first row first.

    `hashes` uint64 (N,) are perceptual hashes, of which near ones differ in at most NEAR bits; `thumbs` uint8 (N, k)
    are the pictures reduced to a few grey values, which must agree too. Two hashes that differ in so few bits are equal
    in at least one of five bands: only pictures that share a band are compared, and of those that are in one group
    already none. Memory is bounded by AT_ONCE pairs, however many pictures are alike.
    """
    group = np.arange(len(hashes))  # of each row, named after its first one
    for first, second in _candidates(hashes, group):
        bits = (hashes[first] ^ hashes[second]).view(np.uint16).reshape(-1, 4)
        near = _ONES[bits].sum(axis=1) <= NEAR
        first, second = first[near], second[near]
        one, other = (thumbs[rows].astype(np.float32) for rows in (first, second))
        alike = np.abs(one - other).mean(axis=1) <= ALIKE
        one, other = (some - some.mean(axis=1, keepdims=True) for some in (one, other))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        alike &= np.einsum("ij,ij->i", one, other) >= MATCH * lengths
        if alike.any():
            group[:] = _joined(group, np.unique(np.column_stack([group[first[alike]], group[second[alike]]]), axis=0))
    order = np.argsort(group, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return [rows.tolist() for rows in found if len(rows) > 1]


def _joined(group: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    parent = np.arange(len(group))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    for first, second in pairs.tolist():
        one, other = sorted((root(first), root(second)))
        parent[other] = one
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    return parent[group]


def _candidates(hashes: np.ndarray, group: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    # pairs of rows that share a band and are in no group together, as `group` says by then; some at a time
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
                others = others[group[others] != group[rows[place]]]
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
