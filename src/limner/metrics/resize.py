"""The three named ways to bring pictures to the Inception's 299 px and range; numbers of one say nothing to another's.

pytorch-fid     bilinear without antialias, half-pixel centres, on [0, 1]; then 2x - 1
torch-fidelity  bilinear on the grid of TensorFlow 1, no half-pixel centres, on [0, 255]; then (x - 128) / 128
clean           bicubic with antialias (Pillow, floats, each channel by itself), clipped to [0, 255]; then the same

Sources: the packages pytorch-fid 0.3.0, torch-fidelity 0.4.0 and clean-fid 0.1.35 (Parmar et al. 2022, arXiv
2104.11222), equal to them to the last bits of a float. One thing is ours: transparency is laid on white, where they
drop it or refuse it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from limner.core import images
from limner.nets.inception import SIDE

MOST_PIXELS = 1 << 24  # scaled in one call: bounds the memory that large photographs take


def for_inception(pictures: Sequence[np.ndarray], protocol: str, device: str = "cpu") -> Tensor:
    """Bring pictures, uint8 (H, W, C) with C of 1, 3 or 4 and of any sizes, to (B, 3, 299, 299) in about [-1, 1].

    `protocol` is a name in PROTOCOLS. Grey is repeated, transparency laid on white.
    """
    opaque = [_opaque(picture) for picture in pictures]
    scaled = [PROTOCOLS[protocol](alike, device).expand(-1, 3, -1, -1) for alike in _runs(opaque)]
    return scaled[0] if len(scaled) == 1 else torch.cat(scaled)


def _pytorch_fid(pictures: np.ndarray, device: str) -> Tensor:
    # contiguous: in another order of memory PyTorch takes another way, which differs in the last bit
    x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).contiguous().float().div_(255.0)  # (B, C, H, W)
    return 2.0 * F.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False) - 1.0


def _torch_fidelity(pictures: np.ndarray, device: str) -> Tensor:
    x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
    for dimension in (3, 2):  # across first, as TensorFlow does
        low, high, share = _grid(x.shape[dimension], device)
        share = share if dimension == 3 else share[:, None]
        below, above = x.index_select(dimension, low).float(), x.index_select(dimension, high).float()
        x = below + (above - below) * share
    return (x - 128.0) / 128.0


def _grid(size: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    place = torch.arange(SIDE, dtype=torch.float32, device=device) * torch.tensor(size / SIDE, dtype=torch.float32)
    low = place.long()
    return low, (low + 1).clamp_max(size - 1), place - low


def _clean(pictures: np.ndarray, device: str) -> Tensor:
    planes = np.moveaxis(pictures, 3, 1).reshape(-1, *pictures.shape[1:3])
    threads = min(torch.get_num_threads(), len(planes))
    with ThreadPoolExecutor(threads) as pool:  # Pillow lets other threads run while it scales
        scaled = np.stack(list(pool.map(_bicubic, planes)))
    x = torch.from_numpy(scaled).to(device).clamp_(0.0, 255.0)
    return ((x - 128.0) / 128.0).view(len(pictures), -1, SIDE, SIDE)


def _bicubic(plane: np.ndarray) -> np.ndarray:
    scaled = Image.fromarray(plane.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(scaled)


PROTOCOLS: dict[str, Callable[[np.ndarray, str], Tensor]] = {
    "pytorch-fid": _pytorch_fid,
    "torch-fidelity": _torch_fidelity,
    "clean": _clean,
}


def _opaque(picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in images.MODES or not picture.size:
        raise ValueError(f"expected uint8 pictures (H, W, 1, 3 or 4), found {picture.dtype} {picture.shape}")
    if picture.shape[2] != 4:
        return picture
    return images.as_array(images.convert(images.from_array(picture), 3))


def _runs(pictures: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Stack neighbours of one shape, (B, H, W, C), as many as are scaled in one call."""
    for shape, alike in itertools.groupby(pictures, key=lambda picture: picture.shape):
        together = list(alike)
        most = max(1, MOST_PIXELS // (shape[0] * shape[1]))
        for start in range(0, len(together), most):
            yield np.stack(together[start : start + most])
