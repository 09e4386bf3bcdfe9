"""Trainings that the studio starts: the same command, one at a time, stopped and continued."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import tiny
from limner import cli
from limner.commands.train import train
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.studio.jobs import Jobs, command, continuing


@pytest.mark.parametrize("preset", tiny.PRESETS)
def test_the_words_mean_the_config(
    preset: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.config(preset, pictures)
    parsed = []
    monkeypatch.setattr("limner.commands.train.train", parsed.append)
    cli.main(command(config, tmp_path / "run"))
    assert parsed[0].config == config and parsed[0].out == tmp_path / "run"


def test_continuing_a_run_means_its_config(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tiny.command("dcgan", pictures, tmp_path / "run")
    train(asked)
    parsed = []
    monkeypatch.setattr("limner.commands.train.train", parsed.append)
    cli.main(continuing(Run(tmp_path / "run")))
    assert parsed[0].config == asked.config


def wait(jobs: Jobs, until: int) -> None:
    """Let trainings go on until that many are left."""
    for _ in range(3000):
        if len(jobs.tend()) <= until:
            return
        time.sleep(0.1)
    raise AssertionError(f"still {jobs.tend()}: {jobs.last_words('one')}")


def test_one_trains_the_other_waits_and_both_end(pictures: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    jobs = Jobs(runs / ".studio", runs)
    for name in ("one", "two"):
        jobs.ask(name, tiny.flags(tiny.command("dcgan", pictures, runs / name, images=2 * tiny.BATCH, frames=1)))
    first, second = jobs.tend()
    assert first.pid and not second.pid
    with pytest.raises(UserError, match="waits for its turn"):
        jobs.ask("two", [])
    again = Jobs(runs / ".studio", runs)  # the studio closes and opens again while it trains
    assert [job.run for job in again.tend()] == ["one", "two"]
    wait(again, 0)
    assert all((runs / name / "model.safetensors").is_file() for name in ("one", "two"))
    assert not jobs.busy("one")


def test_stopped_it_saves_and_what_waits_is_taken_out(pictures: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    jobs = Jobs(runs / ".studio", runs)
    long = tiny.flags(tiny.command("dcgan", pictures, runs / "one", images=8_000_000, save_every=8_000_000))
    jobs.ask("one", long)
    jobs.ask("two", ["train"])
    assert "no longer waits" in jobs.stop("two")
    run = Run(runs / "one")
    while not run.metrics_file.is_file():
        assert jobs.tend(), jobs.last_words("one")
        time.sleep(0.1)
    assert jobs.busy("one")
    assert "saves and stops" in jobs.stop("one")
    wait(jobs, 0)
    assert "all is saved" in jobs.last_words("one") or list(run.checkpoints.glob("*.pt"))
    with pytest.raises(UserError, match="not training"):
        jobs.stop("one")


def test_a_process_that_ended_is_not_taken_for_another_of_its_number(tmp_path: Path) -> None:
    import os

    jobs = Jobs(tmp_path / ".studio", tmp_path)
    jobs.file.write_text(f'[{{"run": "one", "words": [], "pid": {os.getpid()}, "born": "1"}}]')
    assert jobs.tend() == []


def test_a_damaged_queue_is_an_empty_one(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / ".studio", tmp_path)
    jobs.file.write_text("{")
    assert jobs.tend() == []
