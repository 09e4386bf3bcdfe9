"""The engine's switches change speed and not what a method sees: each is tried with real steps."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

import tiny
from limner.commands.train import train
from limner.core.runs import Run


@pytest.mark.filterwarnings("ignore")  # PyTorch's compiler warns of PyTorch
@pytest.mark.parametrize(
    "switch",
    [
        {"precision": "bf16"},
        {"channels_last": "on"},
        {"fused": "off"},
        pytest.param(
            {"compile": "on"}, marks=pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
        ),
    ],
    ids=str,
)
def test_switch_trains_and_is_recorded(switch: dict[str, str], pictures: Path, tmp_path: Path) -> None:
    plain = tiny.command("dcgan", pictures, tmp_path / "plain", 24)
    train(plain)
    switched = tiny.command("dcgan", pictures, tmp_path / "switched", 24, **switch)
    train(switched)
    name, value = next(iter(switch.items()))
    recorded = Run(switched.out).read_config()["resolved"]["machine"]
    assert recorded[name] == {"on": True, "off": False}.get(value, value)
    curves = [[line["loss/D"] for line in Run(out).metrics()] for out in (plain.out, switched.out)]
    assert all(math.isclose(a, b, rel_tol=0.05) for a, b in zip(*curves, strict=True)), curves


def test_a_resume_repeats_the_switches(pictures: Path, tmp_path: Path) -> None:
    command = tiny.command("dcgan", pictures, tmp_path / "run", 48, precision="bf16", fused="off")
    train(command)
    machine = Run(command.out).read_config()["resolved"]["machine"]
    train(command)
    assert Run(command.out).read_config()["resolved"]["machine"] == machine
    assert (machine["precision"], machine["fused"], machine["threads"]) == ("bf16", False, 1)
