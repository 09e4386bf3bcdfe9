"""The first 20 losses of every preset at tiny size are in the repository: a refactor proves that they did not move.

`LIMNER_GOLDEN=write pytest tests/test_golden.py` writes them anew; a change of the numbers belongs into CHANGELOG.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import tiny
from limner.commands.train import train
from limner.core.runs import Run

FOLDER = Path(__file__).parent / "golden"
STEPS = 20


@pytest.mark.parametrize("preset", tiny.PRESETS)
def test_first_losses_did_not_move(preset: str, pictures: Path, tmp_path: Path) -> None:
    command = tiny.command(preset, pictures, tmp_path / "run", STEPS * tiny.BATCH, frames=1)
    train(command)
    lines = [line for line in Run(command.out).metrics() if line["kind"] == "log"]
    keys = dict.fromkeys(key for line in lines for key in line if key.startswith("loss/"))
    curves = {key: [line[key] for line in lines if key in line] for key in keys}  # a side may wait for its turn
    golden = FOLDER / f"{preset}.json"
    if os.environ.get("LIMNER_GOLDEN") == "write":
        golden.write_text(json.dumps({key: [round(v, 5) for v in curve] for key, curve in curves.items()}, indent=1))
    expected = json.loads(golden.read_text(encoding="utf-8"))
    assert curves.keys() == expected.keys()
    assert len(lines) == STEPS
    for key, curve in curves.items():
        # Processors add in different orders, and GANs amplify it.
        for steps, share in ((2, 1e-3), (8, 1e-2), (STEPS, 5e-2)):
            np.testing.assert_allclose(curve[:steps], expected[key][:steps], rtol=share, atol=share / 20, err_msg=key)
