"""Run by torchrun: join, build an optimizer, leave, and see that the group is gone, and gloo's threads with it."""

from __future__ import annotations

import weakref

import torch
import torch.distributed as dist

from limner.engine import distributed


def main() -> None:
    with distributed.ranks("cpu") as here:
        assert here.world == 2
        group = weakref.ref(dist.distributed_c10d._get_default_group())
        torch.optim.Adam([torch.zeros(1)])  # which imports more of torch.distributed
        distributed.barrier()
    distributed._leave()
    assert group() is None, "something holds the group: gloo's threads go on into Python's end"


if __name__ == "__main__":
    main()
