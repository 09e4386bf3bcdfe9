"""The same for many pictures, on all cores, in order."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

CHUNK = 8  # pictures that a thread decodes at a time: handing out single small ones costs as much as decoding them
MOST_THREADS = 16

T = TypeVar("T")


def in_order(function: Callable[[int], T], count: int) -> Iterator[T]:
    """Yield function(0), function(1) ... from all cores, as Pillow lets go of Python's lock; few results wait."""
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    waiting: collections.deque[Future[list[T]]] = collections.deque()
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, count, CHUNK):
            numbers = range(first, min(count, first + CHUNK))
            waiting.append(pool.submit(lambda numbers=numbers: [function(number) for number in numbers]))
            if len(waiting) > 2 * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
