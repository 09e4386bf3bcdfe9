"""The model file: averaged weights in safetensors, and in its metadata all that use needs. No code, no pickle."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
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
FORMAT_KEY = "limner"
INFO_KEY = "info"


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself."""

    preset: str
    method: str
    settings: dict[str, Any]
    spec: dict[str, Any]
    images: int
    data: str
    ema: int | None = None
    """half-life of the average that the weights are, in images; 0: they are no average; None: not recorded"""
    limner: str = VERSION
    faces: dict[str, float] = dataclasses.field(default_factory=dict)
    """room round the aligned faces that it learned from, on side A, B or, for pictures of one kind, ''"""


def save(
    path: Path, method: Method, nets: Mapping[str, nn.Module], spec: Spec, config: TrainConfig, images: int
) -> None:
    """Write those of `nets` that `infer` needs, as they are after `images` images of training by `config`."""
    tensors = {
        f"{name}.{key}": tensor.detach().cpu().contiguous()
        for name in method.portable
        for key, tensor in nets[name].state_dict().items()
    }
    files.write_bytes(path, serialise(tensors, describe(spec, config, images)))


def describe(spec: Spec, config: TrainConfig, images: int) -> dict[str, str]:
    """The metadata of a model file, in safetensors and in ONNX alike: its format, and a ModelInfo as JSON."""
    info = ModelInfo(
        config.preset, config.method, to_dict(config.settings), to_dict(spec), images, config.data, config.ema
    )
    info = dataclasses.replace(info, faces=faces_of(Path(config.data)))
    return {FORMAT_KEY: FORMAT, INFO_KEY: json.dumps(to_dict(info))}


def faces_of(data: Path, depth: int = 3) -> dict[str, float]:
    """The margin of aligned faces by side, as `limner prepare` wrote down; empty where a folder holds none."""
    try:
        asked = json.loads((data / "prepare.json").read_text(encoding="utf-8"))["asked"]
        if asked["prepare"] == "faces":
            return dict.fromkeys("AB" if asked["pairs"] else ("",), float(asked["margin"]))
        found = faces_of(Path(asked["photos"]), depth - 1) if depth else {}  # B of outlines and the like: photographs
        return {"B": found[""]} if "" in found else {}
    except (OSError, ValueError, KeyError, TypeError):
        sides = {side: faces_of(data / side, 0) for side in "AB"} if depth else {}
        return {side: found[""] for side, found in sides.items() if "" in found}


def read_description(metadata: Mapping[str, str], file: Path) -> tuple[ModelInfo, Spec]:
    """Return what `describe` wrote; UserError when it is damaged or of another format."""
    if metadata.get(FORMAT_KEY) != FORMAT:
        raise UserError(
            f"{file} is a limner model of format {metadata.get(FORMAT_KEY)}, and this limner {VERSION} reads format "
            f"{FORMAT}: update limner"
        )
    try:
        info = from_dict(ModelInfo, json.loads(metadata[INFO_KEY]), "model")
        return info, from_dict(Spec, info.spec, "model.spec")
    except (KeyError, ValueError, UserError) as error:
        raise UserError(
            f"{file} describes itself in a way that limner {VERSION} does not understand ({error}): it is damaged, "
            "or a newer limner made it. Copy it again, or update limner."
        ) from error


def load(path: str | Path, device: str = "cpu") -> Pipeline:
    """Open a model file (.safetensors or .onnx), or the run folder that holds one, for use.

    Errors: UserError when there is none, or it is damaged, or it is not one of limner's; an ONNX file may be anyone's.
    """
    file = find(Path(path))
    if file.suffix.lower() == ".onnx":
        from limner.inference import onnx  # which imports this module

        return onnx.load(file, device)
    with _opened(file) as opened:
        info, spec = _description(opened, file)
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    method = build(info.method, settings_of(info), spec)
    for name in method.portable:
        state = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        try:
            method.nets[name].load_state_dict(state)
        except RuntimeError as error:
            raise UserError(f"{file} does not fit its own description: {error}") from error
    return Pipeline(method, {name: method.nets[name] for name in method.portable}, spec, device, info)


def settings_of(info: ModelInfo) -> Any:
    """The settings of a model's method; UserError when that is missing, or is not the one that it was trained with."""
    return from_dict(METHODS.load(info.method).Settings, info.settings, "model.settings")


def peek(path: str | Path) -> tuple[ModelInfo, Spec]:
    """Read what a .safetensors model says of itself, its weights left alone; UserError as for `load`."""
    file = find(Path(path))
    with _opened(file) as opened:
        return _description(opened, file)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            yield opened
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file} cannot be read: it is no safetensors file or it is cut short ({error}). Copy it again, or give "
            "the run folder it came from."
        ) from error


def _description(opened: Any, file: Path) -> tuple[ModelInfo, Spec]:
    metadata = opened.metadata() or {}
    if FORMAT_KEY not in metadata:
        raise UserError(f"{file} is a safetensors file, but not a limner model: its metadata does not say so")
    return read_description(metadata, file)


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
        raise UserError(f"{path}: there is no such file or folder; give a run folder, or a .safetensors or .onnx file")
    return path
