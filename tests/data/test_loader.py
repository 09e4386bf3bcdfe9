"""Batches: the same bytes from any number of workers and any restart, without copying the pictures."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.data.aside import put_aside
from limner.data.loader import Batches, Loader
from limner.data.sampler import Sampler
from limner.data.store import Store
from limner.data.transforms import Variety

from .conftest import COUNT, build, make_csv, make_folder, make_idx

MIRROR = Variety(mirror=True)


def take(batches: Iterable[dict[str, Tensor]], count: int) -> list[dict[str, Tensor]]:
    return list(itertools.islice(batches, count))


def same(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]]) -> bool:
    return len(ours) == len(theirs) and all(
        one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        for one, other in zip(ours, theirs, strict=True)
    )


@pytest.fixture(params=[make_folder, make_idx], ids=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store on the disk and one in memory, with windows to cut."""
    return build(request.param(tmp_path / "set"), tmp_path / "cache", crop=1.5)


def test_batches_hold_pictures_and_labels(store: Store) -> None:
    batch = next(Loader(store, seed=0, batch=5).start(0))
    assert batch["image"].dtype == torch.uint8 and batch["image"].shape == (5, 1, 8, 8)
    assert batch["label"].dtype == torch.int64 and batch["label"].shape == (5,)
    assert batch["image"].is_contiguous()


def test_without_windows_pictures_stay_beside_their_labels(tmp_path: Path) -> None:
    store = build(make_csv(tmp_path), tmp_path / "cache")
    assert store.labels is not None
    for batch in take(Loader(store, seed=0, batch=7).start(0), 4):
        for picture, label in zip(batch["image"].numpy(), batch["label"].tolist(), strict=True):
            places = np.flatnonzero((store.pixels == picture).all((1, 2, 3)))
            assert [store.labels[place] for place in places] == [label]


@pytest.mark.parametrize("batch", [1, 5, 40])
def test_a_restart_anywhere_goes_on_with_the_same_bytes(store: Store, batch: int) -> None:
    loader = Loader(store, seed=1, batch=batch, variety=MIRROR)
    straight = take(loader.start(0), 12)
    for step in (1, 5, 11):
        assert same(take(loader.start(step * batch), 12 - step), straight[step:])


def test_ranks_together_see_the_whole_batch(store: Store) -> None:
    whole = next(Loader(store, seed=1, batch=6, variety=MIRROR).start(18))
    parts = [next(Loader(store, seed=1, batch=6, rank=rank, world=2, variety=MIRROR).start(18)) for rank in (0, 1)]
    for name, tensor in whole.items():
        assert torch.equal(tensor, torch.cat([part[name] for part in parts]))


def test_epochs_show_different_windows_and_mirrorings(store: Store) -> None:
    first, second = take(Loader(store, seed=1, batch=COUNT, variety=MIRROR).start(0), 2)
    assert not torch.equal(first["image"].sum((1, 2, 3)).sort().values, second["image"].sum((1, 2, 3)).sort().values)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # where there is but one core
@pytest.mark.parametrize(("make", "workers"), [(make_folder, 2), (make_idx, 1)], ids=["file-2", "memory-1"])
def test_workers_give_the_same_bytes_and_leave_the_random_numbers_alone(make, workers: int, tmp_path: Path) -> None:
    store = build(make(tmp_path / "set"), tmp_path / "cache", crop=1.5)
    expected = take(Loader(store, seed=2, batch=5, variety=MIRROR).start(10), 9)
    state = torch.get_rng_state()
    assert same(take(Loader(store, seed=2, batch=5, variety=MIRROR, workers=workers).start(10), 9), expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_pixels_of_a_file_do_not_travel(tmp_path: Path) -> None:
    store = build(make_folder(tmp_path / "set"), tmp_path / "cache", size=128)
    batches = Batches(store, Sampler(store.count, 0, 4))
    packed = pickle.dumps(batches)
    assert len(packed) < 5000 < store.pixels.nbytes
    assert torch.equal(pickle.loads(packed)[8]["image"], batches[8]["image"])
    part = dataclasses.replace(store, pixels=store.pixels[4:], labels=None)
    assert Batches(part, Sampler(part.count, 0, 4)).pixels.path is None  # a slice is not what lies in the file


def test_pixels_in_memory_are_shared_once(tmp_path: Path) -> None:
    store = build(make_idx(tmp_path / "set"), tmp_path / "cache")
    batches = Batches(store, Sampler(store.count, 0, 4))
    expected = batches[8]["image"]
    pixels = batches.pixels
    shared = pixels.__getstate__()["shared"]
    assert shared.is_shared() and pixels.__getstate__()["shared"] is shared
    assert np.shares_memory(pixels.array, shared.numpy())
    assert torch.equal(batches[8]["image"], expected)


def test_rows_kept_aside_never_come_and_nothing_is_copied(tmp_path: Path) -> None:
    store = build(make_folder(tmp_path / "set"), tmp_path / "cache")
    kept, aside = put_aside(COUNT, 5)
    assert sorted([*kept, *aside]) == list(range(COUNT)) and len(aside) == 5
    loader = Loader(store, seed=0, batch=COUNT - 5, rows=kept)
    seen = next(loader.start(0))["image"].numpy()
    assert {picture.tobytes() for picture in seen} == {store.pixels[row].tobytes() for row in kept}
    assert not {picture.tobytes() for picture in seen} & {store.pixels[row].tobytes() for row in aside}
    assert loader.batches.pixels.array.base is not None  # still the memory map of the store
    assert np.shares_memory(loader.batches.pixels.array, store.pixels)
