"""How people write numbers and sizes: 200k, 64x96."""

from __future__ import annotations

import math
import re

from limner.core.config import Size

_THOUSANDS = {"k": 1_000, "m": 1_000_000}


def count(text: str) -> int:
    """Read a whole number, where 200k is 200,000 and 1.5m is 1,500,000; ValueError for anything else."""
    factor = _THOUSANDS.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    try:
        value = float(digits.replace(",", "").replace("_", "")) * factor
    except ValueError:
        value = math.nan
    if not value.is_integer():  # nor is any that is not finite
        raise ValueError(f"expected a whole number such as 200000 or 200k, found {text!r}")
    return int(value)


def size(text: str) -> Size:
    """Read a picture size, 64 or HEIGHTxWIDTH; ValueError for anything else."""
    found = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text.lower())
    if found is None:
        raise ValueError(f"expected a size such as 64, or 64x96 (height x width), found {text!r}")
    return Size(int(found[1]), int(found[2] or found[1]))
