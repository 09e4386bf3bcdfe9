"""Train generative adversarial networks on your own pictures.

>>> import limner
>>> run = limner.train("dcgan", data="photos", out="runs/photos", size=64)
>>> limner.load(run).generate(count=16)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limner.core.errors import UserError
from limner.core.version import VERSION as __version__

if TYPE_CHECKING:
    from limner.api import evaluate, generate, load, train, translate
    from limner.inference import Pictures, Pipeline

__all__ = ["Pictures", "Pipeline", "UserError", "__version__", "evaluate", "generate", "load", "train", "translate"]


def __getattr__(name: str) -> Any:
    # Importing limner is quick; PyTorch is loaded by the first thing that needs it.
    if name in ("Pictures", "Pipeline"):
        from limner import inference

        return getattr(inference, name)
    if name in ("train", "generate", "translate", "load", "evaluate"):
        from limner import api

        return getattr(api, name)
    raise AttributeError(f"module 'limner' has no attribute {name!r}")
