"""Features of the Inception of FID, whatever file its weights come in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from limner.core.errors import UserError, listing, unknown
from limner.core.weights import FID_INCEPTION, find
from limner.metrics.metric import Extractor, Features
from limner.metrics.resize import PROTOCOLS, for_inception
from limner.nets.inception import ANSWERS, FEATURES, InceptionV3

BATCH = 16  # pictures in one pass: more only take more memory

# name -> [shape, first 16 hexadecimal digits of the SHA-256 of its float32 bytes] of every tensor that a feature needs
TENSORS: dict[str, tuple[list[int], str]] = json.loads(
    Path(__file__).with_name("inception_tensors.json").read_text(encoding="utf-8")
)


class Inception(Extractor):
    """2048 features of TensorFlow's Inception of December 2015, the network of every published FID.

    `weights` of the constructor is a file, a folder, or None for the usual places; safetensors, the .pth of pytorch-fid
    and torch-fidelity, and NVIDIA's TorchScript do, also saved anew by somebody, for tensors are recognised by what
    they hold. So the attribute `weights` stands for the tensors and not for the file: the first digits of the SHA-256
    of TENSORS, the same for all of them. `resize` is one of limner.metrics.resize.PROTOCOLS.

    Weights with a last layer give logits too, without its bias, as the published Inception Scores use them; `answers`
    then are the numbers of its 1008 classes.

    Errors: UserError when the weights are not found, damaged, or of another network.
    """

    name = "inception"
    weights = hashlib.sha256(json.dumps(TENSORS, sort_keys=True).encode()).hexdigest()[:8]
    dimensions = FEATURES

    def __init__(
        self, weights: Path | None = None, resize: str = "pytorch-fid", download: bool = False, device: str = "cpu"
    ) -> None:
        if resize not in PROTOCOLS:
            raise unknown("resize protocol", resize, PROTOCOLS)
        self.resize = resize
        self._device = device
        tensors = recognise(find(FID_INCEPTION, weights, download))
        self._network = InceptionV3(tensors).to(device)
        self.answers = tuple(map(str, range(ANSWERS))) if "fc.weight" in tensors else ()

    def extract(self, pictures: Sequence[np.ndarray]) -> Features:
        batches = (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
        with torch.inference_mode(), _full_precision(self._device):
            # what was seen stays where it is until the end, so that a graphics card computes while we scale
            seen = [self._network(for_inception(batch, self.resize, self._device)) for batch in batches]
        vectors = _join([vectors for vectors, _ in seen], FEATURES)
        return Features(vectors, _join([logits for _, logits in seen], ANSWERS) if self.answers else None)


def recognise(path: Path) -> dict[str, Tensor]:
    """Read a file of weights and return the tensors of TENSORS by their names, and `fc.weight` where there is one.

    Errors: UserError when the file cannot be read, or a tensor is missing or holds other numbers.
    """
    names: dict[str, list[str]] = {}
    for name, (_, digest) in TENSORS.items():
        names.setdefault(digest, []).append(name)  # equal tensors may serve several
    found: dict[str, Tensor] = {}
    for tensor in _tensors(_read(path)):
        if tuple(tensor.shape) == (ANSWERS, FEATURES) and bool(tensor.isfinite().all()):
            found["fc.weight"] = tensor.float()
            continue
        content = tensor.detach().float().contiguous()
        digest = hashlib.sha256(content.numpy().tobytes()).hexdigest()[:16]
        found |= {name: content.reshape(TENSORS[name][0]) for name in names.get(digest, ())}
    missing = [name for name in TENSORS if name not in found]
    if not missing:
        return found
    if len(missing) == len(TENSORS):
        raise UserError(
            f"{path} holds another network than the Inception of FID (December 2015): none of its tensors. The "
            "ImageNet networks of the same name give other numbers. Expected one of "
            f"{listing(file.name for file in FID_INCEPTION.files)}."
        )
    raise UserError(
        f"{path}: of the {len(TENSORS)} tensors of the Inception of FID {len(missing)} are missing or hold other "
        f"numbers, the first {missing[0]}. The file is damaged, or its network was trained further: fetch it again."
    )


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == b"{":
            return load_file(path)
        if zipfile.is_zipfile(path) and _is_torchscript(path):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                return torch.jit.load(path, map_location="cpu").state_dict()
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file raises depends on the byte that is wrong
        raise UserError(
            f"{path} cannot be read as weights: it is damaged, cut short, or neither safetensors, nor a PyTorch file "
            f"of tensors, nor TorchScript ({type(error).__name__}). Fetch it again."
        ) from error


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _tensors(content: Any) -> Iterator[Tensor]:
    if isinstance(content, Tensor):
        if content.is_floating_point():
            yield content
    elif isinstance(content, dict):  # some keep the tensors below a key such as "state_dict"
        for value in content.values():
            yield from _tensors(value)


def _join(parts: Sequence[Tensor | None], dimensions: int) -> np.ndarray:
    whole = [part for part in parts if part is not None]
    return torch.cat(whole).cpu().numpy() if whole else np.zeros((0, dimensions), np.float32)


@contextlib.contextmanager
def _full_precision(device: str) -> Iterator[None]:
    # TF32, a graphics card's default for convolutions, is wrong in the third digit
    if not device.startswith("cuda"):
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
