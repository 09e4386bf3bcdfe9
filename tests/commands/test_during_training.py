"""What a run that learns from pairs says of itself: held-out numbers, and the best checkpoint by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import tiny
from limner.commands.train import train
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.data.pairs import open_pairs
from limner.inference import load

EVERY = 16


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "pairs"
    return train(tiny.command("pix2pix", pictures, out, images=80, evaluate_every=EVERY))


def evaluations(run: Run) -> list[dict[str, float]]:
    return [line for line in run.metrics() if line["kind"] == "evaluation"]


def test_held_out_numbers_reach_the_metrics(run: Run) -> None:
    lines = evaluations(run)
    assert [line["images"] for line in lines] == [16, 32, 48, 64, 80]
    for line in lines:
        assert line["headline"] == "l1"
        assert {"metric/l1", "metric/psnr", "metric/ssim"} <= line.keys()
        assert line["metric/l1"] > 0 and 0 < line["metric/psnr"] < 60 and -1 <= line["metric/ssim"] <= 1
    assert len({line["protocol"] for line in lines}) == 1, "all are of the same pictures"


def test_the_last_numbers_are_those_of_the_model_file(run: Run, pictures: Path) -> None:
    held_out = open_pairs(str(tiny.pairs_of(pictures)), paired=True).held_out
    size = (tiny.SIZE, tiny.SIZE)

    def read(side: str) -> list[np.ndarray]:
        source = getattr(held_out, side)
        scaled = [source.read(i).resize(size, Image.Resampling.BICUBIC) for i in range(len(source))]
        return [np.asarray(one) for one in scaled]

    made = load(run.folder).translate(read("a"))
    distance = np.mean([np.abs(m.astype(float) - t).mean() for m, t in zip(made, read("b"), strict=True)])
    said = evaluations(run)[-1]["metric/l1"]
    assert distance / said == pytest.approx(1, abs=1e-3) or distance / 255 / said == pytest.approx(1, abs=1e-3)


def test_the_best_checkpoint_is_kept_by_l1(run: Run) -> None:
    lines = evaluations(run)
    best = min(lines, key=lambda line: line["metric/l1"])
    assert load(run.best_file).info.images == best["images"]
    if best is lines[-1]:
        kept, last = load_file(run.best_file), load_file(run.model_file)
        assert all((kept[name] == last[name]).all() for name in last)


def test_another_headline_may_be_asked_for(pictures: Path, tmp_path: Path) -> None:
    import dataclasses

    def command(best: str, out: Path) -> object:
        made = tiny.command("pix2pix", pictures, out, images=48, evaluate_every=EVERY)
        return dataclasses.replace(made, keep=dataclasses.replace(made.keep, best=best))

    run = train(command("ssim", tmp_path / "run"))  # type: ignore[arg-type]
    lines = evaluations(run)
    assert {line["headline"] for line in lines} == {"ssim"}
    best = max(lines, key=lambda line: line["metric/ssim"])
    assert load(run.best_file).info.images == best["images"]
    with pytest.raises(UserError, match="unknown result for --best"):
        train(command("fid", tmp_path / "other"))  # type: ignore[arg-type]


def test_unpaired_sets_have_no_truth_to_measure_by(pictures: Path, tmp_path: Path) -> None:
    run = train(tiny.command("cyclegan", pictures, tmp_path / "run", images=16, evaluate_every=8))
    assert not evaluations(run) and not run.best_file.exists()
