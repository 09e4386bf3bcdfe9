"""What must be set before PyTorch is imported, and the first call made to it."""

from __future__ import annotations

import os

_DEFAULTS = {
    # Threads that spin at OpenMP's barriers make a step many times slower as soon as any other process is busy.
    "OMP_WAIT_POLICY": "passive",
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
