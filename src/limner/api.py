"""The public functions, for scripts and notebooks: the same commands with the same words."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from limner.core.environment import prepare
from limner.core.runs import Run

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from limner.inference import Pictures, Pipeline
    from limner.metrics.suite import Evaluation


class TrainedRun(PathLike[str]):
    """A run folder as `train` returns it: a path that shows its last sample sheet in a notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.folder)!r})"

    def load(self, device: str = "cpu") -> Pipeline:
        """Open the trained model."""
        return load(self.folder, device)

    def _repr_html_(self) -> str:
        sheets = Run(self.folder).sample_sheets()
        if not sheets:
            return html.escape(repr(self))
        picture = base64.b64encode(sheets[-1].read_bytes()).decode()
        return f'<img alt="samples of {html.escape(str(self.folder))}" src="data:image/png;base64,{picture}">'


CELL = 512  # pixels: the longest side of a picture on a sheet


@dataclasses.dataclass(frozen=True)
class Translated:
    """Pictures as `translate` returns them, uint8 (H, W, C) of any sizes; shows itself as a sheet in a notebook."""

    arrays: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> Image.Image:
        from limner.core.images import from_array

        return from_array(self.arrays[index])

    def pil(self) -> list[Image.Image]:
        """The pictures as Pillow images."""
        return [self[i] for i in range(len(self))]

    def grid(self, columns: int | None = None) -> Image.Image:
        """All pictures on one sheet, the large ones made smaller; UserError when there are none."""
        import numpy as np
        from PIL import Image

        from limner.core.errors import UserError
        from limner.core.grids import MAT, grid
        from limner.core.images import as_array, convert

        if not self.arrays:
            raise UserError("there are no pictures to show")
        height, width = (min(CELL, max(array.shape[side] for array in self.arrays)) for side in (0, 1))
        cells = []
        for picture in self.pil():
            small = convert(picture, 3)
            small.thumbnail((width, height))
            cell = Image.new("RGB", (width, height), (MAT, MAT, MAT))
            cell.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
            cells.append(as_array(cell))
        return grid(np.stack(cells), columns)

    def save(self, folder: Path | str) -> list[Path]:
        """Write each as NAME.png into a folder, made if need be; return the paths."""
        from limner.inference.pictures import save_png

        return [save_png(one, Path(folder) / f"{name}.png") for one, name in zip(self.pil(), self.names, strict=True)]

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.grid().save(buffer, "PNG")
        return buffer.getvalue()


def train(
    preset: str,
    *,
    out: str | PathLike[str],
    data: str | PathLike[str] = "digits",
    show: Literal["auto", "json", "quiet"] = "auto",
    **overrides: Any,
) -> TrainedRun:
    """Train a preset on data into a run folder; called again with the same words it continues, or is done at once.

    `overrides` are the flags of `limner train PRESET`, such as images=200_000, size=(64, 96), batch=32, lr_g=1e-4.
    Errors: UserError for what was mistaken.
    """
    prepare()
    from limner import presets
    from limner.commands import train as command
    from limner.presets.overlay import overlay

    config, keep = overlay(presets.get(preset), data=str(data), **overrides)
    run = command.train(command.Train(config, Path(out), keep, show))
    return TrainedRun(run.folder)


def load(path: str | PathLike[str], device: str = "cpu") -> Pipeline:
    """Open a run folder or a model file for use; UserError when it holds no model of limner's."""
    prepare()
    from limner import inference

    return inference.load(Path(path), device)


def generate(path: str | PathLike[str], count: int = 16, seed: int = 0, **options: Any) -> Pictures:
    """Make pictures with the model at `path`; `options` are those of `Pipeline.generate`."""
    return load(path).generate(count=count, seed=seed, **options)


def translate(path: str | PathLike[str], pictures: Any, *, device: str = "cpu", **options: Any) -> Translated:
    """Turn pictures into others with the model at `path`; sizes are kept.

    `pictures` is one, or a list of: a path of a picture, of a folder, or a pattern; a Pillow image; an array, uint8
    (H, W) or (H, W, C) with C of 1, 3 or 4. `options` are those of `Pipeline.translate`: direction="BtoA",
    stochastic=True, batch=8, tile=2048. Errors: UserError for a picture that cannot be read, a video, or a model that
    cannot do this.
    """
    prepare()
    from PIL import Image

    from limner.inference import load

    alone = isinstance(pictures, str | PathLike | Image.Image) or hasattr(pictures, "__array_interface__")
    given: Any = [pictures] if alone else pictures
    pipeline = load(Path(path), device)
    pipeline.translate([], **options)  # a model that cannot do this is refused before pictures are read
    named = [found for item in given for found in _pictures(item)]
    names = [name or f"picture{i:03d}" for i, (name, _) in enumerate(named)]
    return Translated(tuple(pipeline.translate([array for _, array in named], **options)), tuple(names))


def _pictures(item: Any) -> list[tuple[str, np.ndarray]]:
    # with the names of files, as far as they are files
    import numpy as np
    from PIL import Image, ImageOps

    from limner.commands.translate import find
    from limner.core import images
    from limner.core.errors import UserError

    if isinstance(item, str | PathLike):
        found = list(find([str(item)]))
        videos = [str(one.path) for one in found if one.is_video]
        if videos:
            raise UserError(f"{videos[0]} is a video: use `limner translate`")
        return [(one.name.with_suffix("").as_posix(), images.as_array(images.decode(one.path))) for one in found]
    if isinstance(item, Image.Image):
        buffer = io.BytesIO()
        turned = ImageOps.exif_transpose(item)
        turned.save(buffer, "PNG" if turned.mode == "P" else "TIFF")  # so every mode is read as from a file
        return [("", images.as_array(images.decode(buffer.getvalue())))]
    array = np.asarray(item)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in images.MODES or not array.size:
        raise UserError(f"an array of {array.dtype} {array.shape} is no picture: expected uint8 (H, W, 1, 3 or 4)")
    return [("", array)]


def evaluate(model: str | PathLike[str] | None = None, **options: Any) -> Evaluation:
    """Measure a run folder or a model file against the pictures it was trained on; returns every number by its key.

    `options` are the flags of `limner evaluate`: data, count, features, or fake="folder", real="folder" instead of a
    model. Errors: UserError for what was mistaken.
    """
    prepare()
    from limner.commands.evaluate import Evaluate, measure
    from limner.core.errors import unknown

    names = [field.name for field in dataclasses.fields(Evaluate)]
    for name in options:
        if name not in names:
            raise unknown("setting", name, names)
    judged = measure(Evaluate(Path(model) if model is not None else None, **options))
    if judged is None:
        raise RuntimeError("the first process alone holds the numbers")
    return judged.evaluation
