"""The first lines of a run: what it learns from, on what, and how much memory it will need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limner.core import console, images
from limner.core.console import say
from limner.core.errors import listing
from limner.data.pair_store import PairStore

if TYPE_CHECKING:
    from limner.commands.reading import Stock
    from limner.commands.train import Train
    from limner.core.config import TrainConfig
    from limner.core.contract import Spec
    from limner.core.runs import Run
    from limner.engine.training import Training

KINDS = {1: "grey", 3: "colour", 4: "RGBA"}


def greet(command: Train, asked: TrainConfig, run: Run, stock: Stock, training: Training, changed: list[str]) -> None:
    """Say them, unless the person wants data or silence.

    `asked` is the config before "auto" was filled in; `changed` is what differs from the machine of before.
    """
    if command.show != "auto":
        return
    clock, machine, store = training.clock, training.machine, stock.store
    if store.skipped:
        names = listing(f"{name} ({reason})" for name, reason in store.skipped)
        say(f"{len(store.skipped):,} pictures cannot be read and are left out: {names}")
    if clock.done:
        say(f"{run.folder} is finished: {clock.images:,} images. See {run.report_file}")
        return
    spec = store.spec
    kind = f"{KINDS[spec.channels_in]} to {KINDS[spec.channels]}" if spec.channels_in else KINDS[spec.channels]
    say(
        f"{store.count:,} {kind} pictures of {store.size} px from {command.config.data}; {command.config.preset} on "
        f"{machine.device}, {machine.precision}"
    )
    if stock.words:
        say(f"{stock.words} {stock.held_out.count if stock.held_out else 0:,} pictures are held out to look at.")
        _thumbnails(stock)
    if stock.split:
        say(f"{len(stock.split[1]):,} of them are held out, to see whether D comes to know the others by heart.")
    for sentence in training.method.words:
        say(sentence)
    if asked.ema is None:
        say(
            f"The weights that are used are an average with a half-life of {command.config.ema:,} images: 10,000 for "
            f"every 32 of the batch, as in StyleGAN2-ADA."
        )
    if training.method.latent:
        say(f"Augmentation of what D is shown: {training.augment.kind} ({training.augment.reason}).")
    if clock.images:
        say(f"Going on from {clock.images:,} of {clock.total:,} images.")
        if changed:
            say(f"On other hardware or settings than before ({'; '.join(changed)}): not exact to the last bit.")
    _memory(training, spec)


def _thumbnails(stock: Stock) -> None:
    store = stock.store
    assert isinstance(store, PairStore)
    given, made = (images.from_array(side.pixels[0].transpose(1, 2, 0)) for side in (store.a, store.b))
    console.show({f"{stock.sides[0]}, given": given, f"{stock.sides[1]}, to be made": made})


def _memory(training: Training, spec: Spec) -> None:
    from limner.engine import memory

    need = memory.expected(training.config, training.method, spec, training.ranks.world)
    if need is None:
        return
    room = memory.available(training.machine.device)
    say(f"A step is expected to need about {memory.words(need)} of memory; {memory.words(room)} are free.")
    if need > room:
        advice = memory.advice(training.config, training.method, spec, training.ranks.world, room)
        say(f"That is likely to fail: {advice}.")
