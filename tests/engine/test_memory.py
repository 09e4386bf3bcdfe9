"""What a step will need is foretold for every preset, and running out of memory ends in advice."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from limner import methods, presets
from limner.core.config import TrainConfig
from limner.core.contract import Method, Spec
from limner.core.errors import UserError
from limner.engine import memory
from limner.presets.pix2pix import Pix2PixSettings


def built(preset: str, size: int, **changes: int) -> tuple[TrainConfig, Method, Spec]:
    config = dataclasses.replace(presets.get(preset), **changes)
    translates = methods.METHODS.load(config.method).translates
    classes = () if translates else ("one", "two")
    spec = Spec(3, size, size, classes, 3 if translates else 0)
    with torch.device("meta"):
        return config, methods.build(config.method, config.settings, spec), spec


@pytest.mark.parametrize("preset", presets.PRESETS.names())
def test_every_preset_is_foretold_and_a_larger_batch_needs_more(preset: str) -> None:
    size = presets.get(preset).size
    few = memory.expected(*built(preset, size.height if size else 64, batch=4))
    many = memory.expected(*built(preset, size.height if size else 64, batch=64))
    assert few is not None and many is not None
    assert memory.PROCESS < few < many


@pytest.mark.parametrize(("size", "measured"), [(512, 1.95e9), (1024, 2.70e9)])
def test_what_is_foretold_for_pix2pix_is_near_what_was_measured(size: int, measured: float) -> None:
    assert memory.expected(*built("pix2pix", size)) == pytest.approx(measured, rel=0.1)  # benchmarks/results


def test_live_counts_what_is_alive_at_once() -> None:
    with memory.Live() as live:
        for _ in range(3):
            x = torch.zeros(1024, dtype=torch.float32)  # each goes before or just after the next comes
            y = x.view(32, 32)  # no memory of its own
            del x, y
    assert live.now == 0
    assert 4096 <= live.peak <= 8192


def test_advice_is_a_smaller_batch_then_smaller_pictures() -> None:
    config, method, spec = built("dcgan", 64, batch=64)
    whole = memory.expected(config, method, spec)
    assert whole is not None
    advice = memory.advice(config, method, spec, 1, whole - 1)
    assert advice.startswith("--batch 32 is expected to fit, with about")
    config, method, spec = built("pix2pix", 1024)
    least = memory.expected(config, method, dataclasses.replace(spec, height=512, width=512))
    assert least is not None
    assert memory.advice(config, method, spec, 1, least).startswith("--size 512 --batch 1 is expected to fit")
    assert "smaller --size" in memory.advice(config, method, spec, 1, 0)


def test_advice_is_never_what_the_method_would_refuse() -> None:
    config, method, spec = built("discogan", 64, batch=8)
    advice = memory.advice(config, method, spec, 1, 10**12)
    assert advice.startswith("--batch 4 ")
    assert "--batch 1" not in memory.advice(config, method, spec, 1, 0)
    deep = dataclasses.replace(presets.get("pix2pix"), settings=Pix2PixSettings(depth=8))  # 192 px and less do not fit
    spec = Spec(3, 256, 256, channels_in=3)
    with torch.device("meta"):
        method = methods.build("pix2pix", deep.settings, spec)
    need = memory.expected(deep, method, spec)
    assert need is not None
    advice = memory.advice(deep, method, spec, 1, need - 1)
    assert "--size 192" in advice or "smaller --size" in advice


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=("cuda", "cpu", "python"),
)
def test_running_out_of_memory_says_what_would_fit(error: BaseException) -> None:
    config, method, spec = built("dcgan", 64, batch=64)
    with pytest.raises(UserError, match=r"64x64 px, --batch 64.*is expected to fit.*another --out") as raised:  # noqa: SIM117
        with memory.advised(config, method, spec, "cpu", 1):
            raise error
    assert raised.value.__cause__ is error


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    config, method, spec = built("dcgan", 64)
    with pytest.raises(RuntimeError, match="shapes"), memory.advised(config, method, spec, "cpu", 1):
        raise RuntimeError("shapes do not match")


def test_some_memory_is_free() -> None:
    assert 0 < memory.available("cpu") < 2**62
