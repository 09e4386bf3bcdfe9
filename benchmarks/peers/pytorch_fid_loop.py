"""pytorch-fid's own loop over a folder, as its command runs it; in `.venv-parity`, a round for each line on stdin.

Arguments: the weights file, the folder, the file that the features go to.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from reference import packages


def main() -> None:
    """Answer each line with one: the number of pictures seen."""
    weights, folder, out = (Path(argument) for argument in sys.argv[1:])
    network = packages.pytorch_fid_network(weights)
    from pytorch_fid.fid_score import get_activations

    files = sorted(folder.glob("*.png"))
    workers = min(len(os.sched_getaffinity(0)), 8)  # what its command takes unless told otherwise; batches of 50 too
    for _ in sys.stdin:
        features = get_activations(files, network, batch_size=50, num_workers=workers)
        np.save(out, features)
        print(len(features), flush=True)


if __name__ == "__main__":
    main()
