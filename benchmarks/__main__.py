"""`python -m benchmarks [NAME ...]` runs the benchmarks named, or the quick ones."""

from __future__ import annotations

import importlib
import sys

from limner.core.environment import first_torch_call, prepare

QUICK = ("step", "loader", "pair_loader", "translation")

if __name__ == "__main__":
    prepare()
    first_torch_call()
    for name in sys.argv[1:] or QUICK:
        importlib.import_module(f"benchmarks.{name}").main()
