"""Means of the scalars that steps return, kept on the device until somebody wants to read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from limner.engine.distributed import average_


class Ledger:
    """Adds up scalars without making the device wait; reading them is one transfer for all."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, scalars: dict[str, Tensor]) -> None:
        """Count one step's scalars; a name that is absent in a step does not count in it."""
        for name, value in scalars.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """Return the means since the last reading, averaged over ranks, and start anew."""
        if not self._sums:
            return {}
        means = torch.stack([total / self._counts[name] for name, total in self._sums.items()])
        average_([means])
        values = dict(zip(self._sums, means.tolist(), strict=True))
        self._sums, self._counts = {}, {}
        return values

    def state_dict(self) -> dict[str, Any]:
        """What has been added since the last reading."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
