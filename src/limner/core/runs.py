"""A run folder is the truth: its paths, its config, its metrics."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.core import files
from limner.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Run:
    """The folder of one training run.

    config.json holds {"limner": version, "config": as asked, "resolved": what "auto" became}; metrics.jsonl one JSON
    object a line, each with "images" and "kind" ("log", "evaluation" or "health"); samples/ the sheets as IMAGES.png.
    """

    folder: Path

    @property
    def config_file(self) -> Path:
        return self.folder / "config.json"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def model_file(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def best_file(self) -> Path:
        """The model of the moment that the chosen metric liked best."""
        return self.folder / "best.safetensors"

    @property
    def evaluation_file(self) -> Path:
        """The page of the last `limner evaluate`; the same as JSON lies beside it."""
        return self.folder / "evaluation.html"

    @property
    def report_file(self) -> Path:
        return self.folder / "report.html"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def nearest_file(self) -> Path:
        """The last samples, each beside the training picture that looks most like it (generation only)."""
        return self.folder / "nearest.png"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run of ours."""
        return self.config_file.is_file()

    def read_config(self) -> dict[str, Any]:
        """Read config.json; UserError when the folder is no run or the file is damaged."""
        if not self.exists:
            raise UserError(f"{self.folder} is not a run folder: it has no config.json")
        try:
            content = json.loads(self.config_file.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or not {"config", "resolved"} <= content.keys():
                raise ValueError("it is not a config of limner's")
        except ValueError as error:
            raise UserError(f"{self.config_file} cannot be read: {error}") from error
        return content

    def write_config(self, content: dict[str, Any]) -> None:
        """Write config.json, whole or not at all."""
        files.write_text(self.config_file, json.dumps(content, indent=2) + "\n")

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Read the metrics lines in order; a last line cut short by a kill is left out."""
        if not self.metrics_file.is_file():
            return
        with self.metrics_file.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    return

    def rewind(self, images: int) -> None:
        """Clear away what a killed process left after its last checkpoint: it is about to happen again."""
        for folder in (self.folder, self.samples, self.checkpoints):
            files.remove_leftovers(folder)
        lines = list(self.metrics())
        kept = [line for line in lines if line["images"] <= images]
        content = "".join(json.dumps(line) + "\n" for line in kept)
        if self.metrics_file.is_file() and self.metrics_file.read_text(encoding="utf-8") != content:
            files.write_text(self.metrics_file, content)

    def sample_sheets(self) -> list[Path]:
        """The sample sheets in the order of training."""
        return sorted(self.samples.glob("*.png"))

    def sample_sheet(self, images: int) -> Path:
        """Where the sheet of this moment belongs."""
        return self.samples / f"{images:010d}.png"
