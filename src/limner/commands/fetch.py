"""`limner fetch`: public sets of pictures and the weights of metrics and of the face detector, by their names."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from limner.core.console import print_data, print_out, say
from limner.core.errors import UserError, unknown


@dataclasses.dataclass(frozen=True)
class Fetch:
    """Get public sets of pictures, or published weights; without a name, list them all."""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    """what to get, such as mnist, facades, horse2zebra, inception; its size and terms are shown first"""
    about: bool = False
    """only show address, size, terms and whom to cite"""
    json: bool = False
    """print the list, or where things are, as JSON"""


def fetch(command: Fetch) -> list[Path]:
    """Fetch what is named and return where it is; UserError for a mistake, for no net, for a file that is another."""
    from limner.core import weights
    from limner.data import catalog

    sets = catalog.sets()
    for name in command.names:
        if name not in sets and name not in weights.WEIGHTS:
            raise unknown("set", name, [*sets, *weights.WEIGHTS])
    if not command.names:
        _list(command)
        return []
    if command.about:
        for name in command.names:
            print_data(sets[name].describe() if name in sets else weights.describe(weights.WEIGHTS[name]))
        return []
    got: dict[str, Path] = {}
    failed = []
    for name in command.names:
        try:
            got[name] = catalog.get(name) if name in sets else _weights(name)
        except UserError as error:  # the others are still worth having
            if len(command.names) == 1:
                raise
            say(f"{name}: {error}")
            failed.append(name)
    if command.json:
        print_data(json.dumps({name: str(path) for name, path in got.items()}))
    if failed:
        raise UserError(f"{', '.join(failed)} could not be fetched; the reasons stand above")
    return list(got.values())


def _weights(name: str) -> Path:
    from limner.core import weights

    wanted = weights.WEIGHTS[name]
    say(weights.describe(wanted))
    path = weights.find(wanted, download=True)
    say(f"{name} is in {path}")
    return path


def _list(command: Fetch) -> None:
    from rich.table import Table

    from limner.core import weights
    from limner.core.fetching import volume
    from limner.data import catalog

    rows = []
    for one in catalog.sets().values():
        found = catalog.folder_of(one.name)
        size = "by hand" if one.by_hand else volume(one.size)
        rows.append({"name": one.name, "size": size, "here": found, "holds": one.holds, "terms": one.terms})
    for name, wanted in weights.WEIGHTS.items():
        size = volume(sum(file.size for file in wanted.parts) or next(f.size for f in wanted.files if f.url))
        found = weights.place_of(wanted)
        rows.append({"name": name, "size": size, "here": found, "holds": f"weights of {wanted.title}", "terms": ""})
    if command.json:
        print_data(json.dumps([{**row, "here": str(row["here"]) if row["here"] else None} for row in rows]))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "size", "here", "holds"):
        table.add_column(column, no_wrap=column == "name", justify="right" if column == "size" else "left")
    for row in rows:
        table.add_row(row["name"], row["size"], "yes" if row["here"] else "", row["holds"])
    print_out(table)
    say("limner fetch NAME gets one; limner fetch NAME --about says where from, on what terms, and whom to cite.")
