"""A Ray cluster gives byte for byte what this machine gives, from and to whatever fsspec reaches."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from limner.commands.prepare.tasks import Masks, masks
from limner.core.errors import UserError
from limner.prepare import engines
from limner.prepare.places import Local, Remote, open_place

from .conftest import content, photograph


def same_but_for_places(made: dict[str, bytes]) -> dict[str, bytes]:
    return {name: body for name, body in made.items() if not name.startswith((".", "prepare.json"))}


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore")
def test_two_workers_of_ray_give_what_this_machine_gives(photographs: Path, tmp_path: Path) -> None:
    import ray  # pyright: ignore[reportMissingImports]

    masks(Masks(str(photographs), str(tmp_path / "here")))
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        masks(Masks(str(photographs), str(tmp_path / "there"), engine="ray"))
    finally:
        ray.shutdown()
    assert content(tmp_path / "there") == content(tmp_path / "here")


class Rows:
    """As much of a Ray data set as limner asks for, computed here, in another order than given."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def map(self, function: Callable[[dict[str, Any]], dict[str, Any]]) -> Rows:
        import pickle

        function = pickle.loads(pickle.dumps(function))  # as it is sent to another machine
        return Rows([function(row) for row in reversed(self.rows)])

    def iter_rows(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that looks like Ray, so that limner's side of it is tested where Ray is not installed."""
    ray, data = types.ModuleType("ray"), types.ModuleType("ray.data")
    context = types.SimpleNamespace(get_current=lambda: types.SimpleNamespace())
    vars(data).update(from_items=Rows, DataContext=context)
    vars(ray).update(data=data, is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)


def test_outcomes_of_ray_are_put_in_order(
    stand_in: None, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "SLICE", 7)
    masks(Masks(str(photographs), str(tmp_path / "here")))
    masks(Masks(str(photographs), str(tmp_path / "there"), engine="ray"))
    assert content(tmp_path / "there") == content(tmp_path / "here")
    (tmp_path / "there" / "A" / "01.png").unlink()
    masks(Masks(str(photographs), str(tmp_path / "there"), engine="ray"))
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_addresses_are_read_and_written(
    stand_in: None, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    for name, body in content(photographs).items():
        memory.pipe_file(f"/photos-here/{name}", body)
    masks(Masks(str(photographs), str(tmp_path / "here")))
    for _ in range(2):  # again: all is there
        masks(Masks("memory://photos-here", "memory://made-there", engine="ray"))
    made = {name.removeprefix("/made-there/"): memory.cat_file(name) for name in memory.find("/made-there")}
    assert same_but_for_places(made) == same_but_for_places(content(tmp_path / "here"))
    with pytest.raises(UserError, match="lie in each other"):
        masks(Masks("memory://photos-here", "memory://photos-here/in", engine="ray"))
    with pytest.raises(UserError, match="not empty, and it was not made by limner prepare"):
        masks(Masks(str(photographs), "memory://photos-here", engine="ray"))
    with pytest.raises(UserError, match="addresses are for --engine ray"):
        masks(Masks("memory://photos-here", str(tmp_path / "out")))


def test_errors_of_a_worker_are_its_own_words(stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photograph(tmp_path / "in" / "a.png")

    def full(place: Local, path: str, body: bytes) -> None:
        raise UserError(f"cannot write {path}: no space")

    monkeypatch.setattr(engines.Task, "__call__", lambda task, item: full(task.out, item.name, b""))
    with pytest.raises(UserError, match=r"^cannot write a.png: no space$"):
        masks(Masks(str(tmp_path / "in"), str(tmp_path / "out"), engine="ray"))


def test_ray_that_is_not_installed(photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'limner\[cluster\]'"):
        masks(Masks(str(photographs), str(tmp_path / "out"), engine="ray"))


def test_places_by_their_names(tmp_path: Path) -> None:
    assert open_place(f"file://{tmp_path}") == Local(tmp_path)
    assert open_place("s3://bucket/folder/") == Remote("s3://bucket/folder")
    assert open_place("C:/photos") == Local(Path("C:/photos"))
    with pytest.raises(UserError, match="cannot be reached"):
        Remote("nonsense://x").read("a")
