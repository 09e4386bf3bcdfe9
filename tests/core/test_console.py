"""What is written to a terminal is what it is called: brackets in the names of files and classes are no markup."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.cli import main
from limner.core.console import print_out


def test_names_with_brackets_stay_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("[red]roses", "[bold]lilies"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for seed in range(6):
            pixels = np.random.default_rng(seed + len(name)).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{seed}.png")
    assert main(["inspect", str(tmp_path / "set")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "[bold]lilies" in said and "[red]roses" in said


def test_long_words_are_not_broken_into_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_out("a word " * 100)
    assert capsys.readouterr().out.count("\n") == 1
