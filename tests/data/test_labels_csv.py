"""labels.csv: whatever a table calls the pictures, each gets its class, or the table is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from limner.core.errors import UserError
from limner.data.folder import Folder

from .conftest import pixels, save


def fill(root: Path, *names: str) -> Path:
    for name in names:
        save(root / name, pixels(1, 4, 3)[0])
    return root


@pytest.mark.parametrize(
    "text",
    [
        "file,label\na/1.png,cat\nb/2.png,dog\nb/3.png,cat\n",
        "a/1.png,cat\nb/2.png,dog\nb/3.png,cat\n",
        "id,breed\n1,cat\n2,dog\n3,cat\n4,owl\n",
        "\ufeffLabel,Filename,more\r\ncat,1.png,x\r\ndog,2.png,x\r\ncat,3.png,x\r\n",
        'photo,kind\n"a\\1.png",cat\n"set/b/2.png",dog\n"b/3.png",cat\n\n',
    ],
)
def test_pictures_are_found_by_any_of_their_names(text: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", "a/1.png", "b/2.png", "b/3.png")
    before = Folder(folder)
    assert before.classes == ("a", "b")
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    after = Folder(folder)
    assert after.classes == ("cat", "dog") and after.labels is not None
    assert after.labels.tolist() == [0, 1, 0]
    assert after.fingerprint != before.fingerprint
    (folder / "labels.csv").rename(tmp_path / "labels.csv")
    assert Folder(folder).fingerprint == after.fingerprint, "beside the folder does as well"


def test_numbers_are_sorted_as_numbers_and_another_folders_table_is_left_alone(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", "1.png", "2.png", "3.png")
    (folder / "labels.csv").write_text("file,label\n1.png,10\n2.png,9\n3.png,10\n")
    assert Folder(folder).classes == ("9", "10")
    other = fill(tmp_path / "other", "x.png", "y.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,10\n2.png,9\n3.png,10\n")
    assert Folder(other).classes == ()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"label,pixel0,pixel1\n3,0,255\n"])
def test_a_file_beside_the_folder_that_is_no_such_table_is_left_alone(content: bytes, tmp_path: Path) -> None:
    """Such as a table of digits, all pixels in it, which somebody called labels.csv."""
    folder = fill(tmp_path / "set", "a/1.png", "b/2.png")
    (tmp_path / "labels.csv").write_bytes(content)
    assert Folder(folder).classes == ("a", "b")


def test_a_train_split_may_have_a_table_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    (tmp_path / "train" / "labels.csv").write_text("1.png,a\n2.png,b\n")
    assert Folder(tmp_path).classes == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\n1.png,a\n", r"gives no label to 1 of 2 pictures: 2\.png"),
        ("file,label\n1.png,a\n1.png,b\n2.png,a\n", r"row 3 calls 1\.png 'b', but an earlier row 'a'"),
        ("file,label\n1.png,a\n2.png,\n", "row 3 lacks a label"),
        ("file,label\n1.png,a\n2.png\n", "row 3 has 1 columns, but the first has 2"),
        ("a,b,c\n1.png,2,3\n", "expected the columns file,label and found a, b, c"),
        ("", "is empty"),
        ("file,label\nx/1.png,a\ny/1.png,b\n2.png,a\n", r"1\.png may be any of x/1\.png, y/1\.png"),
    ],
)
def test_tables_that_leave_doubt_are_refused(text: str, words: str, tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "2.png")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        Folder(tmp_path)


def test_one_row_is_not_two_pictures(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "labels.csv").write_text("1.png,x\n")
    with pytest.raises(UserError, match=r"the row 1\.png may be a/1\.png or b/1\.png"):
        Folder(tmp_path)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "1.png")
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is no table in UTF-8"):
        Folder(tmp_path)
