"""What people already look at: TensorBoard's event files, and a clear word when wandb is not installed."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

import tiny
from limner.commands.train import train
from limner.core.config import KeepConfig
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report.trackers import tracker


def test_tensorboard_gets_scalars_and_sheets(pictures: Path, tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    command = tiny.command("dcgan", pictures, tmp_path / "run")
    train(dataclasses.replace(command, keep=KeepConfig(frames=3, track=("tensorboard",))))
    events = list((tmp_path / "run" / "tensorboard").glob("events*"))
    assert len(events) == 1
    found: dict[str, list[int]] = {}
    content = events[0].read_bytes()
    while content:  # records of length (8 bytes), checksum (4), event, checksum (4)
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(event.step)
    assert found["loss/D"] == [8 * (i + 1) for i in range(8)]
    assert "samples" in found and "lr/G" in found


def test_a_missing_tracker_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"pip install 'limner\[wandb\]'"):
        tracker("wandb", Run(tmp_path))
