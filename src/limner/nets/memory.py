"""Trading time for memory: blocks whose insides are computed again when the backward pass needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, *inputs: Tensor, on: bool) -> Tensor:
    """Run a block; when `on`, forget all but its inputs and compute the rest again in the backward pass.

    Outputs, gradients, dropout masks and running statistics are those of the plain call. The block must leave its
    inputs as they are. Without training there is nothing to forget, and `on` does nothing.
    """
    if not (on and block.training and torch.is_grad_enabled()):
        return block(*inputs)
    options: dict[str, Any] = {"use_reentrant": False}
    if not torch.compiler.is_compiling():  # a compiled graph keeps what it writes to buffers out of the second run
        options["context_fn"] = _contexts(block)
    return checkpoint(block, *inputs, **options)


def _contexts(block: nn.Module) -> Callable[[], tuple[Any, Any]]:
    return lambda: (contextlib.nullcontext(), _keep_statistics(block))


@contextlib.contextmanager
def _keep_statistics(block: nn.Module) -> Iterator[None]:
    # The second run of a batch is no second batch: BatchNorm's running statistics have seen it, so it gets copies. They
    # cannot be left out, since both runs must save equally many tensors.
    kept = [(m, name, b) for m in block.modules() for name, b in m.named_buffers(recurse=False)]
    try:
        for module, name, buffer in kept:
            setattr(module, name, buffer.clone())
        yield
    finally:
        for module, name, buffer in kept:
            setattr(module, name, buffer)
