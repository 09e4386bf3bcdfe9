"""Features of a folder of photographs: ours against pytorch-fid's own loop, which runs in `.venv-parity`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import harness
from limner.core import images
from limner.metrics.inception import Inception
from limner.metrics.pictures import PictureSet
from limner.metrics.seeing import see

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-parity" / "bin" / "python"
COUNT = 100  # two of the peer's batches
ROUNDS = 5
OURS = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # limner's settings for its own process; the peer runs with none


class Peer:
    """pytorch-fid in a process that waits for its turn."""

    def __init__(self, weights: Path, folder: Path, out: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        self.process = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.peers.pytorch_fid_loop", weights, folder, out],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": "tests"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self) -> None:
        """Let it go through the folder once."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != str(COUNT):
            sys.exit("the peer broke down: run it by hand to see why")


def write_photographs(source: Path, folder: Path) -> list[Path]:
    """The first photographs of faces as PNG files."""
    folder.mkdir()
    paths = []
    for i, path in enumerate(sorted(source.glob("*.jpg"))[:COUNT]):
        paths.append(folder / f"{i:03}.png")
        images.decode(path).save(paths[-1])
    return paths


def main() -> None:
    """Race the two and write the result."""
    if "LIMNER_DATA" not in os.environ or not PYTHON.is_file():
        sys.exit("this needs LIMNER_DATA and the environment that `make parity` builds")
    data = Path(os.environ["LIMNER_DATA"])
    with tempfile.TemporaryDirectory() as temporary:
        paths = write_photographs(data / "data" / "faces", Path(temporary) / "faces")
        seen = Path(temporary) / "features.npy"
        peer = Peer(data / "weights" / "fid_inception_2015_12_05.safetensors", paths[0].parent, seen)
        extractor = Inception(weights=None, resize="pytorch-fid")
        folder = PictureSet(
            count=COUNT,
            read=lambda positions: [images.as_array(images.decode(paths[position])) for position in positions],
            name=lambda position: paths[position].name,
            title="faces",
            background=True,
        )
        ours = see(folder, extractor).features.vectors
        result = harness.race(lambda: see(folder, extractor), peer.run, rounds=ROUNDS, warm_up=1)
        apart = np.abs(ours - np.load(seen)).max()
        peer.process.terminate()
    harness.write(
        "features",
        "Inception features against pytorch-fid",
        f"""
{COUNT} PNG photographs of 250 px from a folder to 2048 features each, protocol `pytorch-fid`; in turn, {ROUNDS} rounds,
min / median / max. Both decode the files in every round and had gone through the folder once before. The peer is
pytorch-fid 0.3.0 with what its command takes by itself: batches of 50, {min(len(os.sched_getaffinity(0)), 8)} loader processes. Ratio: the peer's
time over ours, round by round; above 1, ours is faster. Aim: at least 1.3.

| | seconds | pictures/s |
| --- | --- | --- |
| ours | {result.ours} | {COUNT / result.ours.middle:.2f} |
| pytorch-fid | {result.peer} | {COUNT / result.peer.middle:.2f} |
| ratio | **{result.ratio}** | |

The features of the two differ by {apart:.1e} at most.
""",
    )
