"""Small sets in every format, made by the tests themselves."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner import data
from limner.core.config import Size
from limner.data.store import Store

COUNT, SIDE, CLASSES = 12, 8, ("0", "1", "2")


def pixels(count: int = COUNT, side: int = SIDE, channels: int = 1) -> np.ndarray:
    """Pictures (N, H, W, C) that all differ."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def labels(count: int = COUNT) -> np.ndarray:
    """Labels (N,), all classes in turn."""
    return np.arange(count) % len(CLASSES)


def save(path: Path, array: np.ndarray) -> Path:
    """Write one picture (H, W, C), without loss when the name ends in .png."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(path)
    return path


def make_folder(root: Path, count: int = COUNT, channels: int = 1) -> Path:
    """Pictures in one sub-folder per class, in the order of `pixels` once sorted."""
    order = np.argsort(labels(count), kind="stable")
    for number, (array, label) in enumerate(zip(pixels(count, SIDE, channels), labels(count)[order], strict=True)):
        save(root / CLASSES[label] / f"{number:04d}.png", array)
    return root


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 as an idx file."""
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def make_idx(root: Path) -> Path:
    """Pictures and labels under the names of MNIST, packed."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels()[..., 0])))
    (root / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels())))
    return root


def rows() -> list[str]:
    """A label and the numbers of each picture."""
    table = np.column_stack([labels(), pixels().reshape(COUNT, -1)])
    return [",".join(map(str, row)) for row in table.tolist()]


def make_csv(root: Path) -> Path:
    """The rows under a header, as Kaggle writes them."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / "train.csv"
    header = ",".join(["label", *(f"pixel{number}" for number in range(SIDE * SIDE))])
    path.write_text("\n".join([header, *rows()]) + "\n")
    return path


def make_hdf5(root: Path) -> Path:
    """Arrays of pictures, labels and the names of classes, as many tools write them."""
    h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")
    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "set.h5", "w") as file:
        file["images"], file["labels"] = pixels(), labels()
        file["classes"] = list(CLASSES)
    return root / "set.h5"


def make_npy(root: Path) -> Path:
    """A folder of two batches and the labels of both."""
    root.mkdir(parents=True, exist_ok=True)
    np.save(root / "batch_2.npy", pixels()[:5])
    np.save(root / "batch_10.npy", pixels()[5:])
    np.save(root / "labels.npy", labels())
    return root


def make_zip(root: Path) -> Path:
    """The folder of classes, packed inside a folder of its own name."""
    folder, path = make_folder(root / "folder"), root / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.png"), reverse=True):
            archive.write(file, f"set/{file.relative_to(folder).as_posix()}")
        archive.writestr("__MACOSX/set/0/._0000.png", b"not a picture")
        archive.writestr("set/notes.txt", b"words")
    return path


def encoded(array: np.ndarray) -> bytes:
    """A picture (H, W, C) as the bytes of a PNG."""
    content = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(content, "PNG")
    return content.getvalue()


def hugging_face() -> dict[str, Any]:
    """The pictures and their labels as rows of a table of Hugging Face."""
    pictures = [{"bytes": encoded(array), "path": f"{number:04d}.png"} for number, array in enumerate(pixels())]
    return {"image": pictures, "label": labels().tolist()}


def make_parquet(root: Path) -> Path:
    """Two shards of a train part and one of a test part, as `datasets` writes them."""
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet files need the extra hub")
    parquet = pytest.importorskip("pyarrow.parquet")
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": list(CLASSES)}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    (root / "data").mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(hugging_face()).replace_schema_metadata(metadata)
    for number, (first, last) in enumerate(((0, 5), (5, COUNT))):
        name = root / "data" / f"train-0000{number}-of-00002.parquet"
        parquet.write_table(table[first:last], name, row_group_size=3)
    parquet.write_table(table[:1], root / "data" / "test-00000-of-00001.parquet")
    return root


def make_cifar(root: Path) -> Path:
    """Batches of labels and pictures of 32 x 32, channels first."""
    root.mkdir(parents=True, exist_ok=True)
    pictures = pixels(side=32, channels=3).transpose(0, 3, 1, 2).reshape(COUNT, -1)
    records = np.column_stack([labels().astype(np.uint8), pictures])
    (root / "data_batch_1.bin").write_bytes(records[:5].tobytes())
    (root / "data_batch_2.bin").write_bytes(records[5:].tobytes())
    return root


MAKERS: dict[str, Callable[[Path], Path]] = {
    "folder": make_folder,
    "idx": make_idx,
    "csv": make_csv,
    "hdf5": make_hdf5,
    "npy": make_npy,
    "zip": make_zip,
    "parquet": make_parquet,
}
FIXED: dict[str, Callable[[Path], Path]] = {"cifar": make_cifar}  # formats that know one size only
BY_CLASS = ("folder", "zip")  # the order of their pictures is that of the classes


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> str:
    """A set of the Hugging Face hub that is fetched from nowhere."""
    datasets = pytest.importorskip("datasets", reason="sets of the hub need the extra hub")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    rows = datasets.Dataset.from_dict(hugging_face(), features)
    some = datasets.DatasetDict({"test": rows.select(range(1)), "train": rows})
    monkeypatch.setattr(datasets, "load_dataset", lambda title, config=None, revision=None: some)
    return "hub:somebody/something"


def build(root: Path, cache: Path, size: int | None = None, channels: int | None = None, crop: float = 1.0) -> Store:
    """Open and decode in one go."""
    return Store.build(data.open(str(root)), Size(size, size) if size else None, channels, crop, cache)
