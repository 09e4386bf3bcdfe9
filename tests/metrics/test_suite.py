"""Sets are seen once, by any number of processes, and their numbers say how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.core.errors import UserError
from limner.metrics import FEATURES, METRICS, seeing
from limner.metrics.metric import Evidence, Extractor, Features, PairMetric, SetMetric
from limner.metrics.pictures import PictureSet, choose
from limner.metrics.protocol import Protocol, headline
from limner.metrics.suite import choose_pairs, choose_sets, conclude, measure_pairs, measure_sets


class Means(Extractor):
    """Sees the mean of every colour, and counts what it is shown."""

    name, weights, resize, dimensions = "means", "00000000", "none", 3

    def __init__(self) -> None:
        self.shown = 0

    def extract(self, pictures: Sequence[np.ndarray]) -> Features:
        self.shown += len(pictures)
        return Features(np.stack([picture.mean((0, 1)) for picture in pictures]).astype(np.float32))


def pictures(count: int, seed: int = 0, broken: Sequence[int] = (), **more: Any) -> PictureSet:
    drawn = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)

    def read(some: Sequence[int]) -> list[np.ndarray]:
        for position in some:
            if position in broken:
                raise UserError(f"{position}.png: cut short")
        return [drawn[position] for position in some]

    return PictureSet(count, read, lambda position: f"{position}.png", "a set", **more)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_registered_metric_keeps_the_contract() -> None:
    for name in METRICS.names():
        metric = METRICS.load(name)
        assert issubclass(metric, SetMetric | PairMetric), name
        assert metric.better in ("lower", "higher")
    for name in FEATURES.names():
        assert issubclass(FEATURES.load(name), Extractor), name


def test_a_set_is_seen_once_and_kept(cache: Path) -> None:
    eye = Means()
    some = pictures(150, key="these", stamp="1")
    first = seeing.see(some, eye)
    assert eye.shown == 150
    again = seeing.see(some, eye)
    assert eye.shown == 150
    assert np.array_equal(first.features.vectors, again.features.vectors)
    seeing.see(pictures(150, key="these", stamp="2"), eye)  # a file was written anew
    assert eye.shown == 300
    for file in cache.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(seeing.see(some, eye).features.vectors, first.features.vectors)
    assert eye.shown == 450


def test_what_cannot_be_known_again_is_not_kept(cache: Path) -> None:
    eye = Means()
    for _ in range(2):
        seeing.see(pictures(10), eye)
    assert eye.shown == 20
    assert not list(cache.rglob("*.npz"))


@pytest.mark.parametrize("background", [False, True])
def test_three_processes_see_what_one_sees(background: bool) -> None:
    some = pictures(200, broken=[7, 100], background=background)
    alone = seeing.see(some, Means(), skip_broken=True)
    parts = [
        seeing._look(some, Means(), range(rank, 200, 3), True, None)  # what each of three would find
        for rank in range(3)
    ]
    together = seeing._join(parts)
    assert np.array_equal(alone.features.vectors, together.features.vectors)
    assert np.array_equal(alone.positions, together.positions)
    assert len(alone.positions) == 198 and 7 not in alone.positions


def test_broken_pictures_are_all_named_and_refused() -> None:
    eye = Means()
    with pytest.raises(
        UserError, match=r"2 of 150 pictures of a set cannot be read: 3.png: cut short, 140.png"
    ) as error:
        seeing.see(pictures(150, broken=[3, 140]), eye)
    assert "--skip-broken" in str(error.value)
    assert eye.shown == 0  # nothing was computed that would be thrown away


def test_pictures_are_chosen_by_the_seed_alone() -> None:
    assert np.array_equal(choose(1000, 50, 3), choose(1000, 50, 3))
    assert not np.array_equal(choose(1000, 50, 3), choose(1000, 50, 4))
    assert np.array_equal(choose(5, 50, 3), np.arange(5))


def evidence(labels: bool = False, logits: bool = False) -> Evidence:
    draw = np.random.default_rng(0)

    def features() -> Features:
        return Features(
            draw.normal(size=(60, 8)).astype(np.float32),
            draw.normal(size=(60, 3)).astype(np.float32) if logits else None,
        )

    return Evidence(features(), features(), np.arange(60) % 3 if labels else None, ("a", "b", "c"), ("a", "b", "c"))


def test_all_that_can_be_measured_is() -> None:
    keys = {result.key for result in measure_sets((), evidence())}
    assert {"fid", "kid", "precision", "recall", "density", "coverage", "memorisation"} == keys
    keys |= {result.key for result in measure_sets((), evidence(labels=True, logits=True))}
    assert {"is", "accuracy"} < keys


@pytest.mark.parametrize(("name", "word"), [("is", "classifier"), ("accuracy", "classifier")])
def test_a_metric_that_cannot_be_measured_is_refused_by_name(name: str, word: str) -> None:
    with pytest.raises(UserError, match=f"--metrics {name}: .*{word}"):
        choose_sets([name], evidence())


def test_kid_leads_below_ten_thousand_pictures() -> None:
    assert headline(["fid", "kid"], 10_000, 10_000) == ("fid", "")
    key, reason = headline(["fid", "kid"], 10_000, 9_999)
    assert key == "kid" and "9,999" in reason and "10,000" in reason
    assert headline(["fid"], 100, 100)[0] == "fid"
    assert headline(["ssim", "l1"], 100, 100) == ("ssim", "")


def test_the_protocol_says_all_that_decides_a_number() -> None:
    real, fake = pictures(40, key="these", total=60_000), pictures(40, key="")
    protocol = Protocol.of(Means(), real, fake, 3)
    for word in ("means 00000000 none", "real 40 of 60,000", real.digest, "generated 40", "seed 3", "a set"):
        assert word in protocol.line
    assert Protocol.of(Means(), pictures(40, key="others"), fake, 3).how != protocol.how
    evaluation = conclude("it", protocol, measure_sets(["fid", "kid"], evidence()))
    assert evaluation.headline.key == "kid" and evaluation["kid"] == evaluation.headline.value
    assert "10,000" in evaluation.notes[0]


def test_pairs_of_other_sizes_and_channels_are_brought_together() -> None:
    small = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    fake = PictureSet(3, lambda some: [small[i] for i in some], str, "small grey")
    metrics, _ = choose_pairs(["psnr", "l1"], 16, {})
    results, scores, notes = measure_pairs(metrics, pictures(3), fake)
    assert [result.key for result in results] == ["psnr", "l1"]
    assert all(len(one) == 3 for one in scores.values())
    assert len(notes) == 2 and "scaled" in notes[0]
    assert results[1].value == pytest.approx(scores["l1"].mean())


def test_pair_metrics_that_need_larger_pictures_are_left_out_or_refused() -> None:
    chosen, notes = choose_pairs((), 20, {})
    assert list(chosen) == ["ssim", "psnr", "l1"]
    assert "161 x 161" in notes[1] and "31 x 31" in notes[0]
    with pytest.raises(UserError, match="ms-ssim: it needs pictures of at least 161 x 161 px"):
        choose_pairs(["ms-ssim"], 64, {})
