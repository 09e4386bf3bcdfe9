"""The shelf lists what can be used and what is broken, and reaches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from limner.core.errors import UserError
from limner.studio.shelf import Shelf


def test_models_and_what_is_wrong_with_the_broken_one(models: Path) -> None:
    found = {model.name: model for model in Shelf(models).models()}
    assert found.keys() == {"discs", "negatives", "broken"}
    assert not found["discs"].broken and not found["discs"].translates
    assert found["negatives"].translates and found["negatives"].directions == ("AtoB",)
    assert "cannot be read" in found["broken"].broken and str(models) not in found["broken"].broken
    assert "32 x 32 px, after 64 images" in found["discs"].words


def test_the_newest_comes_first(models: Path) -> None:
    assert [model.name for model in Shelf(models).models()][-1] == "discs"


@pytest.mark.parametrize("name", ["../runs/discs", "/etc", "..", ".studio", "", "discs/../discs", "discs\0"])
def test_nothing_else_can_be_reached(models: Path, name: str) -> None:
    with pytest.raises(UserError, match="no run of the name"):
        Shelf(models).model(name)


def test_links_are_not_followed(models: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text("{}")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "inside").symlink_to(outside)
    assert Shelf(runs).folders() == []


def test_a_model_is_loaded_once_until_it_is_written_anew(models: Path) -> None:
    shelf = Shelf(models)
    first = shelf.pipeline(shelf.model("discs"))
    assert shelf.pipeline(shelf.model("discs")) is first
    file = models / "discs" / "model.safetensors"
    file.write_bytes(file.read_bytes())
    import os

    os.utime(file, (1e9, 1e9))
    assert shelf.pipeline(shelf.model("discs")) is not first
