"""The trained models below the runs folder: what each is, which are broken and why, and the loaded ones."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.inference.model import ModelInfo, load, peek, settings_of
from limner.inference.pipeline import Pipeline
from limner.methods import METHODS

LOADED = 3  # models that are kept in memory
SMALL = 64  # pixels
DEEPEST = 3  # folders below the runs folder in which runs are looked for


@dataclasses.dataclass(frozen=True)
class Model:
    """A model on the shelf; `broken` says why it cannot be used, and is empty when it can."""

    name: str
    """its run folder's path below the runs folder"""
    run: Run
    changed: float
    info: ModelInfo | None = None
    spec: Spec | None = None
    broken: str = ""

    @property
    def translates(self) -> bool:
        """Whether it turns pictures into others."""
        return self.spec is not None and self.spec.channels_in > 0

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that one may ask for; empty where the method knows none."""
        if self.info is None or self.spec is None or self.translates or not self.info.settings.get("labels", True):
            return ()
        learns = METHODS.load(self.info.method).conditional or "labels" in self.info.settings
        return self.spec.classes if learns else ()

    @property
    def directions(self) -> tuple[str, ...]:
        """The ways a translator can go, the one it was trained in first."""
        if self.info is None or not self.translates:
            return ()
        learned = str(self.info.settings.get("direction", "AtoB"))
        other = "BtoA" if learned == "AtoB" else "AtoB"
        return (learned, other) if METHODS.load(self.info.method).both_ways else (learned,)

    @property
    def words(self) -> str:
        """What it is, in a line."""
        if self.info is None or self.spec is None:
            return self.broken
        spec = self.spec
        kind = "turns pictures into others" if self.translates else "makes pictures"
        return f"{self.info.preset}: {kind}, {spec.height} x {spec.width} px, after {self.info.images:,} images"

    @property
    def small(self) -> bool:
        """Whether its pictures are so small that enlarged ones should show their pixels."""
        return self.spec is not None and max(self.spec.height, self.spec.width) <= SMALL

    def margin(self, direction: str | None) -> float | None:
        """The room round the aligned faces that a translator was given while it trained; None: no such faces."""
        if self.info is None or not self.directions:
            return None
        return self.info.faces.get((direction or self.directions[0])[0])

    @property
    def thumbnail(self) -> Path | None:
        """Its newest sheet of samples."""
        sheets = self.run.sample_sheets()
        return sheets[-1] if sheets else None


class Shelf:
    """Every run folder below `runs`, newest first; links that lead out of it are not followed."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._models: dict[str, Model] = {}  # as they were seen last
        self._pipelines: collections.OrderedDict[tuple[str, float], Pipeline] = collections.OrderedDict()
        self._lock = threading.Lock()

    def folders(self) -> list[Run]:
        """All run folders, newest first."""
        found = [Run(folder) for folder in _folders(self.runs, DEEPEST)]
        return sorted(found, key=_changed, reverse=True)

    def name(self, run: Run) -> str:
        """A run's path below the runs folder."""
        return run.folder.relative_to(self.runs).as_posix()

    def run(self, name: str) -> Run:
        """The run of a name as `name` gives it; UserError for any other, so that nothing else can be reached."""
        for run in self.folders():
            if self.name(run) == name:
                return run
        raise UserError(f"there is no run of the name {name!r} here: choose one of the list")

    def models(self) -> list[Model]:
        """What can be used, and what is broken, newest first."""
        return [self._model(run) for run in self.folders() if run.model_file.is_file()]

    def reason(self, run: Run) -> str:
        """Why the model of a run cannot be used; empty when it can, or there is none yet."""
        return self._model(run).broken if run.model_file.is_file() else ""

    def model(self, name: str) -> Model:
        """The model of that run; UserError when there is none, or it is broken."""
        run = self.run(name)
        if not run.model_file.is_file():
            raise UserError(f"{name} has no model yet: it is saved with the first checkpoint")
        model = self._model(run)
        if model.broken:
            raise UserError(model.broken)
        return model

    def pipeline(self, model: Model) -> Pipeline:
        """Load a model, or take one that is loaded already and has not been written anew since."""
        key = (model.name, model.changed)
        with self._lock:
            if key not in self._pipelines:
                self._pipelines[key] = load(model.run.folder)
                while len(self._pipelines) > LOADED:
                    self._pipelines.popitem(last=False)
            self._pipelines.move_to_end(key)
            return self._pipelines[key]

    def _model(self, run: Run) -> Model:
        name, changed = self.name(run), run.model_file.stat().st_mtime
        seen = self._models.get(name)
        if seen is None or seen.changed != changed:
            seen = self._models[name] = self._looked_at(name, run, changed)
        return seen

    def _looked_at(self, name: str, run: Run, changed: float) -> Model:
        try:
            info, spec = peek(run.folder)
        except UserError as error:
            return Model(name, run, changed, broken=str(error).replace(str(run.folder), name))
        try:
            settings_of(info)
        except UserError as error:
            needs = (
                f"its method {info.method} is not as this limner knows it: install the plug-in or the version of limner"
            )
            return Model(name, run, changed, broken=f"{needs} ({info.limner}) that made it ({error})")
        return Model(name, run, changed, info, spec)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for child in folder.iterdir():
        if child.name.startswith(".") or child.is_symlink() or not child.is_dir():
            continue
        if (child / "config.json").is_file() or (child / "model.safetensors").is_file():
            yield child
        elif depth > 1:
            yield from _folders(child, depth - 1)


def _changed(run: Run) -> float:
    files = (run.metrics_file, run.model_file, run.config_file)
    return max((file.stat().st_mtime for file in files if file.is_file()), default=0.0)
