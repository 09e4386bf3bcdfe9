"""Small photographs, and the content of folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def photograph(path: Path, width: int = 48, height: int = 32, seed: int = 0, mode: str = "RGB") -> Path:
    """Write a picture of soft colours with a few straight borders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    array = np.zeros((height, width, 3))
    for _ in range(4):
        top, left = draw.integers(0, height - 8), draw.integers(0, width - 8)
        array[top : top + draw.integers(8, height), left : left + draw.integers(8, width)] = draw.integers(40, 256, 3)
    picture = Image.fromarray(array.astype(np.uint8)).convert(mode)
    picture.save(path, "JPEG" if path.suffix.lower() == ".jpg" else None)
    return path


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 photographs, some in sub-folders, two of them broken."""
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(38):
        photograph(folder / ("" if i % 3 else "in ner") / f"{i:02}.{'jpg' if i % 2 else 'png'}", seed=i)
    (folder / "05b.jpg").write_text("no picture")
    (folder / "07b.png").write_bytes(b"")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the lock, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


KILLED = """
import os, sys
from limner.core import files
from limner.commands.prepare.{module} import {flags}, {function}
left, replace = [int(sys.argv[3])], files.Path.replace
def dying(self, target):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    return replace(self, target)
files.Path.replace = dying
{function}({flags}(sys.argv[1], sys.argv[2]{options}))
"""


def killed(module: str, function: str, options: str = "") -> str:
    """A program that runs a command on argv 1 and 2, and dies of SIGKILL at its rename number argv 3."""
    return KILLED.format(module=module, flags=function.title(), function=function, options=options)
