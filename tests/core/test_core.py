"""The ground: randomness, configs, registries, words."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import tiny
from limner import presets
from limner.core import config as configs
from limner.core import console, errors, rng
from limner.core.config import KeepConfig, Size, TrainConfig, from_dict, to_dict
from limner.core.errors import UserError
from limner.core.registry import Registry
from limner.core.words import count, size

INTEGERS = st.integers(0, 2**63)


def test_seeds_are_the_same_in_every_process() -> None:
    here = [rng.derive(7, "step", 12_800, 3), int(rng.permutation(7, 2, 1000)[5])]
    program = (
        "from limner.core import rng\nprint([rng.derive(7, 'step', 12_800, 3), int(rng.permutation(7, 2, 1000)[5])])"
    )
    environment = {"PYTHONHASHSEED": "123"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == here


@given(INTEGERS, INTEGERS, st.sampled_from(["step", "latent"]))
def test_any_other_word_is_another_seed(seed: int, counter: int, purpose: str) -> None:
    seeds = {rng.derive(seed, purpose, counter), rng.derive(seed + 1, purpose, counter)}
    seeds |= {
        rng.derive(seed, purpose, counter + 1),
        rng.derive(seed, purpose + "s", counter),
        rng.derive(seed, purpose),
    }
    assert len(seeds) == 5
    assert all(0 <= number < 2**63 for number in seeds)


def test_uniforms_are_uniform_and_each_item_has_its_own() -> None:
    epochs, indices = np.repeat(np.arange(50), 400), np.tile(np.arange(400), 50)
    drawn = rng.uniforms(3, "augment", epochs, indices, 3)
    assert drawn.shape == (20_000, 3) and drawn.min() >= 0 and drawn.max() < 1
    for column in drawn.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    correlations = np.corrcoef(np.hstack([drawn[:-1], drawn[1:]]).T)
    assert np.abs(correlations - np.eye(6)).max() < 0.03
    some = [17, 3000, 19_999]
    assert np.array_equal(rng.uniforms(3, "augment", epochs[some], indices[some], 3), drawn[some])


@pytest.mark.parametrize("preset", tiny.PRESETS)
def test_config_survives_json(preset: str) -> None:
    config = presets.get(preset)
    text = json.dumps(to_dict(config))
    assert from_dict(TrainConfig, json.loads(text), settings=type(config.settings)) == config


@dataclasses.dataclass(frozen=True)
class Odd:
    name: str
    share: float = 0.5
    kind: Literal["a", "b"] = "a"
    pair: tuple[int, str] = (1, "x")
    many: tuple[int, ...] = ()
    size: Size | None = None
    on: bool = False


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "n", "shar": 1.0}, "unknown key 'shar': did you mean 'share'"),
        ({}, "the key 'name' is missing"),
        ({"name": 3}, "odd.name: expected str, found 3"),
        ({"name": "n", "share": "half"}, "expected float, found 'half'"),
        ({"name": "n", "share": True}, "expected float, found True"),
        ({"name": "n", "on": 1}, "expected bool, found 1"),
        ({"name": "n", "kind": "c"}, "expected one of 'a', 'b', found 'c'"),
        ({"name": "n", "pair": [1]}, "expected 2 values, found 1"),
        ({"name": "n", "many": 4}, "expected a list"),
        ({"name": "n", "many": [4, "5"]}, r"odd.many\[1\]: expected int"),
        ({"name": "n", "size": {"height": 4}}, "odd.size: the key 'width' is missing"),
        ([], "expected an object"),
    ],
)
def test_json_is_read_strictly(values: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        from_dict(Odd, values, "odd")  # type: ignore[arg-type]


def test_json_of_every_kind_of_field() -> None:
    odd = Odd("n", 2.0, "b", (3, "y"), (1, 2), Size(4, 8), True)
    assert from_dict(Odd, json.loads(json.dumps(to_dict(odd)))) == odd
    assert from_dict(Odd, {"name": "n", "share": 2}).share == 2.0, "JSON has one kind of number"


def test_numbers_that_no_run_can_work_with() -> None:
    configs.check(presets.get("dcgan"))
    configs.check(KeepConfig())
    for change in ({"batch": 0}, {"seed": -1}, {"crop": float("inf")}, {"size": Size(0, 4)}):
        with pytest.raises(UserError, match="expected"):
            configs.check(dataclasses.replace(presets.get("dcgan"), **change))


def test_differences_are_said_with_their_place() -> None:
    old = to_dict(presets.get("dcgan"))
    new = to_dict(dataclasses.replace(presets.get("dcgan"), batch=32))
    new["settings"]["lr_g"] = 1.0
    assert configs.differences(old, new) == ["batch: 64 -> 32", "settings.lr_g: 0.0002 -> 1.0"]


def test_registry_loads_lazily_and_names_the_nearest() -> None:
    registry = Registry("colour", {"red": "colorsys:rgb_to_hsv", "lost": "no_such_module:x"}, group="limner.none")
    assert "colorsys" not in registry.names() and registry.load("red").__name__ == "rgb_to_hsv"
    with pytest.raises(UserError, match="unknown colour 'rde'"):
        registry.load("rde")
    with pytest.raises(UserError, match="'lost' cannot be loaded"):
        registry.load("lost")


def test_words_on_the_command_line() -> None:
    assert [count(text) for text in ("200k", "1.5m", "64", "1_000", "2,000")] == [200_000, 1_500_000, 64, 1000, 2000]
    assert size("64") == Size(64, 64) and size("64X96") == Size(64, 96) and str(size("64x96")) == "64x96"
    for wrong in ("1.5", "abc", "", "k", "inf", "nan"):
        with pytest.raises(ValueError, match="expected a whole number"):
            count(wrong)
    for wrong in ("0", "64x", "x64", "6.5", "-4"):
        with pytest.raises(ValueError, match="expected a size"):
            size(wrong)


def test_durations_and_lists_as_people_say_them() -> None:
    assert [console.duration(s) for s in (0.4, 59, 185, 7389)] == ["0 s", "59 s", "3:05", "2:03:09"]
    assert errors.listing(map(str, range(12)), 3) == "0, 1, 2 and 9 more"
    assert "speed" not in console.summary({"speed": 3.0, "loss/D": 0.5, "accuracy/real": 0.25})
    assert "accuracy real 25%" in console.summary({"speed": 3.0, "accuracy/real": 0.25})
