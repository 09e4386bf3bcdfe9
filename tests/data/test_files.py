"""Files of digits, idx and csv: the forms that are read and the words for those that are not."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from limner import data
from limner.core.errors import UserError

from .conftest import COUNT, SIDE, idx_bytes, labels, make_csv, make_idx, pixels, rows


def test_idx_labels_are_found_beside_the_pictures_packed_or_not(tmp_path: Path) -> None:
    make_idx(tmp_path)
    whole = data.open(str(tmp_path))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(pixels()[:5, ..., 0]))
    assert data.open(str(tmp_path / "t10k-images-idx3-ubyte")).labels is None
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels()[:5])))
    test = data.open(str(tmp_path / "t10k-images-idx3-ubyte"))
    assert test.labels is not None and test.labels.tolist() == [0, 1, 2, 0, 1]
    assert len(whole) == COUNT and len(test) == 5
    (tmp_path / "unnamed").write_bytes(idx_bytes(pixels()[..., 0]))
    assert len(data.open(str(tmp_path / "unnamed"))) == COUNT


def test_bad_idx_files_are_told_apart(tmp_path: Path) -> None:
    packed = tmp_path / "train-images-idx3-ubyte.gz"
    make_idx(tmp_path)
    whole = packed.read_bytes()
    raw = idx_bytes(pixels()[..., 0])
    for content, words in [
        (whole[: len(whole) // 2], "cut short or damaged"),
        (whole[:4], "cut short or damaged"),
        (gzip.compress(raw[:-1]), "its header promises 12 x 8 x 8 bytes"),
        (gzip.compress(raw + b"x"), "is too long"),
        (raw[:9], "ends inside its header"),
        (b"P6 64 64", "is not an idx file of pictures: it begins with the bytes 50 36 20 36"),
        (b"", "begins with the bytes of nothing"),
        (idx_bytes(labels()), "is an idx file of labels"),
        (idx_bytes(pixels()[:0, ..., 0]), "holds no pictures"),
        (idx_bytes(pixels()[:7, ..., 0]), "holds 7 pictures, but the labels file beside it 12 labels"),
    ]:
        packed.write_bytes(content)
        with pytest.raises(UserError, match=words):
            data.open(str(tmp_path))


def test_csv_with_and_without_header_and_labels(tmp_path: Path) -> None:
    expected = data.open(str(make_csv(tmp_path)))
    assert expected.array is not None
    body = rows()
    bare = [row.partition(",")[2] for row in body]
    last = [f"{rest},{label}" for label, _, rest in (row.partition(",") for row in body)]
    names = ",".join(f"pixel{number}" for number in range(SIDE * SIDE))
    for name, text, labelled in [
        ("headless.csv", "\n".join(body), True),
        ("windows.CSV", "\ufeff" + "\r\n".join([f'"label",{names}', *body, ""]), True),
        ("floats.csv", "\n".join(body).replace(",7,", ",7.0,"), True),
        ("last.csv", "\n".join([f"{names},class", *last]), True),
        ("test.csv", "\n".join([names, *bare]), False),
        ("gaps.csv.gz", "\n\n".join(bare), False),
    ]:
        content = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        source = data.open(str(tmp_path / name))
        assert source.array is not None
        assert np.array_equal(source.array, expected.array), name
        assert source.classes == (expected.classes if labelled else ()), name
        assert (source.labels is not None) == labelled
        if source.labels is not None:
            assert source.labels.tolist() == labels().tolist()


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row + ",5", "has 66 columns, but row 1 has 65"),
        (lambda row: row.rpartition(",")[0], "has 64 columns, but row 1 has 65"),
        (lambda row: row.rpartition(",")[0] + ",x", "holds 'x'; expected whole numbers from 0 to 255"),
        (lambda row: row.rpartition(",")[0] + ",256", "holds '256'"),
        (lambda row: row.rpartition(",")[0] + ",0.5", "holds '0.5'"),
        (lambda row: row.rpartition(",")[0] + ",nan", "holds 'nan'"),
    ],
)
def test_csv_names_the_row_that_is_wrong(tmp_path: Path, header: bool, change, words: str) -> None:
    lines = make_csv(tmp_path).read_text().splitlines()[0 if header else 1 :]
    lines[6] = change(lines[6])
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=f"row 7 {words}"):
        data.open(str(path))


def test_csv_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("1,2,3\n4,5,6\n")
    with pytest.raises(UserError, match="row 1 has 3 columns; expected n x n numbers"):
        data.open(str(path))
    path.write_text("label,a,b,c,d\n")
    with pytest.raises(UserError, match="holds no pictures"):
        data.open(str(path))
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress("\n".join(rows()).encode())[:-20])
    with pytest.raises(UserError, match="cut short or damaged"):
        data.open(str(packed))
