"""Measurements against peers in the same run; `python -m benchmarks` runs them and writes benchmarks/results/."""
