"""Where published weights are found: a file that is given, LIMNER_DATA, the cache, or the net when that is allowed.

Nothing is fetched unless it is asked for, and no file is used whose SHA-256 is not the one that is pinned here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from limner.core import files
from limner.core.errors import UserError, listing
from limner.core.fetching import PublishedFile, cache_folder, fetch


@dataclasses.dataclass(frozen=True)
class Weights:
    """Published weights and the files that hold them, any of which will do; the first with an address is fetched.

    Where none has one, `make` builds the first file's bytes from `parts`. `by_content` says that whoever reads the
    weights recognises them by what they are, so that a file of an unknown name may be given. `flag` is the option of
    the command line that gives a file; `name` what `limner fetch` calls them; `terms` is their licence.
    """

    title: str
    files: tuple[PublishedFile, ...]
    parts: tuple[PublishedFile, ...] = ()
    make: Callable[[Sequence[Path]], bytes] | None = None
    by_content: bool = False
    flag: str = ""
    name: str = ""
    terms: str = ""


def find(wanted: Weights, given: Path | None = None, download: bool = False) -> Path:
    """Find the file of published weights, and check that it is the one.

    Looks at `given` (a file, or a folder that holds one) and nowhere else if there is one; else into `weights` below
    LIMNER_DATA and below the cache folder. `download` allows it to be fetched into the latter.

    Errors: UserError when it is not there (what to fetch, from where, how large, into which folder), when its SHA-256
    is another one, when there is no net.
    """
    if given is not None and not given.is_dir():
        return _given(wanted, given)
    folders = [given] if given is not None else _folders()
    for folder in folders:
        for file in wanted.files:
            if (folder / file.name).is_file():
                return _checked(folder / file.name, (file,))
    if given is not None:
        raise UserError(f"{given} holds none of {_names(wanted)}, the weights of {wanted.title}")
    if not download:
        raise _absent(wanted, folders)
    return _download(wanted, folders[-1])


def place_of(wanted: Weights) -> Path | None:
    """Where published weights lie on this machine, unchecked; None when they are nowhere."""
    places = (folder / file.name for folder in _folders() for file in wanted.files)
    return next((path for path in places if path.is_file()), None)


def describe(wanted: Weights) -> str:
    """All that one should know before weights are fetched, in lines."""
    lines = [f"{wanted.name}: weights of {wanted.title}"]
    fetched = wanted.parts or tuple(file for file in wanted.files if file.url)[:1]
    lines += [f"  address   {file.url} ({file.volume}; SHA-256 {file.sha256})" for file in fetched]
    return "\n".join([*lines, f"  terms     {wanted.terms}"])


def _folders() -> list[Path]:
    data = os.environ.get("LIMNER_DATA")
    return [*([Path(data) / "weights"] if data else []), cache_folder() / "weights"]


def _given(wanted: Weights, path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected the weights of {wanted.title}: {_names(wanted)}")
    named = tuple(file for file in wanted.files if file.name == path.name)
    if not named and wanted.by_content:
        return path
    return _checked(path, named or wanted.files)


def _checked(path: Path, published: Sequence[PublishedFile]) -> Path:
    found = files.sha256_of_file(path)
    if all(found != file.sha256 for file in published):
        raise UserError(
            f"{path} is not the file that its name or place promises: its SHA-256 is {found}, expected "
            f"{' or '.join(dict.fromkeys(file.sha256 for file in published))}. It is damaged, cut short or another: "
            "remove it and fetch it again."
        )
    return path


def _names(wanted: Weights) -> str:
    return listing(file.name for file in wanted.files)


def _absent(wanted: Weights, folders: Sequence[Path]) -> UserError:
    places = " and ".join(str(folder) for folder in folders)
    words = [f"The weights of {wanted.title} are not here: looked in {places} for {_names(wanted)}."]
    public = next((file for file in wanted.files if file.url), None)
    ours = f"limner fetch {wanted.name}" if wanted.name else "--download"
    if public is not None:
        words.append(f"Download {public.url} ({public.volume}) into {folders[-1]}, or let {ours} do so.")
    else:
        parts = " and ".join(f"{part.url} ({part.volume})" for part in wanted.parts)
        words.append(
            f"There is no public address of {wanted.files[0].name}: {ours} makes it of {parts}; or put a copy "
            f"into {folders[-1]}."
        )
    if wanted.flag:
        words.append(f"Or say by {wanted.flag} FILE where it is.")
    return UserError(" ".join(words))


def _download(wanted: Weights, folder: Path) -> Path:
    public = next((file for file in wanted.files if file.url), None)
    if public is not None:
        fetch(public, folder / public.name)
        return folder / public.name
    assert wanted.make is not None
    target = folder / wanted.files[0].name
    parts = [folder / part.name for part in wanted.parts]
    for part, path in zip(wanted.parts, parts, strict=True):
        fetch(part, path)
    try:
        with files.atomic(target) as made:
            made.write_bytes(wanted.make(parts))
            _checked(made, wanted.files[:1])
    finally:
        for path in parts:
            path.unlink(missing_ok=True)
    return target


def _lpips_of(parts: Sequence[Path]) -> bytes:
    import torch
    from safetensors.torch import save

    trunk, heads = (torch.load(part, map_location="cpu", weights_only=True) for part in parts)
    tensors = {name: tensor for name, tensor in trunk.items() if name.startswith("features.")}
    tensors |= {f"heads.{name}": tensor for name, tensor in heads.items()}
    return save({name: tensor.detach().contiguous() for name, tensor in tensors.items()})


_INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # two names, one file

FID_INCEPTION = Weights(
    "the Inception network of FID",
    (
        PublishedFile(
            "fid_inception_2015_12_05.safetensors",
            "591ecfa43438fd4e1a9ab107adfeaadeea2d0057cca0b03f4f686ba45cc9a9b9",
            87_327_784,
        ),
        PublishedFile(
            "pt_inception-2015-12-05-6726825d.pth",  # pytorch-fid's
            _INCEPTION_SHA256,
            95_628_359,
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        ),
        PublishedFile(
            "weights-inception-2015-12-05-6726825d.pth",  # torch-fidelity's
            _INCEPTION_SHA256,
            95_628_359,
            "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        ),
        PublishedFile(
            "inception-2015-12-05.pt",  # NVIDIA's TorchScript, which clean-fid uses
            "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
            95_607_719,
            "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        ),
    ),
    by_content=True,
    flag="--weights",
    name="inception",
    terms="Apache-2.0 (TensorFlow's Inception-v3 of December 2015)",
)

LPIPS_ALEX = Weights(
    "LPIPS 0.1 on AlexNet",
    (
        PublishedFile(
            "lpips_alex_v0.1.safetensors",
            "0d71472b810d3c585629d1eff23baf1d5ca80a437ffa112f2ddb829df689a3c2",
            9_884_728,
        ),
    ),
    parts=(
        PublishedFile(
            "alexnet-owt-7be5be79.pth",  # torchvision's trunk
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            244_408_911,
            "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        ),
        PublishedFile(
            "alex.pth",  # the lpips package's linear heads
            "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            6_009,
            "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
        ),
    ),
    make=_lpips_of,
    name="lpips",
    terms="BSD-3-Clause (torchvision's AlexNet) and BSD-2-Clause (LPIPS)",
)

YUNET = Weights(
    "the face detector YuNet",
    (
        PublishedFile(
            "face_detection_yunet_2026may.onnx",
            "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
            229_738,
            "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models/"
            "face_detection_yunet/face_detection_yunet_2026may.onnx",
        ),
    ),
    flag="--weights",
    name="yunet",
    terms="MIT (OpenCV zoo; Shiqi Yu)",
)

WEIGHTS = {weights.name: weights for weights in (FID_INCEPTION, LPIPS_ALEX, YUNET)}
