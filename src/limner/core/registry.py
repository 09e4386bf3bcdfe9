"""A registry is a literal dict of name -> "module:attribute", loaded lazily, with a door for plug-ins."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from limner.core.errors import UserError, unknown


class Registry:
    """Names of one kind of part, ours from a literal dict and outsiders' from an entry-point group.

    Nothing is imported until `load` is called. A plug-in cannot replace a built-in name.
    """

    def __init__(self, kind: str, entries: Mapping[str, str], group: str) -> None:
        self.kind = kind
        self.entries = dict(entries)
        self.group = group

    def names(self) -> list[str]:
        """All names, built-in ones first in the order of the dict, then plug-ins' by name."""
        return [*self.entries, *sorted(set(self._plugins) - set(self.entries))]

    def __contains__(self, name: str) -> bool:
        return name in self.entries or name in self._plugins

    def load(self, name: str) -> Any:
        """Import and return the part called `name`; UserError naming the nearest one when there is none."""
        if name not in self:
            raise unknown(self.kind, name, self.names())
        target = self.entries.get(name) or self._plugins[name]
        module, _, attribute = target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            if name in self.entries and not isinstance(error, ModuleNotFoundError):
                raise
            raise UserError(f"{self.kind} {name!r} cannot be loaded from {target}: {error}") from error

    @functools.cached_property
    def _plugins(self) -> dict[str, str]:
        return {point.name: point.value for point in importlib.metadata.entry_points(group=self.group)}
