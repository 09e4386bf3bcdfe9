"""`limner train`: from a config and data to a run folder; the same command again goes on where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from limner.core import files
from limner.core.config import KeepConfig, TrainConfig, check, to_dict
from limner.core.console import TrainingDisplay, duration, say
from limner.core.errors import Interrupted, listing
from limner.core.runs import Run

if TYPE_CHECKING:
    import numpy as np

    from limner.data.source import Source
    from limner.data.store import Store
    from limner.engine.distributed import Ranks
    from limner.engine.hooks import Journal, Save
    from limner.engine.loop import Hook
    from limner.engine.training import Training
    from limner.report.trackers import Tracker

SHEET = 64  # pictures on a sample sheet
LOG_LINES = 500  # over a whole run
CHECKPOINTS = 20  # over a whole run


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a model; the same command again continues, or says that it is done."""

    config: TrainConfig
    out: Path
    """run folder to make or to continue"""
    keep: KeepConfig = dataclasses.field(default_factory=KeepConfig)
    show: Literal["auto", "json", "quiet"] = "auto"
    """auto: a bar, or plain lines where there is no terminal; json: one JSON object a line; quiet: nothing"""


def train(command: Train) -> Run:
    """Train, and return the run.

    Errors: UserError for what a person can mend; Interrupted after a Ctrl-C, with everything saved.
    """
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner import methods
    from limner.core import rng
    from limner.core.clock import Clock
    from limner.engine import identity
    from limner.engine.distributed import from_first, ranks
    from limner.engine.health import Health
    from limner.engine.state import Checkpoints
    from limner.engine.training import Training

    config, run = command.config, Run(command.out)
    check(config)
    check(command.keep)
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(ranks(config.engine.device))
        here.share(config.batch)
        before = from_first(identity.earlier(run, config) if here.first else None)
        source = _open_data(config)
        if here.first:
            stack.enter_context(files.alone(run.folder))
        store = _decode(command, run, source, here)
        machine = identity.machine(config.engine, here, before)
        machine.prepare()
        method = methods.build(config.method, config.settings, store.spec, seed=rng.derive(config.seed, "weights"))
        clock = Clock(_length(config, store.count))
        facts = {"count": store.count, "skipped": len(store.skipped), "fingerprint": store.fingerprint}
        changed = identity.settle(run, config, {**facts, **to_dict(store.spec)}, clock.total, machine, here, before)
        some = store.pixels[:: max(1, store.count // SHEET)]  # spread over the set, which may be sorted by class
        training = Training(config, method, clock, Health(some[: 2 * SHEET]), machine, here)
        checkpoints = Checkpoints(run.checkpoints, command.keep.keep)
        training.restore_latest(checkpoints)
        if here.first:
            run.rewind(clock.images)
            _greet(command, run, store, training, changed)
        if not clock.done:
            _fit(command, run, store, training, checkpoints)
    return run


def _fit(command: Train, run: Run, store: Store, training: Training, checkpoints: Any) -> None:
    from limner.data.loader import Loader
    from limner.engine.hooks import Journal
    from limner.engine.loop import fit

    config, here, clock, device = command.config, training.ranks, training.clock, training.machine.device
    workers = command.keep.workers if command.keep.workers is not None else (0 if device == "cpu" else 2)
    pin = device.startswith("cuda")
    loader = Loader(store, config.seed, config.batch, here.rank, here.world, config.mirror, workers, pin)
    style = command.show if here.first else "quiet"
    with TrainingDisplay(config.preset, clock.total, clock.images, style) as display:
        trackers = _trackers(command.keep, run) if here.first else []
        journal = Journal(run, [display.line, *trackers], writes=here.first)
        hooks, save = _hooks(command, run, store, training, journal, checkpoints, display)
        if clock.images == 0:
            save(training)
        try:
            fit(training, loader.start, hooks, save, save.recover)
        except Interrupted:
            display.say(f"Stopped at {clock.images:,} images; all is saved. The same command goes on from here.")
            raise
        finally:
            for tracker in trackers:
                tracker.close()
            if here.first:
                _report(run, display)
        display.say(f"Done: {clock.images:,} images in {duration(training.seconds)}. See {run.report_file}")


def _hooks(
    command: Train,
    run: Run,
    store: Store,
    training: Training,
    journal: Journal,
    checkpoints: Any,
    display: TrainingDisplay,
) -> tuple[list[Hook], Save]:
    from limner.engine.hooks import Log, Sample, Save, Tick
    from limner.inference import model
    from limner.inference.pictures import save_png
    from limner.inference.pipeline import Pipeline

    config, keep, clock, method = command.config, command.keep, training.clock, training.method

    def draw(training: Training) -> np.ndarray:
        nets = {name: training.ema.nets[name] for name in method.portable}
        pictures = Pipeline(method, nets, store.spec, training.machine.device).sheet(SHEET)
        save_png(pictures.grid(), run.sample_sheet(clock.images))
        return pictures.array.transpose(0, 3, 1, 2)

    def export(training: Training) -> None:
        model.save(run.model_file, method, training.ema.nets, store.spec, config, clock.images)

    log_every = max(config.batch, clock.total // LOG_LINES)
    save_every = keep.save_every or max(config.batch, math.ceil(clock.total / CHECKPOINTS))
    save = Save(checkpoints, journal, save_every, log_every, export)
    return [Log(journal, log_every), Sample(journal, keep.frames, draw), save, Tick(display.tick)], save


def _open_data(config: TrainConfig) -> Source:
    import torch

    from limner import data, methods
    from limner.core.contract import Spec

    source = data.open(config.data)
    size = config.size or source.natural_size
    if size is not None:
        with torch.device("meta"):  # a size that does not fit is refused before hours of decoding
            spec = Spec(config.channels or 3, size.height, size.width, source.classes)
            methods.build(config.method, config.settings, spec)
    return source


def _decode(command: Train, run: Run, source: Source, here: Ranks) -> Store:
    from limner.data.store import Store
    from limner.engine.distributed import barrier

    config = command.config
    if not here.first:
        barrier()  # the first process decodes, the others find what it has left
    with TrainingDisplay("reading pictures", len(source), 0, command.show if here.first else "quiet") as display:
        store = Store.build(
            source, config.size, config.channels, config.crop, run.cache, lambda done, total: display.tick(done)
        )
    if here.first:
        barrier()
    return store


def _length(config: TrainConfig, count: int) -> int:
    return config.images if config.images is not None else math.ceil((config.epochs or 0.0) * count)


def _greet(command: Train, run: Run, store: Store, training: Training, changed: list[str]) -> None:
    if command.show != "auto":
        return
    clock, machine = training.clock, training.machine
    if store.skipped:
        names = listing(f"{name} ({reason})" for name, reason in store.skipped)
        say(f"{len(store.skipped):,} pictures cannot be read and are left out: {names}")
    if clock.done:
        say(f"{run.folder} is finished: {clock.images:,} images. See {run.report_file}")
        return
    kinds = {1: "grey", 3: "colour", 4: "RGBA"}
    say(
        f"{store.count:,} {kinds[store.channels]} pictures of {store.size} px from {command.config.data}; "
        f"{command.config.preset} on {machine.device}, {machine.precision}"
    )
    if clock.images:
        say(f"Going on from {clock.images:,} of {clock.total:,} images.")
        if changed:
            say(f"On other hardware or settings than before ({'; '.join(changed)}): not exact to the last bit.")


def _trackers(keep: KeepConfig, run: Run) -> list[Tracker]:
    if not keep.track:
        return []
    from limner.report.trackers import tracker

    return [tracker(name, run) for name in keep.track]


def _report(run: Run, display: TrainingDisplay) -> None:
    # Training must not depend on the report: what goes wrong in it is said, and the run stays whole.
    if importlib.util.find_spec("limner.report") is None:
        return
    from limner.report import refresh

    try:
        refresh(run)
    except Exception as error:
        display.say(f"The report could not be written: {error}")
