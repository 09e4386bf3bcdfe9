"""What the pages show comes from the studio's own folder, is drawn once, and counts what there is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="needs Gradio: pip install 'limner[studio]'")

from limner.data.inspection import inspect
from limner.studio import starting, watching
from limner.studio.house import House


def test_a_time_lapse_lies_where_gradio_may_show_it(models: Path) -> None:
    house = House(models)
    shown = watching._lapse(house, "discs")
    assert shown is not None and Path(shown).is_relative_to(house.files)
    assert Path(shown).read_bytes() == (models / "discs" / "timelapse.webp").read_bytes()


def test_curves_are_drawn_again_only_when_numbers_have_come(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, draw = [], watching.plots.plot_groups
    monkeypatch.setattr(watching.plots, "plot_groups", lambda lines: (calls.append(1), draw(lines))[1])
    watching._drawn.cache_clear()
    first = watching._curves(House(models), "discs")
    assert watching._curves(House(models), "discs") == first and "<svg" in first and len(calls) == 1


def test_a_pair_side_by_side_is_half_as_wide(real_data: Path) -> None:
    data = str(real_data / "facades")
    config = starting.overlay(starting.presets.get("pix2pix"), data=data)[0]
    spec = starting._spec(dataclasses.replace(config, size=None), inspect(data))
    assert (spec.height, spec.width, spec.channels_in) == (256, 256, 3)
