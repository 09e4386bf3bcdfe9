"""What DE-GAN promises: two stages by the clock alone, a frozen autoencoder, standardised codes, one model file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tiny
from limner.commands.train import train
from limner.core.clock import Clock
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.engine.ema import Ema
from limner.engine.update import Updater
from limner.inference import load
from limner.methods import build
from limner.methods.degan import DEGAN
from limner.nets.vae import VAE
from limner.presets.degan import DEGANSettings

SMALL = DEGANSettings(latent=4, filters=4, vae_filters=4, vae_share=0.5)
PICTURES = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


def start(**changes: Any) -> DEGAN:
    method = build("degan", dataclasses.replace(SMALL, **changes), Spec(1, 8, 8), seed=1)
    assert isinstance(method, DEGAN)
    return method


def vae_of(method: DEGAN) -> VAE:
    vae = method.nets["VAE"]
    assert isinstance(vae, VAE)
    return vae


def losses(method: DEGAN, images: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What one step trains, and what it logs."""
    asked: dict[str, Tensor] = {}
    torch.manual_seed(0)
    logged = method.step({"image": PICTURES}, lambda **given: asked.update(given), Clock(100, images))
    return asked, logged


def test_stages_follow_the_clock() -> None:
    method = start()
    for images, groups in ((0, {"VAE"}), (49, {"VAE"}), (50, {"G", "D"}), (99, {"G", "D"})):
        asked, logged = losses(method, images)
        assert set(asked) == groups
        assert any(name.startswith("loss/VAE") for name in logged) == (images < 50)
        assert ("loss/hidden" in logged) == (images >= 50)
    middle = [method.groups[name].lr(0.75) for name in "GD"]
    assert middle == [SMALL.lr_g, SMALL.lr_d], "the second half of the second stage begins at three quarters"
    assert [method.groups["VAE"].lr(p) for p in (0.25, 0.375, 0.5)] == pytest.approx([1e-3, 5e-4, 0.0])


def test_the_bound_of_the_autoencoder() -> None:
    method = start(vae_beta=0.25)
    asked, logged = losses(method, 0)
    torch.testing.assert_close(asked["VAE"], logged["loss/VAE_reconstruction"] + 0.25 * logged["loss/VAE_divergence"])
    torch.manual_seed(0)
    made, mu, log_variance = vae_of(method)(PICTURES)
    normal = torch.distributions.Normal(mu, (0.5 * log_variance).exp())
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(logged["loss/VAE_divergence"], divergence)
    torch.testing.assert_close(logged["loss/VAE_reconstruction"], (made - PICTURES).square().sum() / 2 / 8)


def test_the_autoencoder_is_frozen_and_its_codes_are_standardised() -> None:
    method, clock = start(), Clock(100, 50)
    update = Updater(method.groups, method.nets, clock, fused=False)
    vae = vae_of(method)
    with torch.no_grad():  # as if training had moved the codes away from N(0, 1)
        vae.encoder[-1].bias.copy_(torch.arange(8.0))
    before = {name: weight.clone() for name, weight in vae.named_parameters()}
    for _ in range(3):
        method.step({"image": PICTURES}, update, clock)
    assert all(torch.equal(weight, before[name]) for name, weight in vae.named_parameters())
    with torch.no_grad():
        codes = vae.codes(torch.randn(20_000, 4))
    torch.testing.assert_close(codes.mean(0), torch.zeros(4), atol=0.05, rtol=0)
    torch.testing.assert_close(codes.std(0), torch.ones(4), atol=0.05, rtol=0)


def test_numbers_that_never_move_stay_finite() -> None:
    vae = VAE((8, 8), 1, 4, 4)
    with torch.no_grad():
        vae.encoder[-1].weight.zero_()
    vae.take_statistics(4)
    with torch.no_grad():
        assert vae.codes(torch.randn(8, 4)).abs().max() < 0.1


def test_the_generator_is_given_what_was_asked_for() -> None:
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(3))
    for noise, width in (("codes", 4), ("drawn-codes", 8), ("plain", 4)):
        method = start(noise=noise)
        assert method.latent == width
        losses(method, 50)
        method.nets["G"].eval()
        with torch.no_grad():
            vae = vae_of(method)
            mu, log_variance = vae.encode(vae.decode(z[:, :4]))
            code = {"codes": mu, "drawn-codes": mu + z[:, 4:] * (0.5 * log_variance).exp()}.get(noise)
            given = z[:, :4] if code is None else (code - vae.mean) / vae.deviation
            torch.testing.assert_close(method.infer(method.nets, {"z": z[:, :width]}), method.nets["G"](given))


def test_the_hidden_loss_reaches_the_generator_through_the_frozen_encoder() -> None:
    asked, logged = losses(method := start(hidden=3.0), 50)
    torch.testing.assert_close(asked["G"], logged["loss/G"] + 3 * logged["loss/hidden"])
    weight = method.nets["G"].project.weight
    (gradient,) = torch.autograd.grad(logged["loss/hidden"], weight)
    assert gradient.abs().sum() > 0
    asked, logged = losses(start(hidden=0.0), 50)
    assert "loss/hidden" not in logged and torch.equal(asked["G"], logged["loss/G"])


def test_a_frozen_network_is_copied_into_the_average() -> None:
    """Or the codes of the averaged autoencoder would not be those whose statistics were taken."""
    nets: dict[str, nn.Module] = {"VAE": VAE((8, 8), 1, 4, 4), "G": nn.Linear(2, 2)}
    ema = Ema(nets, half_life=1_000)
    for net in nets.values():
        for weight in net.parameters():
            nn.init.normal_(weight.data)
    ema.update(8, 100_000)
    assert not torch.equal(ema.nets["VAE"].decoder[0].weight, nets["VAE"].decoder[0].weight)
    nets["VAE"].requires_grad_(False)
    nets["VAE"].take_statistics(4)
    ema.update(8, 100_008)
    for key, value in nets["VAE"].state_dict().items():
        assert torch.equal(ema.nets["VAE"].state_dict()[key], value), key
    assert not torch.equal(ema.nets["G"].weight, nets["G"].weight)


@pytest.mark.parametrize("stop", [3, 8])  # steps: in the first stage; at the border, with the statistics still to take
def test_resume_across_the_border(stop: int, pictures: Path, tmp_path: Path) -> None:
    images, every = 16 * tiny.BATCH, stop * tiny.BATCH
    runs = [
        tiny.command("degan", pictures, tmp_path / name, images, save_every=every, keep=20, frames=2, vae_share=0.5)
        for name in ("straight", "broken")
    ]
    for command in runs:
        train(command)
    for path in (runs[1].out / "checkpoints").glob("*.pt"):
        if int(path.name[:12]) > every:
            path.unlink()  # as if killed before it was written
    train(runs[1])
    assert not tiny.differences(tiny.fingerprint(runs[0].out), tiny.fingerprint(runs[1].out))


def test_one_run_one_file_both_stages(pictures: Path, tmp_path: Path) -> None:
    command = tiny.command("degan", pictures, tmp_path / "run", 16 * tiny.BATCH, vae_share=0.5)
    train(command)
    run = Run(command.out)
    lines = [line for line in run.metrics() if line["kind"] == "log"]
    staged = [
        "VAE" if "loss/VAE_reconstruction" in line else "GAN"
        for line in lines
        if "loss/G" in line or "loss/VAE_divergence" in line
    ]
    assert staged == ["VAE"] * 8 + ["GAN"] * 8
    assert min(int(path.stem) for path in run.sample_sheets()) < 8 * tiny.BATCH, "sheets of the first stage"
    model = load(command.out)
    vae = model.nets["VAE"]
    assert isinstance(vae, VAE) and vae.ready and not torch.equal(vae.mean, torch.zeros(128))
    one, two = model.generate([5]).array, model.generate([7, 5, 6]).array
    assert abs(one[0].astype(int) - two[1].astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"vae_share": 1.0}, "leaves nothing for the generator"), ({"vae_beta": 2.0}, "at most 1")],
)
def test_bad_numbers_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        start(**changes)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (12, 20), (64, 32)])
@pytest.mark.parametrize("dense", [(), (16, 8)])
def test_autoencoders_of_any_size(size: tuple[int, int], dense: tuple[int, ...]) -> None:
    vae = VAE(size, 3, 5, 4, dense)
    x = torch.rand(2, 3, *size) * 2 - 1
    made, mu, log_variance = vae(x)
    assert made.shape == x.shape and made.abs().max() <= 1 and mu.shape == log_variance.shape == (2, 5)
    assert vae.features(x).dim() == 2
    assert vae.codes(torch.randn(3, 10)).shape == (3, 5)
