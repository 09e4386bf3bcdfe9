"""The shelf lists what can be used and what is broken, and reaches nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from limner.core.errors import UserError
from limner.inference import model as model_file
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


def test_a_model_of_a_plug_in_that_is_missing_says_so_and_the_others_work(models: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(models / "discs", runs / "discs")
    (runs / "elsewhere").mkdir()
    with safe_open(models / "discs" / "model.safetensors", "pt") as opened:
        said = opened.metadata()
    info = {**json.loads(said[model_file.INFO_KEY]), "method": "spiralgan"}
    save_file({"G.x": torch.zeros(1)}, runs / "elsewhere" / "model.safetensors", {**said, "info": json.dumps(info)})
    found = {model.name: model for model in Shelf(runs).models()}
    assert "its method spiralgan is not as this limner knows it: install the plug-in" in found["elsewhere"].broken
    assert not found["discs"].broken
    with pytest.raises(UserError, match="spiralgan"):
        Shelf(runs).model("elsewhere")


def test_a_folder_without_models_offers_none(tmp_path: Path) -> None:
    assert Shelf(tmp_path / "none").models() == [] and Shelf(tmp_path / "none").folders() == []
    with pytest.raises(UserError, match="no run of the name"):
        Shelf(tmp_path / "none").model("discs")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"": {"prepare": "faces", "margin": 0.3, "pairs": False}}, {"": 0.3}),
        ({"": {"prepare": "faces", "margin": 0.1, "pairs": True}}, {"A": 0.1, "B": 0.1}),
        ({"": {"prepare": "sketch", "photos": "FACES"}}, {"B": 0.2}),
        ({"": {"prepare": "sketch", "photos": "/nowhere"}}, {}),
        ({"A": {"prepare": "faces", "margin": 0.3, "pairs": False}}, {"A": 0.3}),
        ({"": ["damaged"]}, {}),
        ({}, {}),
    ],
)
def test_a_model_file_says_on_which_side_it_learned_from_faces(
    asked: dict[str, Any], found: dict[str, float], tmp_path: Path
) -> None:
    inner = {"prepare": "faces", "margin": 0.2, "pairs": False}
    asked = {f"set/{side}": content for side, content in asked.items()} | {"faces": inner}
    for folder, content in asked.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        words = json.dumps({"asked": content}).replace("FACES", str(tmp_path / "faces"))
        (tmp_path / folder / "prepare.json").write_text(words)
    assert model_file.faces_of(tmp_path / "set") == found
