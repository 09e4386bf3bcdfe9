"""How values are written on the command line: 200k, 64x96."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from limner.core.config import Size

REGISTRY = ConstructorRegistry()
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


def _rule(kind: type, metavar: str, read: Callable[[str], Any]) -> None:
    # for the type itself and for "or nothing": a flag that is left out is None, so nobody types that word
    @REGISTRY.primitive_rule
    def _(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if info.type not in (kind, kind | None):
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=metavar,
            instance_from_str=lambda words: read(words[0]),
            is_instance=lambda value: value is None or isinstance(value, kind),
            str_from_instance=lambda value: ["auto" if value is None else str(value)],
        )


_rule(int, "N", count)
_rule(float, "X", float)
_rule(Size, "N|HxW", size)
