"""The command line's own kinds of values: 200k, 64x96."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from limner.core.config import Size
from limner.core.words import count, size

REGISTRY = ConstructorRegistry()


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
