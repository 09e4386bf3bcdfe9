"""The model file: averaged weights in safetensors, and in its metadata all that use needs. No code, no pickle."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import nn

from limner.core import files
from limner.core.config import TrainConfig, from_dict, to_dict
from limner.core.contract import Method, Spec
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.core.version import VERSION
from limner.inference.pipeline import Pipeline
from limner.methods import METHODS, build

FORMAT = "1"


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself."""

    preset: str
    method: str
    settings: dict[str, Any]
    spec: dict[str, Any]
    images: int
    data: str
    limner: str = VERSION


def save(
    path: Path, method: Method, nets: Mapping[str, nn.Module], spec: Spec, config: TrainConfig, images: int
) -> None:
    """Write those of `nets` that `infer` needs, as they are after `images` images of training by `config`."""
    tensors = {
        f"{name}.{key}": tensor.detach().cpu().contiguous()
        for name in method.portable
        for key, tensor in nets[name].state_dict().items()
    }
    info = ModelInfo(config.preset, config.method, to_dict(config.settings), to_dict(spec), images, config.data)
    metadata = {"limner": FORMAT, "info": json.dumps(to_dict(info))}
    files.write_bytes(path, serialise(tensors, metadata))


def load(path: str | Path, device: str = "cpu") -> Pipeline:
    """Open a model file, or the run folder that holds one, for use.

    Errors: UserError when there is none, or it is damaged, or it is not one of limner's.
    """
    file = find(Path(path))
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            metadata = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file} cannot be read: it is no safetensors file or it is cut short ({error}). Copy it again, or give "
            "the run folder it came from."
        ) from error
    if metadata.get("limner") != FORMAT:
        raise UserError(f"{file} is a safetensors file, but not a limner model: its metadata does not say so")
    info = from_dict(ModelInfo, json.loads(metadata["info"]), "model")
    spec: Spec = from_dict(Spec, info.spec, "model.spec")
    settings = from_dict(METHODS.load(info.method).Settings, info.settings, "model.settings")
    method = build(info.method, settings, spec)
    for name in method.portable:
        state = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        try:
            method.nets[name].load_state_dict(state)
        except RuntimeError as error:
            raise UserError(f"{file} does not fit its own description: {error}") from error
    return Pipeline(method, {name: method.nets[name] for name in method.portable}, spec, device, info)


def find(path: Path) -> Path:
    """Return the model file that a path means: itself, or the one in a run folder."""
    if path.is_dir():
        run = Run(path)
        if run.model_file.is_file():
            return run.model_file
        raise UserError(
            f"{path} holds no model.safetensors: give a model file, or a run folder that `limner train` has made"
        )
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder; give a run folder or a model.safetensors file")
    return path
