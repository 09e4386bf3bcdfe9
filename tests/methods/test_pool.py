"""The pool of fakes: what it hands out, and that its state is exact."""

from __future__ import annotations

import io

import torch

from limner.methods.pool import Pool


def numbered(start: int, count: int) -> torch.Tensor:
    return torch.arange(start, start + count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_the_first_ones_are_kept_and_handed_through() -> None:
    pool = Pool(50)
    for start in range(0, 50, 5):
        assert torch.equal(pool.swap(numbered(start, 5)), numbered(start, 5))
    assert [int(kept[0, 0, 0]) for kept in pool.kept] == list(range(50))


def test_half_of_the_later_ones_are_swapped() -> None:
    torch.manual_seed(0)
    pool = Pool(50)
    pool.swap(numbered(0, 50))
    swapped = 0
    inside = set(range(50))
    for number in range(50, 2050):
        given = int(pool.swap(numbered(number, 1))[0, 0, 0, 0])
        if given != number:
            swapped += 1
            inside = inside - {given} | {number}  # a fake is given at most once from the pool, and its place taken
        assert {int(kept[0, 0, 0]) for kept in pool.kept} == inside
    assert 900 < swapped < 1100


def test_a_batch_that_fills_the_pool_half_way() -> None:
    pool = Pool(3)
    given = pool.swap(numbered(0, 5))
    assert given[:3, 0, 0, 0].tolist() == [0, 1, 2] and len(pool.kept) == 3


def test_nothing_is_kept_without_places() -> None:
    pool = Pool(0)
    fakes = numbered(0, 4)
    assert torch.equal(pool.swap(fakes), fakes) and pool.state_dict() == {"kept": []}


def test_no_gradient_and_no_tie_to_what_was_given() -> None:
    pool = Pool(2)
    fakes = torch.zeros(2, 3, 2, 2, requires_grad=True) + 1
    given = pool.swap(fakes)
    assert not given.requires_grad and not any(kept.requires_grad for kept in pool.kept)
    given.add_(5)
    assert all(kept.max() == 1 for kept in pool.kept)
    assert all(kept.untyped_storage().nbytes() == kept.numel() * 4 for kept in pool.kept), "views save whole batches"


def test_memory_format_stays() -> None:
    pool = Pool(2)
    fakes = torch.randn(3, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    assert pool.swap(fakes).is_contiguous(memory_format=torch.channels_last)
    assert pool.swap(fakes.contiguous()).is_contiguous()


def test_state_makes_an_exact_twin() -> None:
    """What is handed out depends on the kept fakes and torch's global generator alone."""
    pool, twin = Pool(4), Pool(4)
    torch.manual_seed(1)
    for start in range(0, 30, 3):
        pool.swap(torch.randn(3, 3, 4, 4) + start)
    stream = io.BytesIO()
    torch.save(pool.state_dict(), stream)
    stream.seek(0)
    twin.load_state_dict(torch.load(stream, weights_only=True))
    later = [torch.randn(3, 3, 4, 4) for _ in range(20)]
    torch.manual_seed(2)
    given = [pool.swap(fakes) for fakes in later]
    torch.manual_seed(2)
    assert all(torch.equal(twin.swap(fakes), first) for fakes, first in zip(later, given, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(pool.kept, twin.kept, strict=True))
