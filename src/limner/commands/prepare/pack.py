"""`limner prepare pack`: a set at load size, in one file or a few."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from limner.core.config import Size
from limner.core.console import counting, say

if TYPE_CHECKING:
    from limner.prepare.pack import Packed


@dataclasses.dataclass(frozen=True)
class Pack:
    """Pack a set into one HDF5 file or a folder of Parquet shards, which train reads; again: go on after a stop."""

    data: Annotated[Positional[str], arg(metavar="DATA")]
    """the pictures: whatever train takes as --data"""
    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """a name that ends in .h5 for one HDF5 file; else a new folder for Parquet shards, as Hugging Face reads them"""
    size: Size | None = None
    """height and width of all pictures, the size that training loads (--size times --crop); auto: as they are"""
    channels: int | None = None
    """1 grey, 3 colour, 4 with transparency; auto: as they are"""
    kind: Literal["auto", "one", "pairs", "unpaired"] = "auto"
    """one: pictures of one kind; pairs: A and B that belong together, also side by side; unpaired: A and B that do
    not; auto: told by folders called A and B, or by two arrays, else one"""


def pack(command: Pack) -> Packed:
    """Pack, and say what was packed; UserError for what a person can mend."""
    from limner.prepare.pack import Packing

    packing = Packing(command.data, command.out, command.kind, command.size, command.channels)
    with counting("packing", packing.total) as more:
        packed = packing.run(more)
    words = "holds" if packed.anew else "was packed already, and holds"
    counts = ", ".join(f"{title} {count:,}" for title, count in packed.counts.items())
    say(f"{packed.out} {words} pictures of {packed.size} px ({counts}).")
    if packed.left_out:
        say(f"{packed.left_out:,} could not be read and were left out: see {packed.left_out_file}")
    return packed
