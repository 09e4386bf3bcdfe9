"""How much memory a run needs, foretold before its first step; and what to do when there is too little."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from limner.core.clock import Clock
from limner.core.config import TrainConfig
from limner.core.contract import Method, Spec
from limner.core.errors import UserError

PROCESS = 900 * 2**20  # bytes: Python and PyTorch, and what convolutions take for themselves, as measured on a CPU
MOMENTS = 2  # of Adam, as large as the weights each
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def expected(config: TrainConfig, method: Method, spec: Spec, world: int = 1) -> int | None:
    """Bytes that one process is likely to hold at the most while it trains a method of this kind.

    A step is played on pictures that have shapes and no numbers, and the tensors alive at once are added up. None when
    the method computes something that cannot be played so, or does not take pictures of this size.
    """
    with torch.random.fork_rng(devices=[]), Live() as live:
        try:
            with torch.device("meta"):
                copy, batch = type(method)(config.settings, spec), _batch(config, spec, world)
            weights = live.now
            copy.step(batch, _Play(copy), Clock(10**9))
        except (NotImplementedError, RuntimeError, UserError):
            return None
    return PROCESS + weights * (MOMENTS + (config.ema != 0)) + live.peak


def available(device: str) -> int:
    """Bytes that this machine, or the container that it is, can still give to `device`."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    bounds = [_limit(Path(name)) for name in LIMITS]
    facts = Path("/proc/meminfo")
    if facts.is_file():
        lines = dict(line.split(":", 1) for line in facts.read_text(encoding="ascii").splitlines())
        bounds.append(int(lines["MemAvailable"].split()[0]) * 1024)
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        bounds.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(bounds, default=2**62)


def advice(config: TrainConfig, method: Method, spec: Spec, world: int, room: int) -> str:
    """What would fit into `room` bytes: a smaller batch, then smaller pictures, as flags to type."""
    batch, least = config.batch, method.smallest_batch * world
    while batch // 2 >= least:
        batch //= 2
        need = expected(dataclasses.replace(config, batch=batch), method, spec, world)
        if need is not None and need <= room:
            return f"--batch {batch} is expected to fit, with about {words(need)}"
    config = dataclasses.replace(config, batch=least)
    for share in (0.75, 0.5, 0.375, 0.25):
        height, width = (max(32, round(side * share / 32) * 32) for side in (spec.height, spec.width))
        smaller = dataclasses.replace(spec, height=height, width=width)
        need = expected(config, method, smaller, world)
        if need is not None and need <= room:
            size = f"{height}" if height == width else f"{height}x{width}"
            return f"--size {size} --batch {config.batch} is expected to fit, with about {words(need)}"
    return "take a smaller --size, a smaller --batch, or fewer --filters"


@contextlib.contextmanager
def advised(config: TrainConfig, method: Method, spec: Spec, device: str, world: int) -> Iterator[None]:
    """Turn running out of memory into a UserError that says what would fit."""
    room = available(device)
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        need = expected(config, method, spec, world)
        found = "" if need is None else f" It was expected to need about {words(need)}, and {words(room)} were free."
        raise UserError(
            f"out of memory in a step of {config.preset} at {spec.height}x{spec.width} px, --batch {config.batch}."
            f"{found} {_sentence(advice(config, method, spec, world, room))} That is another run, so give it another "
            "--out; what this one had saved stays."
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether PyTorch, on any device, or Python ran out of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and ("can't allocate memory" in str(error) or "out of memory" in str(error))


def words(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{max(1, round(count / 2**20))} MB"


class Live(TorchDispatchMode):
    """Adds up the storage of the tensors that operations make while it is open; `peak` is the most alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        return made

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.known:
            return
        self.known.add(key)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


class _Play:
    # What `update` does, as far as memory is concerned: the gradients of a group, kept until its next turn.
    def __init__(self, method: Method) -> None:
        self.method = method
        self.gradients: dict[str, Any] = {}

    def __call__(self, **losses: Tensor) -> None:
        for number, (name, loss) in enumerate(losses.items(), 1):
            nets = (self.method.nets[net] for net in self.method.groups[name].nets)
            weights = [weight for net in nets for weight in net.parameters() if weight.requires_grad]
            self.gradients[name] = torch.autograd.grad(
                loss, weights, retain_graph=number < len(losses), allow_unused=True
            )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _batch(config: TrainConfig, spec: Spec, world: int) -> dict[str, Tensor]:
    count = math.ceil(config.batch / world)
    pictures = torch.zeros(count, spec.channels, spec.height, spec.width)
    if spec.channels_in:
        return {"A": torch.zeros(count, spec.channels_in, spec.height, spec.width), "B": pictures}
    labels = {"label": torch.zeros(count, dtype=torch.int64)} if spec.classes else {}
    return {"image": pictures, **labels}


def _limit(path: Path) -> int:
    # of a container, if there is one that has a limit
    try:
        text = path.read_text(encoding="ascii").strip()
        limit = int(text) if text.isdigit() else 2**62
        used = int(
            path.with_name("memory.current" if path.name == "memory.max" else "memory.usage_in_bytes").read_text()
        )
    except (OSError, ValueError):
        return 2**62
    return max(0, limit - used)
