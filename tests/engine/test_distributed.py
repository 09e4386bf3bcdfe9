"""Many processes: the same command under torchrun, the same gradient as one process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tiny
from engine import averaging, every_method, leaving
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.engine.distributed import Ranks
from limner.methods import METHODS


def torchrun(*words: str) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    folder = str(Path(__file__).parent.parent)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": folder}
    return subprocess.run(
        [sys.executable, *launch, "--master-port", str(port), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_two_halves_average_to_the_whole(tmp_path: Path) -> None:
    done = torchrun(averaging.__file__, str(tmp_path))
    assert done.returncode == 0, done.stderr
    whole = averaging.one_update(averaging.batch())
    half = averaging.one_update(averaging.batch()[:8])
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, expected in whole.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], expected, rtol=1e-5, atol=1e-6)
    # or averaging would not be seen
    assert not all(torch.allclose(half[name], whole[name], rtol=1e-5, atol=1e-6) for name in whole)


def test_nothing_of_the_group_outlives_it() -> None:
    done = torchrun(leaving.__file__)
    assert done.returncode == 0, done.stderr


def test_same_command_on_two_processes(pictures: Path, tmp_path: Path) -> None:
    runs = []
    for name in ("once", "twice"):
        words = tiny.flags(tiny.command("dcgan", pictures, tmp_path / name, save_every=2 * tiny.BATCH, frames=4))
        done = torchrun("-m", "limner", *words)
        assert done.returncode == 0, done.stderr
        runs.append(tmp_path / name)
    assert not tiny.differences(tiny.fingerprint(runs[0]), tiny.fingerprint(runs[1]))
    lines = [line for line in Run(runs[0]).metrics() if line["kind"] == "log"]
    assert [line["images"] for line in lines] == [8 * (i + 1) for i in range(8)]  # once each, by rank 0
    assert Run(runs[0]).read_config()["resolved"]["world"] == 2


def test_killed_on_two_processes_continues(pictures: Path, tmp_path: Path) -> None:
    command = tiny.command("dcgan", pictures, tmp_path / "run", save_every=2 * tiny.BATCH, frames=4)
    straight = tiny.command("dcgan", pictures, tmp_path / "straight", save_every=2 * tiny.BATCH, frames=4)
    for one in (command, straight):
        done = torchrun("-m", "limner", *tiny.flags(one))
        assert done.returncode == 0, done.stderr
    newest = sorted((command.out / "checkpoints").glob("*.pt"))[-1]
    newest.unlink()  # as if it had been killed after the one before
    done = torchrun("-m", "limner", *tiny.flags(command))
    assert done.returncode == 0, done.stderr
    assert not tiny.differences(tiny.fingerprint(straight.out), tiny.fingerprint(command.out))


def test_every_method_keeps_two_processes_alike(pictures: Path, tmp_path: Path) -> None:
    tiny.pairs_of(pictures), tiny.classes_of(pictures, ("even", "odd"))  # before two processes do so at once
    done = torchrun(every_method.__file__, str(pictures), str(tmp_path))
    assert done.returncode == 0, done.stderr
    for method in METHODS.names():
        first, second = (torch.load(tmp_path / f"{method}-{rank}.pt", weights_only=True) for rank in (0, 1))
        assert first and all(torch.equal(one, other) for one, other in zip(first, second, strict=True)), method


def test_batch_must_divide() -> None:
    with pytest.raises(UserError, match="multiple of 4: try --batch 12"):
        Ranks(0, 4).share(13)
