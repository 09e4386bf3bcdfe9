"""`limner train`: from a config and data to a run folder; the same command again goes on where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from limner.core import files
from limner.core.config import KeepConfig, TrainConfig, check, from_dict, to_dict
from limner.core.console import TrainingDisplay, duration
from limner.core.errors import Interrupted, UserError
from limner.core.runs import Run

if TYPE_CHECKING:
    import numpy as np

    from limner.commands.reading import Stock
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
    from limner.commands import greeting, reading
    from limner.core import rng
    from limner.core.clock import Clock
    from limner.data.pair_store import PairStore
    from limner.engine import augmentation, identity
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
        least = methods.METHODS.load(config.method).smallest_batch * here.world
        if config.batch < least:
            few = f"{config.preset} cannot learn from batches of {config.batch}"
            raise UserError(f"{few}: take --batch {least} or more")
        before = from_first(identity.earlier(run, config) if here.first else None)
        opened = reading.Opened(config)
        if here.first:
            stack.enter_context(files.alone(run.folder))
        stock = opened.decode(run.cache, here, command.show)
        store = stock.store
        machine = identity.machine(config, here, before)
        machine.prepare()
        asked, config = config, suited(config, machine.device, before)
        command = dataclasses.replace(command, config=config)
        method = methods.build(config.method, config.settings, store.spec, seed=rng.derive(config.seed, "weights"))
        count = store.count if stock.rows is None else len(stock.rows)
        clock = Clock(_length(config, count))
        augment = augmentation.choose(config.augment, method.nets, bool(method.latent), count, clock.total, before)
        chosen = {"augment": dataclasses.asdict(augment), "settings": to_dict(config.settings)}
        changed = identity.settle(run, asked, stock.facts, clock.total, machine, here, before, chosen)
        shown = store.b if isinstance(store, PairStore) else store
        some = shown.pixels[shown.spread(SHEET)]
        training = Training(config, method, clock, Health(some), machine, here, augment)
        checkpoints = Checkpoints(run.checkpoints, command.keep.keep)
        training.restore_latest(checkpoints)
        if here.first:
            run.rewind(clock.images)
            greeting.greet(command, asked, run, stock, training, changed)
        if not clock.done:
            _fit(command, run, stock, training, checkpoints)
    return run


def _fit(command: Train, run: Run, stock: Stock, training: Training, checkpoints: Any) -> None:
    from limner.data.loader import Loader
    from limner.data.transforms import Variety
    from limner.engine import memory
    from limner.engine.hooks import Journal
    from limner.engine.loop import fit

    config, here, clock, device = command.config, training.ranks, training.clock, training.machine.device
    workers = command.keep.workers if command.keep.workers is not None else (0 if device == "cpu" else 2)
    pin = device.startswith("cuda")
    variety = Variety(config.mirror, config.rotate, config.shift, config.zoom, config.colour)
    loader = Loader(stock.store, config.seed, config.batch, here.rank, here.world, variety, workers, pin, stock.rows)
    style = command.show if here.first else "quiet"
    with TrainingDisplay(config.preset, clock.total, clock.images, style) as display:
        trackers = _trackers(command.keep, run) if here.first else []
        journal = Journal(run, [display.line, *trackers], writes=here.first)
        hooks, save = _hooks(command, run, stock, training, journal, checkpoints, display)
        if clock.images == 0:
            save(training)
        try:
            with memory.advised(config, training.method, stock.store.spec, training.machine.device, here.world):
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
    stock: Stock,
    training: Training,
    journal: Journal,
    checkpoints: Any,
    display: TrainingDisplay,
) -> tuple[list[Hook], Save]:
    from limner.commands import looks
    from limner.commands.during_training import evaluate_hook, held_out_hook
    from limner.data.store import Store
    from limner.engine.hooks import Log, Sample, Save, Tick
    from limner.inference import model
    from limner.inference.pictures import save_png
    from limner.inference.pipeline import Pipeline

    config, keep, clock, method = command.config, command.keep, training.clock, training.method
    store = stock.store
    nearest = looks.Nearest(store, stock.rows) if isinstance(store, Store) else None

    def draw(training: Training) -> np.ndarray:
        nets = {name: training.ema.nets[name] for name in method.portable}
        pipeline = Pipeline(method, nets, stock.store.spec, training.machine.device)
        made, sheet = looks.sheet(pipeline, stock)
        save_png(sheet, run.sample_sheet(clock.images))
        if nearest is not None:
            save_png(nearest.sheet(made), run.nearest_file)
        return made.transpose(0, 3, 1, 2)

    def export(training: Training) -> None:
        model.save(run.model_file, method, training.ema.nets, stock.store.spec, config, clock.images)

    log_every = max(config.batch, clock.total // LOG_LINES)
    save_every = keep.save_every or max(config.batch, math.ceil(clock.total / CHECKPOINTS))
    save = Save(checkpoints, journal, save_every, log_every, export)
    hooks: list[Hook] = [Log(journal, log_every), Sample(journal, keep.frames, draw), save, Tick(display.tick)]
    more = held_out_hook(stock, training, journal), evaluate_hook(config, keep, run, stock, training, journal, save)
    return hooks + [hook for hook in more if hook], save


def suited(config: TrainConfig, device: str, before: dict[str, Any] | None = None) -> TrainConfig:
    """Fill in what is chosen for the machine; what a run chose when it began, in its config.json `before`, stands."""
    from limner.engine.ema import half_life
    from limner.methods import METHODS

    chosen = before["resolved"].get("settings") if before else None
    if chosen is not None:
        settings = from_dict(type(config.settings), chosen, "config.json: settings")
    else:
        settings = METHODS.load(config.method).suited(config.settings, device.partition(":")[0])
    return dataclasses.replace(config, ema=half_life(config.ema, config.batch), settings=settings)


def _length(config: TrainConfig, count: int) -> int:
    return config.images if config.images is not None else math.ceil((config.epochs or 0.0) * count)


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
