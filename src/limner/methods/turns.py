"""Whose turn it is when D and G are not trained equally often."""

from __future__ import annotations

from typing import Any


class Turns:
    """Decides at each step whether D and G are updated, for a ratio of D updates to G updates that may change.

    The one that is due more often acts in every step; the other acts whenever its share adds up to a whole turn. So
    much of a turn is `owed` from the start: 0, or less than 1.
    """

    def __init__(self, owed: float = 0.0) -> None:
        self.owed = owed

    def take(self, d_per_g: float) -> tuple[bool, bool]:
        """Count one step at this ratio (> 0); return (D acts, G acts)."""
        if d_per_g == 1.0:
            return True, True
        self.owed += min(d_per_g, 1.0 / d_per_g)
        acts = self.owed >= 1.0 - 1e-9  # tenths do not add up exactly in binary
        if acts:
            self.owed -= 1.0
        return (True, acts) if d_per_g > 1.0 else (acts, True)

    def state_dict(self) -> dict[str, Any]:
        """The fraction of a turn that is owed."""
        return {"owed": self.owed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.owed = state["owed"]
