"""How a model, two folders, or pairs of pictures are judged: which pictures, seen by what, measured how."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limner import data, inference
from limner.commands import picture_sets
from limner.commands.judged import Judged
from limner.core import images
from limner.core.console import counting
from limner.core.contract import Spec
from limner.core.errors import UserError, listing
from limner.core.runs import Run
from limner.data.pairs import open_pairs
from limner.data.source import together
from limner.methods import METHODS
from limner.metrics import choice
from limner.metrics.metric import Evidence
from limner.metrics.pictures import PictureSet, choose
from limner.metrics.protocol import Protocol
from limner.metrics.seeing import Team, see
from limner.metrics.suite import choose_pairs, conclude, measure_pairs, measure_sets

if TYPE_CHECKING:
    from limner.commands.evaluate import Evaluate
    from limner.data.source import Source
    from limner.inference import Pipeline


def judge_model(command: Evaluate, path: Path, asked: Sequence[str], team: Team) -> Judged | None:
    """Measure what a model makes: from noise against real pictures, of held-out pictures against the truth.

    None on processes other than the first.
    """
    pipeline = inference.load(path, command.device)
    if not pipeline.method.latent:
        return _judge_translation(command, path, pipeline, asked, team)
    source, crop, its_own = _real(command, pipeline, path)
    spec, seed = pipeline.spec, command.seed
    labels = source.labels if source.classes == spec.classes else None
    name = _suitable(source, spec, labels, crop) if command.features == "auto" else command.features
    extractor = _extractor(command, name)
    count = command.count or choice.pictures_for(name, command.device)
    title = f"{'training pictures of ' if its_own else ''}{command.data or (pipeline.info and pipeline.info.data)}"
    real = picture_sets.of_source(source, title, count, seed, spec, crop)
    wanted = picture_sets.asked_labels(labels, spec.classes, count, seed) if pipeline.method.conditional else None
    fake = picture_sets.of_model(pipeline, _averaged(pipeline), count, seed, wanted)
    judge = _Sets(command, asked, team, real, fake, leave_out=its_own)
    if wanted is not None:
        judge = dataclasses.replace(judge, labels=np.array([spec.classes.index(one) for one in wanted]))
    moment = f" at {pipeline.info.images:,} images" if pipeline.info and pipeline.info.images else ""
    judged = judge(f"{path}{moment}", extractor, spec.classes)
    return dataclasses.replace(judged, run=path) if judged and path.is_dir() else judged


def judge_folders(command: Evaluate, asked: Sequence[str], team: Team) -> Judged | None:
    """Measure any two sets of pictures; None on processes other than the first."""
    sources = [data.open(path or "") for path in (command.real, command.fake)]
    real, fake = (
        picture_sets.of_source(source, str(title), command.count or len(source), command.seed)
        for source, title in zip(sources, (command.real, command.fake), strict=True)
    )
    extractor = _extractor(command, "inception" if command.features == "auto" else command.features)
    sizes = {size for source in sources for size in source.sizes}
    words = listing((f"{size.height}x{size.width}" for size in sorted(sizes, key=lambda size: size.height)), 4)
    notes = (
        [f"The pictures differ in size ({words}); each was resized by {extractor.resize}."] if len(sizes) > 1 else []
    )
    return _Sets(command, asked, team, real, fake, notes)(str(command.fake), extractor, ())


def judge_pairs(command: Evaluate, asked: Sequence[str], team: Team) -> Judged | None:
    """Measure each picture of a folder against that of the same name in another; None beside the first process."""
    real, fake = data.open(command.real or ""), data.open(command.fake or "")
    partners, ours = _by_name(real), _by_name(fake)
    alone = [f"{name} (only in {command.fake if name in ours else command.real})" for name in ours.keys() ^ partners]
    if alone:
        raise UserError(f"--paired needs the same names in both folders; without a partner: {listing(sorted(alone))}")
    names = sorted(ours)
    names = [names[i] for i in choose(len(names), command.count or len(names), command.seed)]
    wanted = _some(real, str(command.real), [partners[name] for name in names])
    made = _some(fake, str(command.fake), [ours[name] for name in names])
    sides = [min(size.height, size.width) for size, _ in (real.probe(partners[name]) for name in names)]
    return _compare_pairs(command, str(command.fake), min(sides), (wanted, made), asked, team)


def _judge_translation(
    command: Evaluate, path: Path, pipeline: Pipeline, asked: Sequence[str], team: Team
) -> Judged | None:
    info, spec, seed = pipeline.info, pipeline.spec, command.seed
    if info is None:
        raise UserError(f"{path} does not say what it was trained on: translate pictures with it, and give two folders")
    paired = METHODS.load(info.method).translates == "paired"
    title = command.data or info.data
    held_out = open_pairs(title, paired).held_out
    way = info.settings.get("direction", "AtoB")
    given, target = (held_out.a, held_out.b) if way == "AtoB" else (held_out.b, held_out.a)
    features = choice.pictures_for("inception", command.device)
    count = command.count or (len(target) if paired else min(features, len(given), len(target)))
    entering = dataclasses.replace(spec, channels=spec.channels_in)
    inputs = picture_sets.of_source(given, title, count, seed, entering)
    real = picture_sets.of_source(target, f"held-out pictures of {title}", count, seed, spec)
    fake = PictureSet(
        inputs.count, lambda some: pipeline.translate(inputs.read(some)), inputs.name, f"{_averaged(pipeline)}, {way}"
    )
    who = f"{path} at {info.images:,} images"
    if paired:
        judged = _compare_pairs(command, who, min(spec.height, spec.width), (real, fake), asked, team, inputs)
    else:
        extractor = _extractor(command, "inception" if command.features == "auto" else command.features)
        judged = _Sets(command, asked, team, real, fake)(who, extractor, ())
    return dataclasses.replace(judged, run=path) if judged and path.is_dir() else judged


def _compare_pairs(
    command: Evaluate,
    title: str,
    smallest_side: int,
    sets: tuple[PictureSet, PictureSet],
    asked: Sequence[str],
    team: Team,
    inputs: PictureSet | None = None,
) -> Judged | None:
    build = {"lpips": {"download": command.download, "device": command.device}}
    metrics, left_out = choose_pairs(asked, smallest_side, build)
    if not metrics:
        raise UserError("none of these metrics is one of pairs: choose from lpips, ssim, ms-ssim, psnr, l1")
    with counting("comparing pairs", sets[0].count, team.rank == 0 and not command.json) as progress:
        results, scores, notes = measure_pairs(metrics, *sets, team, progress)
    if team.rank:
        return None
    evaluation = conclude(title, Protocol.of(metrics.values(), *sets, command.seed), results, [*notes, *left_out])
    return Judged(evaluation, *sets, scores=scores, inputs=inputs)


@dataclasses.dataclass(frozen=True)
class _Sets:
    # Two sets on their way to being measured; `leave_out` broken pictures that training has left out, and said so.
    command: Evaluate
    asked: Sequence[str]
    team: Team
    real: PictureSet
    fake: PictureSet
    notes: Sequence[str] = ()
    leave_out: bool = False
    labels: np.ndarray | None = None

    def __call__(self, title: str, extractor: Any, classes: tuple[str, ...]) -> Judged | None:
        command, team, real, fake = self.command, self.team, self.real, self.fake
        for one in (real, fake):
            if one.count < 2:
                raise UserError(f"{one.title} holds {one.count} picture: two are the least that can be compared")
        total = sum(len(range(team.rank, one.count, team.world)) for one in (real, fake))
        with counting("looking at pictures", total, team.rank == 0 and not command.json) as progress:
            seen = (
                see(real, extractor, team, command.skip_broken or self.leave_out, progress),
                see(fake, extractor, team, command.skip_broken, progress),
            )
        if team.rank:
            return None
        notes = [*([extractor.note] if extractor.note else []), *self.notes]
        for one, found in zip((real, fake), seen, strict=True):
            if found.broken:
                notes.append(f"{len(found.broken):,} pictures of {one.title} cannot be read and were left out.")
        genuine, made = seen[0].features, seen[1].features
        labels = None if self.labels is None else self.labels[seen[1].positions]
        evidence = Evidence(genuine, made, labels, classes, extractor.answers)
        protocol = Protocol.of(extractor, real, fake, command.seed)
        protocol = dataclasses.replace(protocol, n_real=len(genuine), n_fake=len(made))
        results = measure_sets(self.asked, evidence, command.seed)
        return Judged(conclude(title, protocol, results, notes), real, fake, seen)


def _real(command: Evaluate, pipeline: Pipeline, path: Path) -> tuple[Source, float, bool]:
    # the real pictures, how much larger training loaded them, and whether they are the ones it was trained on
    crop, its_own = 1.0, pipeline.info.data if pipeline.info else None
    if path.is_dir():
        config = Run(path).read_config()["config"]
        crop, its_own = float(config["crop"]), config["data"]
    if command.data is None and its_own is None:
        raise UserError(f"{path} does not say which pictures it was trained on: give real ones by --data")
    if command.data is None:
        try:
            return data.open(str(its_own)), crop, True
        except UserError as error:
            raise UserError(f"{error} It was trained on these: give real pictures by --data.") from error
    return data.open(command.data), crop, command.data == its_own


def _extractor(command: Evaluate, name: str) -> Any:
    options = {"weights": command.weights, "download": command.download, "device": command.device}
    return choice.build_extractor(name, command.resize, **options)


def _suitable(source: Source, spec: Spec, labels: np.ndarray | None, crop: float) -> str:
    some = picture_sets.of_source(source, "", choice.DIGITS_SEEN, 0, spec, crop)
    chosen = together(choose(len(source), choice.DIGITS_SEEN, 0), source.windows)
    return choice.features_for(spec, lambda: some.read(range(some.count)), None if labels is None else labels[chosen])


def _averaged(pipeline: Pipeline) -> str:
    if pipeline.info is None or pipeline.info.ema is None:
        return "weights as they are in the file"
    return f"EMA of {pipeline.info.ema:,} images" if pipeline.info.ema else "no EMA"


def _by_name(source: Source) -> dict[str, int]:
    return {Path(source.name(i)).with_suffix("").as_posix(): i for i in range(len(source))}


def _some(source: Source, title: str, indices: list[int]) -> PictureSet:
    def one(index: int) -> np.ndarray:
        picture = source.read(index)
        return images.as_array(images.convert(picture, 3) if picture.mode == "RGBA" else picture)

    def read(some: Sequence[int]) -> list[np.ndarray]:
        return [one(indices[position]) for position in some]

    key = f"{source.fingerprint} {indices}"
    return PictureSet(len(indices), read, lambda i: source.name(indices[i]), title, key=key, background=True)
