"""All randomness is a function of (seed, clock, rank, purpose): nothing to save, nothing to lose.

`numpy.random.SeedSequence` mixes the words; Python's `hash` differs between processes and is never used.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np

_WORDS = 2**32


def derive(seed: int, purpose: str, *counters: int) -> int:
    """Mix a seed, a purpose in words and any counters (>= 0) into one 63-bit seed."""
    words = [zlib.crc32(purpose.encode())]
    for number in (seed, *counters):
        words += [number % _WORDS, number // _WORDS]
    low, high = np.random.SeedSequence(words).generate_state(2)
    return (int(high) % 2**31) * _WORDS + int(low)


def permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """Return the order in which `count` items are seen in an epoch, int64 (count,)."""
    return np.random.default_rng(derive(seed, "order", epoch)).permutation(count)


def uniforms(seed: int, purpose: str, epochs: np.ndarray, indices: np.ndarray, draws: int) -> np.ndarray:
    """Return numbers in [0, 1), float64 (n, draws), each row a function of (seed, purpose, epoch, index) alone.

    Counter based (the finaliser of SplitMix64; Steele, Lea and Flood 2014, figure 16), so that a whole batch is drawn
    at once and an item's draw does not depend on which batch, worker or rank asks for it.
    """
    key = _key(seed, purpose)
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the point
        state = _mix(key + golden * (epochs.astype(np.uint64) + np.uint64(1)))
        state = _mix(state + golden * (indices.astype(np.uint64) + np.uint64(1)))
        lanes = np.arange(1, draws + 1, dtype=np.uint64)
        bits = _mix(state[:, None] + golden * lanes[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


@functools.lru_cache(maxsize=64)  # the mixing takes longer than the draws of a small batch
def _key(seed: int, purpose: str) -> np.uint64:
    return np.uint64(derive(seed, purpose))


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
