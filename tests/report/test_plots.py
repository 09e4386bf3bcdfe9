import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from limner.report.plots import INK, decimate, plot_groups, short, smooth


def log(images, **values):
    return {"kind": "log", "images": images, "seconds": images / 500, **values}


def long_run(count=1000):
    rng = np.random.default_rng(0)
    keys = ("loss/D", "loss/G", "accuracy/real", "accuracy/fake", "lr/D", "lr/G", "speed", "penalty/r1", "metric/fid")
    return [log(i * 200, **{key: float(rng.uniform(0.4, 0.9)) for key in keys}) for i in range(1, count + 1)]


def test_groups_have_titles_in_a_fixed_order():
    assert list(plot_groups(long_run(50))) == [
        "Losses",
        "Accuracies",
        "Gradient penalties",
        "Learning rates",
        "Speed",
        "FID",
    ]


def test_the_discriminator_comes_first_in_every_plot():
    lines = [log(i, **{"lr/G": 1.0, "lr/D": 1.0, "accuracy/fake": 1.0, "accuracy/real": 1.0}) for i in range(3)]
    plots = plot_groups(lines)
    assert plots["Learning rates"].index(">discriminator<") < plots["Learning rates"].index(">generator<")
    assert plots["Accuracies"].index(">real pictures<") < plots["Accuracies"].index(">fake pictures<")


def test_svgs_take_the_pages_colour_and_width():
    for svg in plot_groups(long_run()).values():
        root = ElementTree.fromstring(svg)
        assert root.get("width") == "100%" and root.get("viewBox") and root.get("height") is None
        assert root.get("role") == "img" and root.get("aria-label")
        assert "currentColor" in svg and INK not in svg
        assert "http" not in svg and "<style" not in svg and "font-family" not in svg
        assert len(svg) < 60_000


def test_names_within_one_page_do_not_collide():
    plots = plot_groups(long_run(80))
    names = [name for svg in plots.values() for name in set(re.findall(r'\bid="([^"]+)"', svg))]
    assert len(names) == len(set(names))


def test_axes_carry_plain_numbers():
    svg = plot_groups(long_run())
    assert ">200k<" in svg["Losses"] and ">100%<" in svg["Accuracies"]
    assert [short(x) for x in (0, 20_000, 1.5e6, 0.25, 2e-4, 1.5e-5)] == ["0", "20k", "1.5M", "0.25", "2e-4", "1.5e-5"]


@pytest.mark.parametrize("odd", [math.nan, math.inf, None])
def test_what_is_no_number_is_a_gap(odd):
    lines = [log(i, **{"loss/D": odd if 3 <= i < 6 else 1.0 + 0.1 * i}) for i in range(1, 11)]
    line = max(re.findall(r' d="([^"]*)"', plot_groups(lines)["Losses"]), key=lambda path: path.count("M") > 1)
    assert line.count("M") == 2


def test_one_point_no_points_and_other_values():
    assert list(plot_groups([log(64, **{"loss/D": 1.0})])) == ["Losses"]
    assert plot_groups([]) == {}
    assert plot_groups([log(64, **{"loss/D": None, "note": "words", "flag": True})]) == {}
    assert list(plot_groups([log(0, speed=0.0)])) == ["Speed"]


def test_findings_are_numbered_by_word():
    health = [{"kind": "health", "images": n, "word": w} for n, w in ((2000, "won"), (8000, "flat"), (9000, "won"))]
    svg = plot_groups([*long_run(50), *health])["Losses"]
    assert [svg.count(f">{number}</text>") for number in (1, 2, 3)] == [2, 1, 0]


def test_hostile_names_are_text():
    svg = plot_groups([log(i, **{"loss/<b>$x$": 1.0, "loss/_y": 2.0}) for i in range(3)])["Losses"]
    ElementTree.fromstring(svg)
    assert "<b>" not in svg and "&lt;b&gt;$x$" in svg


def test_smoothing_keeps_level_and_gaps():
    y = np.full(200, 3.0)
    y[50:60] = np.nan
    assert np.allclose(smooth(y)[~np.isnan(y)], 3.0)
    assert np.isnan(smooth(y)[50:60]).all()


def test_decimation_keeps_the_spikes():
    x, y = np.arange(10_000.0), np.zeros(10_000)
    y[1234], y[5678], y[9000:9100] = 9.0, -9.0, np.nan
    few_x, few_y = decimate(x, y)
    assert len(few_x) <= 400
    assert np.nanmax(few_y) == 9.0 and np.nanmin(few_y) == -9.0 and np.isnan(few_y).any()


def test_more_than_two_losses_are_parted_by_the_side_that_they_train():
    keys = ("G_AB", "G_BA", "cycle_A", "cycle_B", "identity", "D_A", "D_B")
    lines = [log(i, **{f"loss/{key}": 1.0 + i for key in keys}) for i in range(3)]
    plots = plot_groups(lines)
    assert list(plots) == ["Losses of the discriminators", "Losses of the generators"]
    assert ">D A<" in plots["Losses of the discriminators"] and ">D A<" not in plots["Losses of the generators"]
    assert all(f">{key.replace('_', ' ')}<" in plots["Losses of the generators"] for key in keys[:5])


def test_an_autoencoders_losses_have_a_plot_of_their_own():
    """They are a hundred times those of the generator, which would look like nothing beside them."""
    keys = ("VAE_reconstruction", "VAE_divergence", "D", "G", "hidden")
    plots = plot_groups([log(i, **{f"loss/{key}": 1.0 + i for key in keys}) for i in range(3)])
    assert list(plots) == ["Losses of the discriminators", "Losses of the generators", "Losses of the autoencoder"]
    assert ">VAE divergence<" in plots["Losses of the autoencoder"] and ">hidden<" in plots["Losses of the generators"]
    short = [log(i * 1000, **{"loss/VAE": 1.0} if i < 3 else {"loss/D": 1.0, "loss/G": 1.0}) for i in range(11)]
    assert all(">10k<" in plot for plot in plot_groups(short).values()), "one that ends early has the same axis"
