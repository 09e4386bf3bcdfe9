"""Tables with a column of pictures, as Hugging Face writes them: which column that is, and which holds the labels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from limner.core.errors import UserError, listing
from limner.data.arrays import number_classes

LABELS = ("label", "labels", "class", "target", "fine_label", "y")
NAMES_A = ("a", "imagea", "image_a", "image_A", "input", "input_image", "source", "x")
NAMES_B = ("b", "imageb", "image_b", "image_B", "output", "output_image", "edited_image", "target", "y")


class Columns:
    """The columns of a table by its Arrow schema, whose metadata names the classes where Hugging Face wrote it."""

    def __init__(self, schema: Any, title: str) -> None:
        self.title = title
        self.types = {field.name: field.type for field in schema}
        self.features = _features(schema)

    @property
    def pictures(self) -> list[str]:
        """The columns that hold pictures: {"bytes": ..., "path": ...}, or bytes where there are no such columns."""
        found = [name for name, kind in self.types.items() if _has_bytes(kind)]
        return found or [name for name, kind in self.types.items() if _is_bytes(kind)]

    def one(self) -> str:
        """The only column of pictures; UserError, listing the columns, when there are none or several."""
        found = self.pictures
        if len(found) != 1:
            kinds = "no column" if not found else f"{len(found)} columns"
            two = " For two kinds of pictures choose a translation preset, such as pix2pix." if len(found) == 2 else ""
            raise UserError(f"{self.title} has {kinds} of pictures; expected one. Its columns are {self}.{two}")
        return found[0]

    def two(self) -> tuple[str, str]:
        """The columns of A and B by their names, else in order; UserError unless two columns hold pictures."""
        found = self.pictures
        if len(found) != 2:
            raise UserError(f"{self.title} should have two columns of pictures, A and B. Its columns are {self}.")
        sides = {name: 0 if name.lower() in NAMES_A else 2 if name.lower() in NAMES_B else 1 for name in found}
        a, b = sorted(found, key=lambda name: sides[name])
        return a, b

    @property
    def label(self) -> str | None:
        """The column of labels, if there is one."""
        numbers = [name for name, feature in self.features.items() if feature.get("_type") == "ClassLabel"]
        named = [name for name in self.types if name.lower() in LABELS and _is_label(self.types[name])]
        return next((name for name in [*numbers[:1], *named] if len(numbers) < 2 or name in LABELS), None)

    def classes(self, column: Any) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Labels, int64 (N,), and classes of an Arrow column; None and () where some pictures have none."""
        values = column.to_numpy() if column.null_count == 0 else None
        if values is None or not len(values) or (values.dtype.kind in "if" and values.min() < 0):
            return None, ()
        values = np.array(values.tolist()) if values.dtype.kind == "O" else values
        return number_classes(values, self.features.get(self.label or "", {}).get("names") or ())

    def __str__(self) -> str:
        return listing((f"{name} ({kind})" for name, kind in self.types.items()), 20) or "none"


def fetch(value: Any, name: str) -> bytes:
    """The bytes of a picture in a row, given as bytes or as {"bytes", "path"}; UserError when there are none."""
    content = value.get("bytes") if isinstance(value, dict) else value
    if content is None:
        path = value.get("path") if isinstance(value, dict) else None
        where = f": only the path {path} is" if path else ""
        raise UserError(f"{name}: its row holds no picture{where}")
    return content


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _has_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_struct(kind) and any(field.name == "bytes" and _is_bytes(field.type) for field in kind)


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_label(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind)
