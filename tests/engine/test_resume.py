"""Resume is exact by construction: straight through, or killed anywhere and started again, bit for bit the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tiny
from limner import presets
from limner.commands.train import train
from limner.core.runs import Run

IMAGES = 20 * tiny.BATCH
ONE_OF_EACH_METHOD = sorted({presets.get(preset).method: preset for preset in reversed(tiny.PRESETS)}.values())


@pytest.mark.parametrize("preset", tiny.PRESETS)
def test_killed_run_equals_straight_run(preset: str, pictures: Path, tmp_path: Path, kill_at: Any) -> None:
    straight = tiny.command(preset, pictures, tmp_path / "straight", IMAGES, save_every=5 * tiny.BATCH)
    train(straight)
    broken = tiny.command(preset, pictures, tmp_path / "broken", IMAGES, save_every=5 * tiny.BATCH)
    for number in (13, 3, 9):  # from 0, from 80 images, from 80 again
        kill_at(number)
        with pytest.raises(tiny.Killed):
            train(broken)
    kill_at(-1)
    train(broken)
    assert not tiny.differences(tiny.fingerprint(straight.out), tiny.fingerprint(broken.out))


@pytest.mark.parametrize("preset", ONE_OF_EACH_METHOD)
def test_sigkill_at_random_moments(preset: str, pictures: Path, tmp_path: Path) -> None:
    """Real processes, real kills, a checkpoint after every step so that many fall into a write; 0, 1 and 2 workers."""
    straight = tiny.command(preset, pictures, tmp_path / "straight", IMAGES, frames=4)
    train(straight)
    moments = random.Random(preset)
    for workers in (0, 1 + tiny.PRESETS.index(preset) % 2):
        broken = tiny.command(
            preset, pictures, tmp_path / "broken", IMAGES, save_every=tiny.BATCH, frames=4, keep=3, workers=workers
        )
        process = start(tiny.flags(broken))
        wait_for_progress(process, broken.out, moments.randrange(1, IMAGES // 3))
        time.sleep(moments.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run_to_end(tiny.flags(broken)) == 0
    assert not list(broken.out.rglob("*.tmp"))
    assert not tiny.differences(tiny.fingerprint(straight.out), tiny.fingerprint(broken.out))


def test_ctrl_c_saves_and_says_so(pictures: Path, tmp_path: Path) -> None:
    command = tiny.command("dcgan", pictures, tmp_path / "run", 100_000, save_every=50_000)
    words = [word if word != "quiet" else "auto" for word in tiny.flags(command)]
    process = start(words, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(line["kind"] == "log" for line in Run(command.out).metrics()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"The same command goes on from here" in errors and b"Traceback" not in errors
    newest = max(int(path.name[:12]) for path in (command.out / "checkpoints").glob("*.pt"))
    assert 0 < newest < 50_000
    assert (command.out / "report.html").is_file()


def test_finished_run_says_so_and_changes_nothing(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = tiny.command("dcgan", pictures, tmp_path / "run")
    train(command)
    before = {path: path.stat().st_mtime_ns for path in command.out.rglob("*") if path.is_file()}
    import dataclasses

    train(dataclasses.replace(command, show="auto"))
    assert "is finished" in capfd.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in command.out.rglob("*") if path.is_file()} == before


def start(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "limner", *words], env=environment, **options)


def run_to_end(words: list[str]) -> int:
    return start(words).wait(timeout=120)


def wait_for_progress(process: subprocess.Popen[bytes], out: Path, images: int) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if any(int(path.name[:12]) >= images for path in (out / "checkpoints").glob("*.pt")):
            return
        time.sleep(0.005)
