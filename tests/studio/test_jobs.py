"""Trainings that the studio starts: the same command, one at a time, stopped and continued."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import pytest

import tiny
from limner import cli
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.studio import OUTSIDE
from limner.studio import jobs as module
from limner.studio.jobs import Jobs, command, continuing

# Stands for `limner`, which takes seconds to start: does what its words say
CHILD = """
import json, os, pathlib, sys, time
what, mark = sys.argv[1], pathlib.Path(sys.argv[2])
if what == "wrong":
    sys.exit("limner: /data/cats: there is no such folder")
mark.write_text(json.dumps(dict(os.environ)))
while what == "wait" and not mark.with_suffix(".go").exists():
    time.sleep(0.01)
"""


@pytest.mark.parametrize("preset", tiny.PRESETS)
def test_the_words_mean_the_config(
    preset: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.config(preset, pictures)
    parsed = []
    monkeypatch.setattr("limner.commands.train.train", parsed.append)
    cli.main(command(config, tmp_path / "run"))
    assert parsed[0].config == config and parsed[0].out == tmp_path / "run"


def test_continuing_a_run_means_its_config(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, note = continuing(Run(models / "discs"))
    parsed = []
    monkeypatch.setattr("limner.commands.train.train", parsed.append)
    cli.main(words)
    assert parsed[0].config.preset == "dcgan" and parsed[0].out == models / "discs"
    assert dataclasses.asdict(parsed[0].config)["batch"] == tiny.BATCH and not note


def test_a_run_of_a_gpu_that_is_gone_goes_on_with_what_there_is(models: Path, tmp_path: Path) -> None:
    run, content = Run(tmp_path / "run"), Run(models / "discs").read_config()
    content["config"]["engine"]["device"] = "mps" if sys.platform != "darwin" else "cuda"
    run.write_config(content)
    words, note = continuing(run)
    assert "--device" not in words and "goes on with what is" in note


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """A queue whose trainings are small programs."""
    child = tmp_path / "child.py"
    child.write_text(CHILD)
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, "-S", str(child)))
    return Jobs(tmp_path / "runs" / ".studio", tmp_path / "runs")


def until(jobs: Jobs, states: list[str]) -> None:
    """Wait until the queue is that: "trains", "waits" or "failed" for each."""
    for _ in range(600):
        seen = ["failed" if job.failed else "trains" if job.pid else "waits" for job in jobs.tend()]
        if seen == states:
            return
        time.sleep(0.05)
    raise AssertionError(f"still {jobs.tend()}")


def test_one_trains_the_other_waits_and_both_end(jobs: Jobs, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    jobs.ask("one", ["wait", str(one)])
    jobs.ask("two", ["go", str(two)])
    until(jobs, ["trains", "waits"])
    with pytest.raises(UserError, match="waits for its turn"):
        jobs.ask("two", [])
    again = Jobs(jobs.file.parent, jobs.runs)  # the studio closes and opens again while it trains
    assert [job.run for job in again.tend()] == ["one", "two"] and not two.exists()
    one.with_suffix(".go").touch()
    until(again, [])
    assert two.is_file() and not again.busy("one")


def test_a_training_has_the_persons_environment_not_the_pages(jobs: Jobs, tmp_path: Path) -> None:
    pytest.importorskip("limner.studio.app", reason="needs Gradio: pip install 'limner[studio]'")
    jobs.ask("one", ["go", str(tmp_path / "one")])
    until(jobs, [])
    its = json.loads((tmp_path / "one").read_text())
    for name in ("HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED"):  # a set of the hub has to be reached
        assert name in os.environ and its.get(name) == OUTSIDE.get(name)


def test_what_went_wrong_is_told_and_does_not_keep_the_others(jobs: Jobs, tmp_path: Path) -> None:
    jobs.ask("cats", ["wrong", str(tmp_path / "cats")])
    jobs.ask("dogs", ["go", str(tmp_path / "dogs")])
    until(jobs, ["failed"])
    assert jobs.tend()[0].failed == "/data/cats: there is no such folder" and (tmp_path / "dogs").is_file()
    jobs.ask("cats", ["go", str(tmp_path / "cats")])  # mended
    until(jobs, [])


def test_a_failed_one_is_forgotten_when_one_says_so(jobs: Jobs, tmp_path: Path) -> None:
    jobs.ask("cats", ["wrong", str(tmp_path / "cats")])
    until(jobs, ["failed"])
    assert jobs.stop("cats") == "cats is forgotten." and not jobs.tend()


def test_one_that_is_killed_says_so(jobs: Jobs, tmp_path: Path) -> None:
    jobs.ask("one", ["wait", str(tmp_path / "one")])
    os.kill(jobs.tend()[0].pid, 9)
    until(jobs, ["failed"])
    assert "ended from outside (signal 9)" in jobs.tend()[0].failed


def test_stopped_it_saves_and_what_waits_is_taken_out(pictures: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    jobs = Jobs(runs / ".studio", runs)
    long = tiny.flags(tiny.command("dcgan", pictures, runs / "one", images=200_000, save_every=200_000))
    jobs.ask("one", long)
    jobs.ask("two", ["train"])
    assert "no longer waits" in jobs.stop("two")
    run = Run(runs / "one")
    while not run.metrics_file.is_file():
        assert not jobs.tend()[0].failed, jobs.last_words("one")
        time.sleep(0.1)
    assert jobs.busy("one")
    assert "saves and stops" in jobs.stop("one")
    until(jobs, [])
    assert "all is saved" in jobs.last_words("one") or list(run.checkpoints.glob("*.pt"))
    with pytest.raises(UserError, match="not training"):
        jobs.stop("one")


def test_a_process_that_ended_is_not_taken_for_another_of_its_number(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / ".studio", tmp_path)
    jobs.file.write_text(f'[{{"run": "one", "words": [], "pid": {os.getpid()}, "born": "1"}}]')
    assert jobs.tend() == []


def test_a_damaged_queue_is_an_empty_one(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / ".studio", tmp_path)
    jobs.file.write_text("{")
    assert jobs.tend() == []
