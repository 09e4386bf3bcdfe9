"""A trained model in use: the same picture for a seed everywhere, and nothing but what the file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import tiny
from limner import presets
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.inference import Pictures, Pipeline, latents, load, model
from limner.methods import build


def pipeline(preset: str, size: int = 32) -> Pipeline:
    config = presets.get(preset)
    spec = Spec(1, size, size)
    method = build(config.method, config.settings, spec, seed=3)
    return Pipeline(method, {name: method.nets[name] for name in method.portable}, spec)


@pytest.mark.parametrize("preset", ["demo", "dcgan", "dcgan-digits"])
def test_a_seed_is_the_same_picture_in_any_batch(preset: str) -> None:
    pipe = pipeline(preset)
    whole = pipe.generate(count=40, batch=40).array
    for batch in (1, 7, 16):
        assert np.array_equal(pipe.generate(count=40, batch=batch).array, whole)
    assert np.array_equal(pipe.generate([17]).array[0], whole[17])
    assert np.array_equal(pipe.generate([30, 17, 5]).array, whole[[30, 17, 5]])


def test_stream_is_generate_in_parts() -> None:
    pipe = pipeline("demo")
    parts = list(pipe.stream(range(10), batch=4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert np.array_equal(np.concatenate([part.array for part in parts]), pipe.generate(range(10)).array)
    assert parts[2].names == ("seed000008", "seed000009")


def test_interpolation_ends_at_the_two_pictures() -> None:
    pipe = pipeline("demo")
    walk = pipe.interpolate(4, 9, steps=5)
    ends = pipe.generate([4, 9]).array
    assert np.array_equal(walk.array[[0, -1]], ends)
    z = latents.slerp(*latents.draw([4, 9], 64), steps=9)
    lengths = z.norm(dim=1)
    assert lengths.min() > 0.98 * min(lengths[0], lengths[-1]), "a straight line would sag towards the origin"
    with pytest.raises(UserError, match="at least 2"):
        pipe.interpolate(4, 9, steps=1)


def test_truncation_is_the_cut_normal() -> None:
    seeds = range(400)
    free, cut = latents.draw(seeds, 64), latents.draw(seeds, 64, truncation=0.7)
    assert cut.abs().max() <= 0.7
    assert stats.kstest(free.flatten(), "norm").pvalue > 1e-3
    assert stats.kstest(cut.flatten(), stats.truncnorm(-0.7, 0.7).cdf).pvalue > 1e-3
    order = torch.argsort(free.flatten())
    assert (cut.flatten()[order].diff() >= 0).all(), "the order, and so the picture's character, is kept"


def test_model_file_round_trip(tmp_path: Path) -> None:
    config = tiny.config("dcgan", "photos of mine")
    spec = Spec(3, 32, 32, ("cat", "dog"))
    method = build(config.method, config.settings, spec, seed=5)
    path = tmp_path / "model.safetensors"
    model.save(path, method, method.nets, spec, config, 12_800)
    loaded = load(path)
    assert loaded.spec == spec and loaded.info.images == 12_800 and loaded.info.data == "photos of mine"
    assert set(loaded.nets) == {"G"}, "the discriminator is not needed for use"
    direct = Pipeline(method, {"G": method.nets["G"]}, spec)
    assert np.array_equal(direct.generate(count=4).array, loaded.generate(count=4).array)


def test_loading_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    config, spec = tiny.config("dcgan", "digits"), Spec(1, 32, 32)
    method = build(config.method, config.settings, spec)
    model.save(tmp_path / "m.safetensors", method, method.nets, spec, config, 0)
    before = torch.random.get_rng_state()
    load(tmp_path / "m.safetensors").generate(count=2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_pictures_show_and_save_themselves(tmp_path: Path) -> None:
    pictures = Pictures(np.zeros((3, 8, 8, 1), np.uint8), ("a", "b", "c"))
    assert pictures._repr_png_().startswith(b"\x89PNG")
    assert [path.name for path in pictures.save(tmp_path / "new")] == ["a.png", "b.png", "c.png"]
    assert pictures[1].size == (8, 8) and len(pictures.pil()) == len(pictures) == 3


def test_labels_where_there_are_none() -> None:
    with pytest.raises(UserError, match="without classes"):
        pipeline("demo").generate(count=2, labels=["7"])
    with pytest.raises(UserError, match="above 0"):
        pipeline("demo").generate(count=0)
