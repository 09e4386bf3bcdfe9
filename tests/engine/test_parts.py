"""The engine's small parts: updates, averages, checkpoints, schedules, the ledger."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from limner.core import files
from limner.core.clock import Clock
from limner.core.config import EngineConfig
from limner.core.contract import ParamGroup
from limner.core.errors import UserError
from limner.core.schedule import Schedule, constant
from limner.engine.distributed import Ranks
from limner.engine.ema import Ema
from limner.engine.ledger import Ledger
from limner.engine.machine import resolve
from limner.engine.state import Checkpoints, restore_state
from limner.engine.update import Updater


def updater(nets: dict[str, nn.Module], lr: Schedule | None = None, clock: Clock | None = None) -> Updater:
    groups = {name: ParamGroup((name,), lr or constant(0.1)) for name in nets}
    return Updater(groups, nets, clock or Clock(100), fused=False)


def test_update_trains_its_own_group_alone() -> None:
    nets: dict[str, nn.Module] = {"G": nn.Linear(2, 2), "D": nn.Linear(2, 1)}
    before = nets["D"].weight.clone()
    update = updater(nets)
    update(G=nets["D"](nets["G"](torch.ones(3, 2))).mean())
    assert torch.equal(nets["D"].weight, before)
    assert nets["D"].weight.grad is None, "gradients that nobody uses were computed"
    update(D=nets["D"](nets["G"](torch.ones(3, 2)).detach()).mean())
    assert not torch.equal(nets["D"].weight, before)


def test_simultaneous_update_takes_both_gradients_first() -> None:
    def both(together: bool) -> torch.Tensor:
        torch.manual_seed(0)
        nets: dict[str, nn.Module] = {"G": nn.Linear(2, 2), "D": nn.Linear(2, 1)}
        update = updater(nets)
        judged = nets["D"](nets["G"](torch.ones(3, 2)))
        if together:
            update(D=judged.square().mean(), G=-judged.mean())
            return nets["G"].weight
        return torch.autograd.grad(-judged.mean(), nets["G"].weight)[0]

    torch.manual_seed(0)
    begun = nn.Linear(2, 2).weight
    moved = both(True) - begun
    assert torch.equal(moved.sign(), -both(False).sign())  # Adam's first step follows the gradient's sign


def test_rate_follows_the_clock_and_health() -> None:
    clock = Clock(100)
    update = updater({"G": nn.Linear(1, 1)}, Schedule(1.0, 0.0), clock)
    clock.advance(25)
    assert update.rate("G") == 0.75
    update.lr_scale = 0.5
    assert update.rate("G") == 0.375


def test_schedules() -> None:
    late = Schedule(2.0, 0.0, begin=0.5, shape="cosine")
    assert [late(p) for p in (0.0, 0.5, 0.75, 1.0, 2.0)] == [2.0, 2.0, pytest.approx(1.0), 0.0, 0.0]
    assert [Schedule(1.0, 0.01, shape="geometric")(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.1, 0.01])
    assert constant(3.0)(0.4) == 3.0


def test_clock_is_due_when_a_multiple_is_crossed() -> None:
    clock, due = Clock(50), []
    while not clock.done:
        clock.advance(8)
        if clock.due(20):
            due.append(clock.images)
    assert due == [24, 40, 56]


def test_ema_has_the_half_life_it_says() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    ema = Ema({"G": net}, half_life=100)
    nn.init.ones_(net.weight)
    for i in range(10):
        ema.update(10, 1_000_000 + 10 * i)
    assert ema.nets["G"].weight.item() == pytest.approx(0.5)


def test_ema_warms_up_and_averages_running_statistics() -> None:
    net = nn.BatchNorm2d(2)
    ema = Ema({"G": net}, half_life=10_000)
    net.running_mean.fill_(1.0)
    net.num_batches_tracked.fill_(7)
    ema.update(batch=64, images=64)  # half-life 3.2 images: all but a copy
    assert ema.nets["G"].running_mean[0].item() > 0.999
    assert ema.nets["G"].num_batches_tracked.item() == 7
    assert not ema.nets["G"].training


def test_ema_off_is_the_net_itself() -> None:
    net = nn.Linear(3, 3)
    ema = Ema({"G": net}, half_life=0)
    nn.init.normal_(net.weight)
    ema.update(8, 8)
    assert torch.equal(ema.nets["G"].weight, net.weight)


def test_checkpoints_keep_the_newest_and_skip_the_damaged(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for images in (100, 200, 300):
        checkpoints.save({"images": images}, images)
    assert [path.name[:12] for path in checkpoints.files()] == ["000000000200", "000000000300"]
    newest = checkpoints.files()[-1]
    damaged = bytearray(newest.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    newest.write_bytes(damaged)
    with pytest.warns(UserWarning, match="damaged and skipped"):
        content = checkpoints.latest()
    assert content is not None
    assert files.sha256_of(content)[:16] in checkpoints.files()[0].name


def test_a_checkpoint_saved_twice_at_one_moment_replaces_itself(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.save({"lr_scale": 1.0}, 100)
    checkpoints.save({"lr_scale": 0.5}, 100)  # after health went back
    assert len(checkpoints.files()) == 1
    content = checkpoints.latest()
    assert content is not None and torch.load(__import__("io").BytesIO(content))["lr_scale"] == 0.5


def test_best_checkpoint_is_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save_best(checkpoints.save({"images": 1}, 1), 40.0)
    checkpoints.save_best(checkpoints.save({"images": 2}, 2), 36.8)
    for images in (3, 4):
        checkpoints.save({"images": images}, images)
    best = checkpoints.best()
    assert best is not None and best[1] == 36.8 and best[0].name.startswith("000000000002-")
    assert len(list((tmp_path / "best").glob("*.pt"))) == 1


def test_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"images": 1}, 1)
    before = checkpoints.latest()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*untouched.*free some space"):
        checkpoints.save({"images": 2}, 2)
    monkeypatch.undo()
    assert checkpoints.latest() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_disk_that_fills_while_pytorch_writes_loses_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are a POSIX thing")
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"images": 1}, 1)
    before, limits = checkpoints.latest(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"File too large.*untouched.*free some space"):
            checkpoints.save({"images": 2, "weights": torch.zeros(10**6)}, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoints.latest() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_state_of_another_method_is_refused() -> None:
    with pytest.raises(UserError, match="made by another method"):
        restore_state({"G": nn.Linear(1, 1)}, {"F": {}})
    with pytest.raises(UserError, match="G does not fit"):
        restore_state({"G": nn.Linear(1, 1)}, {"G": nn.Linear(2, 2).state_dict()})


def test_ledger_means_count_only_steps_that_spoke() -> None:
    ledger = Ledger()
    ledger.add({"loss/D": torch.tensor(1.0)})
    ledger.add({"loss/D": torch.tensor(3.0), "loss/G": torch.tensor(5.0)})
    saved = ledger.state_dict()
    assert ledger.read() == {"loss/D": 2.0, "loss/G": 5.0}
    assert ledger.read() == {}
    ledger.load_state_dict(saved)
    assert ledger.read() == {"loss/D": 2.0, "loss/G": 5.0}


def test_engine_settings_are_switchable_and_absent_devices_refused() -> None:
    machine = resolve(EngineConfig(device="cpu", channels_last="off", fused="off", threads=1), Ranks(), 64)
    assert (machine.channels_last, machine.fused, machine.threads, machine.precision) == (False, False, 1, "fp32")
    assert [resolve(EngineConfig(device="cpu"), Ranks(), batch).channels_last for batch in (1, 64)] == [False, True]
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no CUDA GPU here"):
            resolve(EngineConfig(device="cuda"), Ranks(), 64)


def test_without_an_average_the_networks_themselves_are_used() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    ema = Ema({"G": net}, half_life=0)
    stepper = torch.optim.Adam(net.parameters(), fused=True)
    for images in (4, 8):
        net(torch.randn(4, 1, 5, 5)).square().sum().backward()
        stepper.step()
        ema.update(4, images)
    for name, tensor in ema.nets["G"].state_dict().items():
        assert tensor.data_ptr() == net.state_dict()[name].data_ptr(), name
    assert not ema.nets["G"].training and net.training
    assert all(parameter.requires_grad for parameter in net.parameters())
