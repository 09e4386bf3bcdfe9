"""Where published weights are found: a file that is given, LIMNER_DATA, the cache, or the net when that is allowed.

Nothing is fetched unless it is asked for, and no file is used whose SHA-256 is not the one that is pinned here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from limner.core import files
from limner.core.console import say
from limner.core.errors import UserError, listing
from limner.core.version import VERSION

CHUNK = 1 << 20
PATIENCE = 30.0  # seconds without a byte before the net counts as absent


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file that anyone can have: its name, the SHA-256 and number of its bytes, and where it lies, if anywhere."""

    name: str
    sha256: str
    size: int
    url: str = ""


@dataclasses.dataclass(frozen=True)
class Weights:
    """Published weights and the files that hold them, any of which will do; the first with an address is fetched.

    Where none has one, `make` builds the first file's bytes from `parts`. `by_content` says that whoever reads the
    weights recognises them by what they are, so that a file of an unknown name may be given. `flag` is the option of
    the command line that gives a file.
    """

    title: str
    files: tuple[PublishedFile, ...]
    parts: tuple[PublishedFile, ...] = ()
    make: Callable[[Sequence[Path]], bytes] | None = None
    by_content: bool = False
    flag: str = ""


def cache_folder() -> Path:
    """The folder for what can be had again: LIMNER_CACHE, or the system's place for such things."""
    named = os.environ.get("LIMNER_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("limner", appauthor=False)


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
    if public is not None:
        words.append(f"Download {public.url} ({_megabytes(public)}) into {folders[-1]}, or let --download do so.")
    else:
        parts = " and ".join(f"{part.url} ({_megabytes(part)})" for part in wanted.parts)
        words.append(
            f"There is no public address of {wanted.files[0].name}: --download makes it of {parts}; or put a copy "
            f"into {folders[-1]}."
        )
    if wanted.flag:
        words.append(f"Or say by {wanted.flag} FILE where it is.")
    return UserError(" ".join(words))


def _megabytes(file: PublishedFile) -> str:
    return f"{file.size / 1e6:,.0f} MB" if file.size >= 1e6 else f"{file.size / 1e3:,.0f} kB"


def _download(wanted: Weights, folder: Path) -> Path:
    public = next((file for file in wanted.files if file.url), None)
    if public is not None:
        with files.atomic(folder / public.name) as temporary:
            _fetch(public, temporary)
        return folder / public.name
    assert wanted.make is not None
    target = folder / wanted.files[0].name
    with files.atomic(target) as made, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        parts = [Path(scratch, part.name) for part in wanted.parts]
        for part, path in zip(wanted.parts, parts, strict=True):
            _fetch(part, path)
        made.write_bytes(wanted.make(parts))
        _checked(made, wanted.files[:1])
    return target


def _fetch(file: PublishedFile, target: Path) -> None:
    """Write what lies at a file's address to `target`; UserError when there is no net or when it is not the file."""
    say(f"Fetching {file.url} ({_megabytes(file)})")
    digest = hashlib.sha256()
    request = urllib.request.Request(file.url, headers={"User-Agent": f"limner/{VERSION}"})
    with _online(file):
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    with answer, target.open("wb") as out, _bar(file) as advance:
        for chunk in _chunks(file, answer):
            digest.update(chunk)
            out.write(chunk)
            advance(len(chunk))
    if digest.hexdigest() != file.sha256:
        raise UserError(
            f"{file.url} gave another file than expected: its SHA-256 is {digest.hexdigest()}, expected {file.sha256}. "
            "Nothing was kept. Try again, or fetch it from elsewhere."
        )


def _chunks(file: PublishedFile, answer: IO[bytes]) -> Iterator[bytes]:
    while True:
        with _online(file):
            chunk = answer.read(CHUNK)
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _online(file: PublishedFile) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(
            f"{file.url} cannot be fetched: {error}. Nothing was kept. Is there a network? Otherwise copy {file.name} "
            f"({_megabytes(file)}) from a machine that has one into {cache_folder() / 'weights'}."
        ) from error


@contextlib.contextmanager
def _bar(file: PublishedFile) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(file.name), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=file.size)
        yield lambda count: progress.update(task, advance=count)


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
)
