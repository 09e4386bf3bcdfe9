"""What must be set before PyTorch is imported, and the first call made to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_DEFAULTS = {
    # Threads that spin for long at OpenMP's barriers slow a step down as soon as any other process is busy; threads
    # that sleep at once make small networks twice as slow alone. A short spin does neither (GNU's, then Intel's name).
    "GOMP_SPINCOUNT": "10000",
    "KMP_BLOCKTIME": "1",
    # Hugging Face and Gradio libraries phone home or look for updates unless told not to.
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def prepare() -> None:
    """Set the process up before PyTorch is imported; what the user has set in the environment is left alone."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def first_torch_call() -> None:
    """Flush denormals to zero, which OpenMP's threads inherit only when it is the process's very first torch call.

    Values near 1e-39 make a convolution a hundred times slower.
    """
    import torch

    torch.set_flush_denormal(True)
    if sys.platform == "linux":
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    # A step frees and asks for the same large tensors; glibc gives each back to the system, which then clears it page
    # by page at the next use: ten thousand page faults a step, 5-10 % of its time. Other C libraries have no such call.
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((-3, 1 << 25), (-1, (1 << 31) - 1), (-2, 1 << 26)):  # mmap from, trim above, top pad
            mallopt(parameter, value)
        mallopt(-8, 1)  # one arena: else every thread that has computed keeps as much for itself
