"""`limner evaluate`: how good a model is, or how alike two folders are, in numbers that say how they were made."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from limner.core import files
from limner.core.console import print_data, say
from limner.core.errors import UserError, unknown
from limner.core.version import VERSION

if TYPE_CHECKING:
    from limner.commands.judged import Judged
    from limner.metrics.suite import Evaluation


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Say how good a model is, or how alike two folders are; every number says how it was made."""

    model: Annotated[Positional[Path | None], arg(metavar="RUN|MODEL")] = None
    """run folder, model.safetensors or .onnx file"""
    data: str | None = None
    """pictures to measure the model against; auto: those it was trained on"""
    fake: Annotated[str | None, arg(metavar="DIR")] = None
    """instead of a model: a folder of generated pictures, with --real"""
    real: Annotated[str | None, arg(metavar="DIR")] = None
    """a folder of real pictures, with --fake"""
    paired: bool = False
    """compare each picture of --fake with the one of the same name in --real"""
    metrics: str = ""
    """some of fid, kid, is, prdc, memorisation, accuracy, with commas; for pairs lpips, ssim, ms-ssim, psnr, l1"""
    count: int | None = None
    """pictures of each side; auto: 10,000, or 1,000 for the Inception on a CPU; a whole folder with --fake"""
    seed: int = 0
    """first seed of the generated pictures, and what decides which real ones are drawn"""
    features: Literal["auto", "inception", "digits", "random"] = "auto"
    """what sees the pictures; auto: a digit classifier for digits of 28 px, else the Inception of FID"""
    resize: Literal["pytorch-fid", "torch-fidelity", "clean"] = "pytorch-fid"
    """whose way of bringing pictures to the Inception's 299 px to follow"""
    weights: Path | None = None
    """file of the Inception's weights; auto: looked for below LIMNER_DATA and in the cache"""
    download: bool = False
    """fetch weights that are not here"""
    samples: Path | None = None
    """also write the generated pictures into this folder"""
    out: Path | None = None
    """folder for evaluation.html and evaluation.json; auto: the run folder, else none"""
    json: bool = False
    """print one JSON object instead of a table"""
    skip_broken: bool = False
    """leave out pictures that cannot be read"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    """where to compute"""


def evaluate(command: Evaluate) -> Evaluation | None:
    """Measure, show and return the numbers (None on processes other than the first); UserError for a mistake."""
    judged = measure(command)
    if judged is None:
        return None
    _show(command, judged)
    return judged.evaluation


def measure(command: Evaluate) -> Judged | None:
    """Measure without showing; None on processes other than the first. UserError for a mistake."""
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner.commands import judging
    from limner.engine.distributed import gather, ranks
    from limner.metrics.seeing import Team

    asked = _metrics(command)
    if (command.model is None) == (command.fake is None) or (command.fake is None) != (command.real is None):
        raise UserError("give a run folder or a model file, or two folders of pictures by --fake DIR --real DIR")
    if command.count is not None and command.count < 2:
        raise UserError(f"--count {command.count}: two pictures are the least that can be compared")
    with ranks(command.device) as here:
        team = Team(here.rank, here.world, gather)
        if command.model is not None:
            return judging.judge_model(command, command.model, asked, team)
        return (judging.judge_pairs if command.paired else judging.judge_folders)(command, asked, team)


def _metrics(command: Evaluate) -> tuple[str, ...]:
    from limner.metrics import METRICS

    names = tuple(name.strip() for name in command.metrics.split(",") if name.strip())
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS.names())
    return names


def _show(command: Evaluate, judged: Judged) -> None:
    from limner.report.evaluation import print_table, write_evaluation

    written = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    content = {"limner": VERSION, "written": written, **judged.evaluation.to_dict()}
    if command.samples is not None:
        judged.save_samples(command.samples)
    folder, page = command.out or judged.run, None
    if folder is not None:
        files.write_text(folder / "evaluation.json", json.dumps(content, indent=2) + "\n")
        page = write_evaluation(folder / "evaluation.html", content, judged.sheet(), judged.nearest(), judged.worst())
    if command.json:
        print_data(json.dumps(content, allow_nan=False))
    else:
        print_table(content)
    if page is not None:
        say(f"See {page}")
