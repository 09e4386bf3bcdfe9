"""Checkpoints: everything that a resume needs, whole or absent."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from limner.core import files
from limner.core.contract import Stateful
from limner.core.errors import UserError

FORMAT = 1
_NAME = re.compile(r"(\d{12})-([0-9a-f]{16})\.pt")


class Checkpoints:
    """The newest checkpoints of a run, and the best one by a metric when there is one.

    A file is called IMAGES-CHECKSUM.pt, the first 16 digits of its own SHA-256, so that one rename makes a checkpoint
    whole and known to be whole.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = max(1, keep)

    def save(self, state: dict[str, Any], images: int) -> Path:
        """Write a checkpoint for this moment and drop the oldest beyond `keep`; UserError when the disk refuses."""
        draft = self.folder / ".checkpoint.tmp"  # it gets its name when its checksum is known; never whole in memory
        with files.atomic(draft) as temporary, temporary.open("wb") as file:
            _write({"format": FORMAT, **state}, file)
        target = self.folder / f"{images:012d}-{files.sha256_of_file(draft)[:16]}.pt"
        files.rename(draft, target)
        for twin in self.folder.glob(f"{images:012d}-*.pt"):  # this moment before health went back to it
            if twin != target:
                twin.unlink()
        for old in self.files()[: -self.keep]:
            old.unlink()
        return target

    def save_best(self, latest: Path, value: float) -> None:
        """Keep a copy of a checkpoint as the best one so far; its metric stands in the name."""
        folder = self.folder / "best"
        with files.atomic(folder / latest.name) as temporary:
            shutil.copyfile(latest, temporary)
        files.write_text(folder / "value.txt", f"{value!r}\n")
        for old in folder.glob("*.pt"):
            if old.name != latest.name:
                old.unlink()

    def best(self) -> tuple[Path, float] | None:
        """The best checkpoint and its metric, or None."""
        folder = self.folder / "best"
        found = sorted(folder.glob("*.pt"))
        if not found:
            return None
        return found[-1], float((folder / "value.txt").read_text())

    def files(self) -> list[Path]:
        """The checkpoints there are, oldest first."""
        return sorted(path for path in self.folder.glob("*.pt") if _NAME.fullmatch(path.name))

    def latest(self) -> bytes | None:
        """The content of the newest checkpoint that is whole, or None; damaged ones are skipped with a warning."""
        for path in reversed(self.files()):
            match = _NAME.fullmatch(path.name)
            content = path.read_bytes()
            if match and files.sha256_of(content)[:16] == match[2]:
                return content
            warnings.warn(f"{path} is damaged and skipped: the checkpoint before it is used", stacklevel=2)
        return None


def _write(state: dict[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # a full disk: PyTorch complains of the length that came of it
            raise error.__context__ from error
        raise


def gather_state(parts: Mapping[str, Stateful]) -> dict[str, Any]:
    """Ask every named thing for its state."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore_state(parts: Mapping[str, Stateful], states: Mapping[str, Any]) -> None:
    """Give every named thing its state back; UserError when the two do not belong together."""
    if parts.keys() != states.keys():
        raise UserError(
            f"the checkpoint holds {', '.join(sorted(states))} but this method has {', '.join(sorted(parts))}: it "
            "was made by another method or version; continue in a new run folder"
        )
    for name, part in parts.items():
        try:
            part.load_state_dict(states[name])
        except (RuntimeError, ValueError, KeyError) as error:
            raise UserError(f"the checkpoint's {name} does not fit this method: {error}") from error
