"""NaN never reaches a checkpoint; what looks wrong is said in words, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from limner.commands.train import train
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.engine.health import Health
from limner.engine.state import Checkpoints
from limner.engine.training import Training


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a step at a given image count give NaN: in a loss, or in a weight; `times` of them."""
    step = Training.step

    def arm(at: int, where: str, times: int) -> list[int]:
        happened: list[int] = []

        def poisoned(self: Training, batch: Any) -> None:
            bad = self.clock.images >= at and len(happened) < times
            if bad and where == "loss":
                batch = {**batch, "image": batch["image"] * float("nan")}
            step(self, batch)
            if bad:
                happened.append(self.clock.images)
                if where == "weight":
                    with torch.no_grad():
                        next(self.method.nets["G"].parameters())[0].fill_(float("inf"))

        monkeypatch.setattr(Training, "step", poisoned)
        return happened

    return arm


@pytest.mark.parametrize("where", ["loss", "weight"])
def test_rolls_back_once_with_half_the_rate(where: str, pictures: Path, tmp_path: Path, poison: Any) -> None:
    happened = poison(100, where, 1)
    command = tiny.command("dcgan", pictures, tmp_path / "run", 240, save_every=48)
    train(command)
    run = Run(command.out)
    assert happened
    findings = [line for line in run.metrics() if line["kind"] == "health" and "went back" in line["word"]]
    assert len(findings) == 1 and findings[0]["images"] == 96 and "halved" in findings[0]["advice"]
    rates = {line["images"]: line["lr/G"] for line in run.metrics() if line["kind"] == "log"}
    assert rates[96] == 2e-4 and rates[104] == 1e-4 and rates[240] == 1e-4
    assert len(rates) == 30, "every moment is logged once"
    content = Checkpoints(run.checkpoints).latest()
    assert content is not None
    state = torch.load(__import__("io").BytesIO(content), weights_only=True)
    assert all(tensor.isfinite().all() for net in state["nets"].values() for tensor in net.values())


def test_gives_up_the_second_time_and_keeps_the_last_good(pictures: Path, tmp_path: Path, poison: Any) -> None:
    poison(100, "loss", 99)
    command = tiny.command("dcgan", pictures, tmp_path / "run", 240, save_every=48)
    with pytest.raises(UserError, match=r"diverged again.*lower learning rates"):
        train(command)
    run = Run(command.out)
    content = Checkpoints(run.checkpoints).latest()
    assert content is not None
    state = torch.load(__import__("io").BytesIO(content), weights_only=True)
    assert state["images"] == 96 and state["rollbacks"] == 1
    assert all(tensor.isfinite().all() for net in state["nets"].values() for tensor in net.values())


def real() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 1, 8, 8), dtype=np.uint8)


def test_discriminator_has_won_is_said_once() -> None:
    health = Health(real())
    said = [health.see_scalars({"accuracy/real": 1.0, "accuracy/fake": 0.99}) for _ in range(60)]
    words = [finding.word for findings in said for finding in findings]
    assert words == ["discriminator has won"] and said[Health.WON_FOR - 1]
    assert not health.see_scalars({"accuracy/real": 0.8, "accuracy/fake": 0.9})
    again = [f for _ in range(30) for f in health.see_scalars({"accuracy/real": 1.0, "accuracy/fake": 1.0})]
    assert len(again) == 1, "after it had gone, it is news"


def test_a_fair_fight_is_no_finding() -> None:
    health = Health(real())
    assert not [f for _ in range(100) for f in health.see_scalars({"accuracy/real": 0.9, "accuracy/fake": 0.97})]
    assert not [f for _ in range(100) for f in health.see_scalars({"accuracy/real": 0.97, "accuracy/fake": 0.96})]
    assert [f for _ in range(30) for f in health.see_scalars({"accuracy/real": 0.99, "accuracy/fake": 0.975})]
    assert not health.see_scalars({"loss/G": 1.0})


def test_collapse_needs_variety_that_fell() -> None:
    health = Health(real())
    pictures = real()
    assert not health.see_samples(pictures, 5_000)
    one = np.repeat(pictures[:1], 32, axis=0)
    assert not health.see_samples(one, 5_000), "so a generator begins whose turn comes after an autoencoder's"
    assert not health.see_samples(pictures, 5_000)
    assert not health.see_samples(one, 5_000)
    resumed = Health(real())
    resumed.load_state_dict(health.state_dict())
    for watcher in (health, resumed):
        assert [finding.word for finding in watcher.see_samples(one, 5_000)] == ["generator collapsed"]
    fresh = Health(real())
    assert not [f for _ in range(9) for f in fresh.see_samples(one, 5_000)], "what never had variety has not collapsed"


def test_flat_and_saturated_outputs() -> None:
    health = Health(real())
    flat = np.full((32, 1, 8, 8), 128, np.uint8)
    words = [finding.word for _ in range(Health.FLAT_FOR) for finding in health.see_samples(flat, 5_000)]
    assert words == ["outputs constant"]
    assert not [f for _ in range(9) for f in Health(real()).see_samples(flat, 500)], "every run begins so"
    black_and_white = np.where(real() > 127, 255, 0).astype(np.uint8)
    assert [finding.word for finding in Health(real()).see_samples(black_and_white, 5_000)] == ["outputs saturated"]
    assert not Health(black_and_white).see_samples(black_and_white, 5_000), "the data itself is black and white"


def test_memory_survives_a_resume() -> None:
    health = Health(real())
    for _ in range(Health.WON_FOR - 1):
        health.see_scalars({"accuracy/real": 1.0, "accuracy/fake": 1.0})
    resumed = Health(real())
    resumed.load_state_dict(health.state_dict())
    assert resumed.see_scalars({"accuracy/real": 1.0, "accuracy/fake": 1.0})
