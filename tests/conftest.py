"""What all tests share: tiny versions of every preset, tiny pictures, the folder of real data where there is one."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.core.environment import prepare

KERNELS = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def same_kernels() -> None:
    """Use the kernels that nearly all x86 processors have, even where wider ones are at hand.

    Kernels of another width add in another order, and GANs amplify it: within eight steps a golden curve is 2 % off.
    """
    information = Path("/proc/cpuinfo")
    if information.is_file() and "avx512f" in information.read_text(encoding="utf-8"):
        for name, value in KERNELS.items():
            os.environ.setdefault(name, value)


def own_compiled_kernels() -> None:
    """Keep what PyTorch compiles for these tests apart: its cache does not know wider kernels from those asked for."""
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:  # the workers of a parallel run have it from the first process
        folder = os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="limner-tests-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


same_kernels()
own_compiled_kernels()
prepare()


@pytest.fixture(autouse=True)
def the_same_numbers() -> None:
    """Start every test from one state of PyTorch's generator, so that it passes or fails every time."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that LIMNER_DATA names, with data/mnist, data/faces and so on below it."""
    folder = os.environ.get("LIMNER_DATA")
    if not folder:
        pytest.skip("LIMNER_DATA does not say where the real data is")
    return Path(folder) / "data"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 colour pictures of 40x40 px: discs of different colours and places."""
    folder = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    for i in range(24):
        centre, colour = draw.uniform(12, 28, 2), draw.integers(60, 255, 3)
        disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 81
        Image.fromarray((disc[..., None] * colour).astype(np.uint8)).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make training die after its step number n, with nothing saved or tidied."""
    import tiny
    from limner.engine.training import Training

    step = Training.step

    def arm(number: int) -> None:
        left = [number]

        def dying(self: Any, batch: Any) -> None:
            if left[0] == 0:
                raise tiny.Killed
            left[0] -= 1
            step(self, batch)

        monkeypatch.setattr(Training, "step", dying)

    yield arm
