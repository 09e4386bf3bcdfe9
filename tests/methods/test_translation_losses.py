"""One step of every method that translates, against its losses written out in the plainest way."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Method, Spec
from limner.engine.update import Updater
from limner.methods import build
from limner.presets.cut import CUTSettings
from limner.presets.cyclegan import CycleGANSettings
from limner.presets.discogan import DiscoGANSettings
from limner.presets.pix2pix import Pix2PixSettings
from limner.presets.translation import PatchSettings

SIZE = 32
SMALL: dict[str, Any] = {"filters": 4, "d_filters": 4}


def pictures(seed: int, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


X, Y = pictures(1), pictures(2)


def one_step(method: Method, progress: float = 0.0) -> tuple[dict[str, Tensor], dict[str, Tensor], list[str]]:
    """The losses that a step asks to train on (weights stay as they are), its scalars, and the order of updates."""
    asked: dict[str, Tensor] = {}
    torch.manual_seed(11)
    clock = Clock(100, images=int(100 * progress))
    scalars = method.step({"A": X, "B": Y}, lambda **losses: asked.update(losses), clock)
    return {name: loss.detach() for name, loss in asked.items()}, scalars, list(asked)


def made(name: str, settings: PatchSettings | DiscoGANSettings) -> tuple[Method, Any]:
    method = build(name, settings, Spec(3, SIZE, SIZE, channels_in=3), seed=3)
    return method, {name: copy.deepcopy(net) for name, net in method.nets.items()}


def bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def mse(logits: Tensor, target: float) -> Tensor:
    return ((logits - target) ** 2).mean()


def test_pix2pix() -> None:
    method, nets = made("pix2pix", Pix2PixSettings(**SMALL))
    losses, scalars, order = one_step(method)
    fake = nets["G"](X)
    on_real, on_fake = nets["D"](torch.cat((X, Y), 1)), nets["D"](torch.cat((X, fake), 1))
    torch.testing.assert_close(losses["D"], 0.5 * (bce(on_real, 1.0) + bce(on_fake, 0.0)))
    torch.testing.assert_close(losses["G"], bce(on_fake, 1.0) + 100 * (fake - Y).abs().mean())
    torch.testing.assert_close(scalars["loss/L1"], (fake - Y).abs().mean())
    torch.testing.assert_close(scalars["accuracy/real"], (on_real > 0).float().mean())
    torch.testing.assert_close(scalars["accuracy/fake"], (on_fake < 0).float().mean())
    assert order == ["D", "G"]


def test_pix2pix_with_least_squares_and_feature_matching() -> None:
    """As in the maps report, the squares are not halved; D's loss is not either."""
    settings = Pix2PixSettings(**SMALL, loss="least-squares", halve_d=False, feature_matching=10.0, d_norm="none")
    method, nets = made("pix2pix", settings)
    losses, _, _ = one_step(method)
    fake = nets["G"](X)
    on_real, seen_real = nets["D"](torch.cat((X, Y), 1), features=True)
    on_fake, seen_fake = nets["D"](torch.cat((X, fake), 1), features=True)
    torch.testing.assert_close(losses["D"], mse(on_real, 1.0) + mse(on_fake, 0.0))
    matching = sum((a - b).abs().mean() for a, b in zip(seen_real, seen_fake, strict=True)) / len(seen_real)
    torch.testing.assert_close(losses["G"], mse(on_fake, 1.0) + 100 * (fake - Y).abs().mean() + 10 * matching)


def test_pix2pix_with_pairs_and_penalties() -> None:
    method, nets = made("pix2pix", Pix2PixSettings(**SMALL, loss="relativistic", gamma=3.0, halve_d=False))
    losses, _, _ = one_step(method)
    fake = nets["G"](X)
    real_leaf, fake_leaf = Y.clone().requires_grad_(), fake.detach().clone().requires_grad_()
    on_real, on_fake = nets["D"](torch.cat((X, real_leaf), 1)), nets["D"](torch.cat((X, fake_leaf), 1))
    patches = on_real[0].numel()
    lengths = [
        torch.autograd.grad(logits.sum(), leaf, retain_graph=True)[0].square().sum() / len(X) / patches
        for logits, leaf in ((on_real, real_leaf), (on_fake, fake_leaf))
    ]
    expected = F.softplus(on_fake - on_real).mean() + 3.0 / 2 * (lengths[0] + lengths[1])
    torch.testing.assert_close(losses["D"], expected.detach())
    torch.testing.assert_close(losses["G"], F.softplus(on_real - on_fake).mean() + 100 * (fake - Y).abs().mean())


@pytest.mark.parametrize("kind", ["pixel", "image", "residual", "patch"])
def test_means_over_scales(kind: Any) -> None:
    settings = Pix2PixSettings(**SMALL, d_kind=kind, d_layers=1, d_scales=2, d_norm="none", feature_matching=1.0)
    method, nets = made("pix2pix", settings)
    losses, scalars, _ = one_step(method)
    on_real, on_fake = nets["D"](torch.cat((X, Y), 1)), nets["D"](torch.cat((X, nets["G"](X)), 1))
    scales = [0.5 * (bce(r, 1.0) + bce(f, 0.0)) for r, f in zip(on_real, on_fake, strict=True)]
    assert len(scales) == 2
    torch.testing.assert_close(losses["D"], (scales[0] + scales[1]) / 2)
    assert scalars["loss/features"].isfinite()


def test_cyclegan() -> None:
    method, nets = made("cyclegan", CycleGANSettings(**SMALL, blocks=1))
    losses, scalars, order = one_step(method)
    fake_b, fake_a = nets["G_AB"](X), nets["G_BA"](Y)
    cycle = (nets["G_BA"](fake_b) - X).abs().mean() + (nets["G_AB"](fake_a) - Y).abs().mean()
    identity = (nets["G_AB"](Y) - Y).abs().mean() + (nets["G_BA"](X) - X).abs().mean()
    fooled = mse(nets["D_B"](fake_b), 1.0) + mse(nets["D_A"](fake_a), 1.0)
    torch.testing.assert_close(losses["G"], fooled + 10 * cycle + 5 * identity)
    # the pools hand the first fakes through
    of_a = 0.5 * (mse(nets["D_A"](X), 1.0) + mse(nets["D_A"](fake_a), 0.0))
    of_b = 0.5 * (mse(nets["D_B"](Y), 1.0) + mse(nets["D_B"](fake_b), 0.0))
    torch.testing.assert_close(losses["D"], of_a + of_b)
    torch.testing.assert_close(scalars["loss/D_A"], of_a)
    torch.testing.assert_close(scalars["loss/G_AB"], mse(nets["D_B"](fake_b), 1.0))
    assert order == ["G", "D"]
    assert [len(pool.kept) for pool in method.extras.values()] == [2, 2]


def test_cyclegan_with_pairs_keeps_no_pool() -> None:
    method, nets = made("cyclegan", CycleGANSettings(**SMALL, blocks=1, loss="relativistic"))
    losses, _, _ = one_step(method)
    plain = sum(
        F.softplus(nets[judge](fake) - nets[judge](real)).mean() / 2
        for judge, fake, real in (("D_A", nets["G_BA"](Y), X), ("D_B", nets["G_AB"](X), Y))
    )
    assert losses["D"] > plain, "the penalties are not felt"
    assert all(not pool.kept for pool in method.extras.values())


def test_discogan() -> None:
    method, nets = made("discogan", DiscoGANSettings(filters=4))
    with torch.no_grad():
        fake_b, fake_a = nets["G_AB"](X), nets["G_BA"](Y)
    losses, _, order = one_step(method)
    assert order == ["D"]
    sides = [
        0.5 * (bce(nets[judge](real), 1.0) + bce(nets[judge](fake), 0.0))
        for judge, real, fake in (("D_A", X, fake_a), ("D_B", Y, fake_b))
    ]
    torch.testing.assert_close(losses["D"], sides[0] + sides[1])
    for progress, rate in ((0.1, 0.01), (0.2, 0.5)):
        losses, scalars, order = one_step(method, progress)
        assert order == ["G"]
        total = 0.0
        for judge, real, fake, back, start in (
            ("D_B", Y, nets["G_AB"](X), nets["G_BA"](nets["G_AB"](X)), X),
            ("D_A", X, nets["G_BA"](Y), nets["G_AB"](nets["G_BA"](Y)), Y),
        ):
            logits, seen = nets[judge](fake, features=True)
            _, wanted = nets[judge](real, features=True)
            matching = sum(((w.mean(0) - s.mean(0)) ** 2).mean() for w, s in zip(wanted, seen, strict=True))
            reconstruction = ((back - start) ** 2).mean()
            total = total + (1 - rate) * (0.1 * bce(logits, 1.0) + 0.9 * matching) + rate * reconstruction
        torch.testing.assert_close(losses["G"], total)
        torch.testing.assert_close(scalars["loss/cycle_B"], ((nets["G_AB"](nets["G_BA"](Y)) - Y) ** 2).mean())


@pytest.mark.parametrize("fast", [False, True])
def test_cut(fast: bool) -> None:
    recipe: dict[str, Any] = {"nce": 10.0, "nce_identity": False, "flip": True} if fast else {}
    layers = (0, 4, 8, 12)
    method, nets = made("cut", CUTSettings(**SMALL, blocks=1, nce_layers=layers, nce_patches=7, nce_width=8, **recipe))
    losses, _, order = one_step(method)
    torch.manual_seed(11)
    flipped = fast and bool(torch.rand(()) < 0.5)
    assert flipped == fast, "choose a seed that flips"
    fake = nets["G"](X.flip(3) if flipped else X)

    def nce(source: Tensor, result: Tensor, mirrored: bool) -> Tensor:
        per_layer = []
        before, after = nets["G"].encode(source, layers), nets["G"].encode(result, layers)
        for head, k, q in zip(nets["F"].heads, before, after, strict=True):
            q = q.flip(3) if mirrored else q
            places = torch.randperm(k.shape[2] * k.shape[3])[:7]
            rows, columns = places // k.shape[3], places % k.shape[3]
            per_picture = []
            for i in range(len(k)):
                key = F.normalize(head(k[i][:, rows, columns].T), dim=1)
                query = F.normalize(head(q[i][:, rows, columns].T), dim=1)
                own = (query * key).sum(1, keepdim=True)
                others = query @ key.T
                others.fill_diagonal_(-10.0)
                scores = torch.cat((own, others), 1) / 0.07
                per_picture.append(F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long)))
            per_layer.append(sum(per_picture) / len(per_picture))
        return sum(per_layer) / len(per_layer)

    fooled = mse(nets["D"](fake), 1.0)
    kept = nce(X, fake, flipped)
    expected = 10 * kept if fast else (kept + nce(Y, nets["G"](Y), False)) / 2
    torch.testing.assert_close(losses["G"], (fooled + expected).detach())
    torch.testing.assert_close(losses["D"], 0.5 * (mse(nets["D"](Y), 1.0) + mse(nets["D"](fake), 0.0)).detach())
    assert order == ["D", "G"]


def test_g_learns_against_the_d_just_updated() -> None:
    settings = Pix2PixSettings(**SMALL, lr_d=0.1)
    method, nets = made("pix2pix", settings)
    clock = Clock(100)
    scalars = method.step({"A": X, "B": Y}, Updater(method.groups, method.nets, clock, fused=False), clock)
    pair = torch.cat((X, nets["G"](X)), 1)
    torch.testing.assert_close(scalars["loss/G"], bce(method.nets["D"](pair), 1.0))
    assert abs(scalars["loss/G"] - bce(nets["D"](pair), 1.0)) > 1e-2


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "cut"])
def test_penalties_change_gradients(name: str) -> None:
    """R1 and R2 are not only reported: D's gradient is another, and steep judges become flatter by it."""
    settings = {"pix2pix": Pix2PixSettings, "cyclegan": CycleGANSettings, "cut": CUTSettings}[name]
    gradients = []
    for gamma in (0.0, None, 10.0):
        method, _ = made(name, settings(**SMALL, loss="relativistic", gamma=gamma))
        judge: nn.Module = next(net for key, net in method.nets.items() if key.startswith("D"))
        found: list[Tensor] = []

        def update(judge: nn.Module = judge, found: list[Tensor] = found, **losses: Tensor) -> None:
            if "D" in losses:
                found += torch.autograd.grad(losses["D"], list(judge.parameters()), allow_unused=True)

        torch.manual_seed(11)
        method.step({"A": X, "B": Y}, update, Clock(100))
        gradients.append(torch.cat([g.flatten() for g in found if g is not None]))
    assert not torch.allclose(gradients[0], gradients[1]), "the relativistic loss has no penalty by default"
    small, large = gradients[1] - gradients[0], gradients[2] - gradients[0]
    assert torch.cosine_similarity(large, small, dim=0) > 0.999
    assert (large.norm() / small.norm()).item() == pytest.approx(10, rel=1e-2)


def test_reals_and_fakes_of_a_step_are_varied_alike() -> None:
    """D sees input, target and output moved and cleared at the same places; inputs keep their colours."""
    settings = Pix2PixSettings(**SMALL, d_augment=("colour", "translation", "cutout"))
    method, _ = made("pix2pix", settings)
    shown: list[Tensor] = []
    method.nets["D"].register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].detach()))
    one_step(method)
    assert len(shown) == 3
    assert torch.equal(shown[0][:, :3], shown[1][:, :3]) and torch.equal(shown[1], shown[2])
    inputs, targets = shown[0][:, :3], shown[0][:, 3:]
    assert torch.equal(inputs == 0, targets == 0) and (inputs == 0).any()
    assert set(inputs.unique().tolist()) <= {0.0, *X.unique().tolist()}
    assert not set(targets.unique().tolist()) <= {0.0, *Y.unique().tolist()}
