"""A model that is an ONNX file: its graph, run by onnxruntime, behind the same pipeline.

The graph takes "z" (N, latent), and "label" (N,) int64 when it has classes; or "image" (N, C, H, W) in [-1, 1]. It
returns pictures (N, C, H, W) in [-1, 1]. All but labels is float32, and N is open or fixed. The metadata is that of
`model.describe`. A file of another program has none: it may call its only input as it likes and take noise as
(N, latent, 1, 1), but its graph must state every size but N.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from limner.core.console import say
from limner.core.contract import Batch, Spec
from limner.core.errors import UserError, listing
from limner.core.images import MODES
from limner.inference.model import FORMAT_KEY, read_description
from limner.inference.pipeline import Pipeline

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NOISE, LABEL, IMAGE = "z", "label", "image"
FLOAT, INTEGER = "tensor(float)", "tensor(int64)"
SIZES = ("channels", "height", "width")


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of a graph; a size that is no number is open."""

    name: str
    shape: tuple[int | str | None, ...]
    type: str

    def __str__(self) -> str:
        return f'"{self.name}" ({", ".join(map(str, self.shape))}) {self.type}'

    @property
    def is_map(self) -> bool:
        """Whether it is noise as a picture of one pixel, as generators made of convolutions alone take it."""
        return len(self.shape) == 4 and self.shape[2:] == (1, 1)


class OnnxModel:
    """What the pipeline asks of a model, answered by a graph on the CPU.

    `inputs` are the graph's by what they mean to us. A graph with a fixed batch runs as often as it must.
    """

    def __init__(self, session: InferenceSession, file: Path, inputs: Mapping[str, Port]) -> None:
        self.session = session
        self.file = file
        self.inputs = inputs
        self.latent = _fixed(file, inputs[NOISE], ("latent size",))[0] if NOISE in inputs else 0
        self.conditional = LABEL in inputs
        self.both_ways = False
        image = inputs.get(IMAGE)
        self.any_size = image is None or not any(isinstance(side, int) for side in image.shape[2:])
        self.batch = next((size for port in inputs.values() if isinstance(size := port.shape[0], int)), None)

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn "z" (B, latent) and "label" (B,), or "image" (B, C, H, W), into pictures (B, C, H, W) in [-1, 1].

        `nets` is not looked at: the session holds the weights. Errors: UserError when the graph cannot run.
        """
        count = len(next(iter(inputs.values())))
        size = self.batch or count
        # the last batch is filled up with the first rows of all, whose pictures are dropped
        parts = [self._run(inputs, torch.arange(first, first + size) % count) for first in range(0, count, size)]
        return torch.cat(parts)[:count]

    def infer_back(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """A graph goes one way."""
        raise NotImplementedError

    def _run(self, inputs: Batch, rows: Tensor) -> Tensor:
        feed = {}
        for name, tensor in inputs.items():
            port, some = self.inputs[name], tensor.cpu()[rows]
            feed[port.name] = (some[:, :, None, None] if name == NOISE and port.is_map else some).numpy()
        try:
            pictures = np.asarray(self.session.run(None, feed)[0])
        except Exception as error:  # onnxruntime's errors have no other class in common
            raise UserError(f"{self.file} cannot be run: {error}") from error
        if len(pictures) != len(rows):
            raise UserError(
                f"{self.file} made {len(pictures)} pictures of {len(rows)} inputs: its graph keeps to the batch it was "
                "exported with, but does not say so. Export it again with an open batch, or with a batch of 1."
            )
        return torch.from_numpy(pictures)


def load(file: Path, device: str = "cpu") -> Pipeline:
    """Open an ONNX file for use; it is computed by the CPU, and a line says so when `device` is another.

    Errors: UserError when onnxruntime is not installed, when the file is damaged, when it does not take or return what
    it should, or when neither description nor graph says how large its pictures are and which classes they have.
    """
    session = _session(file)
    inputs, output = _inputs(file, _ports(session.get_inputs())), _output(file, _ports(session.get_outputs()))
    model = OnnxModel(session, file, inputs)
    metadata = session.get_modelmeta().custom_metadata_map
    if FORMAT_KEY in metadata:
        info, spec = read_description(metadata, file)
        described = (spec.channels, spec.height, spec.width)
        for what, size, said in zip(SIZES, output.shape[1:], described, strict=True):
            if isinstance(size, int) and size != said:
                raise UserError(f"{file} does not fit its own description: its {what} is {size}, described as {said}")
    else:
        info = None
        channels, height, width = _fixed(file, output, SIZES)
        spec = Spec(channels, height, width)
    if spec.channels not in MODES:
        raise UserError(
            f"{file} makes pictures of {spec.channels} channels: expected 1 (grey), 3 (colour) or 4 (alpha)"
        )
    if model.conditional and not spec.classes:
        raise UserError(
            f"{file} takes a label, but nothing in it says which classes there are: of files with labels, only those "
            "that limner exported can be used"
        )
    if device != "cpu":
        say(f"{file.name} is computed by the CPU, not by {device}, as all ONNX files are.")
    return Pipeline(model, {}, spec, "cpu", info)


def _session(file: Path) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{file}: an ONNX file needs a package: pip install 'limner[onnx]' ({error})") from error
    onnxruntime.disable_telemetry_events()  # builds for Windows report their use unless told not to
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: what lies below is about how the graph was made
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that wait by spinning take the cores from the networks that look at the pictures, in turns with this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no other class in common
        raise UserError(
            f"{file} cannot be read: it is no ONNX file, or it is cut short, or it needs a newer onnxruntime "
            f"({error}). Copy or export it again."
        ) from error


def _ports(arguments: Sequence[Any]) -> list[Port]:
    return [Port(one.name, tuple(one.shape), one.type) for one in arguments]


def _inputs(file: Path, ports: list[Port]) -> dict[str, Port]:
    found = {port.name: port for port in ports}
    if len(ports) == 1 and not found.keys() & {NOISE, LABEL, IMAGE}:  # its shape tells what a lone input is
        found = {NOISE if ports[0].is_map or len(ports[0].shape) == 2 else IMAGE: ports[0]}
    forms = {
        NOISE: lambda port: (len(port.shape) == 2 or port.is_map) and port.type == FLOAT,
        LABEL: lambda port: len(port.shape) == 1 and port.type == INTEGER,
        IMAGE: lambda port: len(port.shape) == 4 and port.type == FLOAT,
    }
    known = set(found) in ({NOISE}, {NOISE, LABEL}, {IMAGE})
    if not known or not all(forms[name](port) for name, port in found.items()):
        raise UserError(
            f'{file} takes {listing(map(str, ports)) or "nothing"}. Expected noise "{NOISE}" (N, latent), perhaps with '
            f'"{LABEL}" (N,), or a picture "{IMAGE}" (N, C, H, W); labels as int64, all else as float32.'
        )
    return found


def _output(file: Path, ports: list[Port]) -> Port:
    if len(ports) != 1 or len(ports[0].shape) != 4 or ports[0].type != FLOAT:
        raise UserError(
            f"{file} returns {listing(map(str, ports))}. Expected one output (N, C, H, W) of float32: pictures."
        )
    return ports[0]


def _fixed(file: Path, port: Port, names: Sequence[str]) -> list[int]:
    # the sizes after N, which `names` names
    sizes = dict(zip(names, port.shape[1:], strict=False))
    left_open = [name for name, size in sizes.items() if not isinstance(size, int)]
    if left_open:
        raise UserError(
            f"{file} leaves the {' and the '.join(left_open)} of {port} open: export it again with every size fixed "
            "but the batch"
        )
    return [size for size in sizes.values() if isinstance(size, int)]
