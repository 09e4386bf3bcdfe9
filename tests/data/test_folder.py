"""Folders: what is listed, in which order, and what becomes a class."""

from __future__ import annotations

from pathlib import Path

import pytest

from limner.core.errors import UserError
from limner.data.folder import Folder

from .conftest import pixels, save


def fill(root: Path, *names: str) -> Folder:
    for name in names:
        save(root / name, pixels(1, 4, 3)[0])
    return Folder(root)


def test_all_kinds_of_files_are_found_in_order(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.jpeg", "c.png", "a/b/d.webp", "e.bmp", "f.tif", "G.TIFF"]
    (tmp_path / "notes.txt").write_text("no picture")
    folder = fill(tmp_path, *names, ".hidden.png", ".cache/x.png")
    assert folder.names == sorted(names)
    assert folder.classes == () and folder.labels is None
    for index in range(len(folder)):
        assert folder.read(index).size == (4, 4)


@pytest.mark.parametrize(
    ("names", "classes", "kept"),
    [
        (["cat/1.png", "cat/deep/2.png", "dog/1.png"], ("cat", "dog"), 3),
        (["cat/1.png", "dog/1.png", "loose.png"], (), 3),
        (["cat/1.png", "cat/2.png"], (), 2),
        (["train/1.png", "test/1.png"], (), 1),
        (["Train/cat/1.png", "Train/dog/1.png", "val/cat/1.png", "test/cat/1.png"], ("cat", "dog"), 2),
        (["train/cat/1.png", "train/dog/1.png"], ("cat", "dog"), 2),
        (["val/1.png", "test/1.png"], (), 2),
        (["bus/1.png", "car/1.png", "train/1.png"], ("bus", "car", "train"), 3),
    ],
)
def test_sub_folders_become_classes_and_splits_do_not(
    tmp_path: Path, names: list[str], classes: tuple[str, ...], kept: int
) -> None:
    folder = fill(tmp_path, *names)
    assert folder.classes == classes
    assert len(folder) == kept
    folder.read(kept - 1)  # the names still lead to the files
    if classes:
        assert folder.labels is not None
        assert [folder.classes[label] for label in folder.labels] == [name.split("/")[0] for name in folder.names]


def test_an_empty_folder_and_one_of_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty: expected files that end in"):
        Folder(tmp_path)
    for name in ("a.txt", "b.txt", "c.heic"):
        (tmp_path / name).write_text("")
    with pytest.raises(UserError, match=r"3 other files \(2 \.txt, 1 \.heic\)"):
        Folder(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        Folder(tmp_path / "a.txt")


def test_links_in_circles_and_to_nowhere_are_no_harm(tmp_path: Path) -> None:
    fill(tmp_path, "in/1.png", "a/2.png", "b/3.png")
    links = {"in/loop": tmp_path, "a/b": tmp_path / "b", "b/a": tmp_path / "a", "self.png": "self.png", "gone.png": "x"}
    try:
        for name, target in links.items():
            (tmp_path / name).symlink_to(target, target_is_directory="." not in name)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    folder = Folder(tmp_path)
    assert folder.names == ["a/2.png", "a/b/3.png", "b/3.png", "b/a/2.png", "gone.png", "in/1.png", "self.png"]
    for index, why in ((4, "there is no such file"), (6, "not a readable picture")):
        with pytest.raises(UserError, match=f"{folder.name(index)}: {why}"):
            folder.read(index)


def test_a_broken_picture_is_called_by_its_relative_name(tmp_path: Path) -> None:
    folder = fill(tmp_path, "a/good.png", "a/bad.png")
    (tmp_path / "a" / "bad.png").write_bytes(b"nonsense")
    for look in (folder.read, folder.probe):
        with pytest.raises(UserError) as error:
            look(0)
        assert str(error.value).startswith("a/bad.png: not a readable picture")
        assert str(tmp_path) not in str(error.value)
