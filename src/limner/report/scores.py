"""What the numbers about pictures are called, in which order they stand, and which way is good."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Literal

Better = Literal["lower", "higher", ""]


@dataclasses.dataclass(frozen=True)
class Score:
    """A number's name, the direction that is good ("": not known), and the power of ten that it was multiplied by."""

    title: str
    better: Better
    unit: str = ""

    @property
    def words(self) -> str:
        """What stands beside the name in small letters."""
        return ", ".join(filter(None, (self.unit, f"{self.better} is better" if self.better else "")))


# The best-known first: this is the order of plots and tables, and the first one there is leads.
SCORES = {
    "kid": Score("KID", "lower", "×10³"),
    "fid": Score("FID", "lower"),
    "lpips": Score("LPIPS", "lower"),
    "precision": Score("Precision", "higher"),
    "recall": Score("Recall", "higher"),
    "density": Score("Density", "higher"),
    "coverage": Score("Coverage", "higher"),
    "is": Score("Inception score", "higher"),
    "accuracy": Score("Class accuracy", "higher"),
    "ssim": Score("SSIM", "higher"),
    "ms-ssim": Score("MS-SSIM", "higher"),
    "psnr": Score("PSNR", "higher", "dB"),
    "l1": Score("L1 distance", "lower"),
}


def score(key: str) -> Score:
    """Look up a result's key, "kid" or "metric/kid"; one that nobody knows keeps its own name and has no direction."""
    name = key.removeprefix("metric/").replace("_", "-")
    if name in SCORES:
        return SCORES[name]
    words = name.replace("-", " ").replace("/", " ")
    return Score(words.upper() if len(words) <= 4 else words[:1].upper() + words[1:], "")


def in_order(keys: Iterable[str]) -> list[str]:
    """Sort result keys: the known ones in their order, then the others as they came."""
    known = list(SCORES)
    names = {key: key.removeprefix("metric/").replace("_", "-") for key in keys}
    return sorted(names, key=lambda key: known.index(names[key]) if names[key] in known else len(known))


def parts(value: float | None, error: float | None = None) -> tuple[str, str]:
    """Write a number and its standard error; the error's two leading digits decide where the number ends."""
    if value is None or math.isnan(value):
        return "not defined", ""
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite", ""
    if error is None or not math.isfinite(error):
        return f"{value:,.0f}" if abs(value) >= 999.95 else f"{value:#.4g}", ""
    decimals = min(8, max(0, 1 - math.floor(math.log10(error)))) if error > 0 else 4
    return f"{value:,.{decimals}f}", f"{error:,.{decimals}f}"


def number(value: float | None, error: float | None = None) -> str:
    """Write a number with its standard error, such as 3.21 ± 0.40."""
    return " ± ".join(filter(None, parts(value, error)))


def winners(values: Sequence[float | None], better: str, errors: Sequence[float | None] | None = None) -> set[int]:
    """Find the places of the best value and of those no further from it than both standard errors allow.

    Nobody wins where fewer than two have a number, or where nobody knows which way is good.
    """
    known = {i: value for i, value in enumerate(values) if value is not None and math.isfinite(value)}
    if len(known) < 2 or better not in ("lower", "higher"):
        return set()
    best = min(known, key=lambda i: known[i] if better == "lower" else -known[i])
    spread = [error or 0.0 for error in errors] if errors is not None else [0.0] * len(values)
    return {i for i, value in known.items() if abs(value - known[best]) <= math.hypot(spread[i], spread[best])}
