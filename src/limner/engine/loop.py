"""The training loop: reseed, batch, step, hooks that are due."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from limner.core import rng
from limner.core.errors import Interrupted
from limner.core.images import to_float
from limner.engine.health import Diverged
from limner.engine.training import Training

Batches = Callable[[int], Generator[dict[str, Tensor], None, None]]


class Hook(Protocol):
    """Something that happens beside training; it sees the run and changes nothing that is learned."""

    def due(self, training: Training) -> bool: ...

    def __call__(self, training: Training) -> None: ...


def fit(
    training: Training,
    batches: Batches,
    hooks: Sequence[Hook],
    save: Callable[[Training], None],
    recover: Callable[[Training, Diverged], None],
) -> None:
    """Train until the clock is done.

    `batches(images)` yields this rank's batches (uint8 pictures) from that count on. `save` is called when the run is
    interrupted; `recover` when a loss or weight is no longer finite: it rolls back, or raises UserError to give up.
    Errors: Interrupted after a Ctrl-C or a polite kill.
    """
    with stop_signals() as asked_to_stop:
        while not training.clock.done:
            try:
                _run(training, batches, hooks, save, asked_to_stop)
            except Diverged as reason:
                recover(training, reason)


def _run(
    training: Training,
    batches: Batches,
    hooks: Sequence[Hook],
    save: Callable[[Training], None],
    asked_to_stop: threading.Event,
) -> None:
    clock, seed, rank = training.clock, training.config.seed, training.ranks.rank
    started = time.perf_counter() - training.seconds
    training.mark = (clock.images, training.seconds)
    with contextlib.closing(batches(clock.images)) as stream:  # closing ends the loader's workers
        for raw in stream:
            # A step's randomness is a function of the clock alone, so a resume needs no generator state.
            torch.manual_seed(rng.derive(seed, "step", clock.images, rank))
            training.step(prepare(training, raw))
            training.seconds = time.perf_counter() - started
            for hook in hooks:
                if hook.due(training):
                    hook(training)
            if clock.done:
                return
            if asked_to_stop.is_set():
                save(training)
                raise Interrupted


def prepare(training: Training, raw: dict[str, Tensor]) -> dict[str, Tensor]:
    """Send a batch to the device, then turn uint8 pictures into [-1, 1] there: a quarter of the bytes travel."""
    sent = training.machine.send(raw)
    return {name: to_float(tensor) if tensor.dtype == torch.uint8 else tensor for name, tensor in sent.items()}


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or termination signal into an event; a second Ctrl-C interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
