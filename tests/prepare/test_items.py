"""Names: walked in order whatever links there are, told apart where they would be one, grouped into pairs."""

from __future__ import annotations

import collections
import os
from pathlib import Path

import pytest

from limner.prepare.items import Item, pairs, walk
from limner.prepare.places import Local


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def targets(root: Path) -> dict[str, str]:
    return {item.name: item.target for item in walk(Local(root))}


def test_names_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/z.png", "a.png", "a-1.png", "a/b/c.png", "a b/d.png", ".hidden/e.png", ".f.png")
    names = [item.name for item in walk(Local(tmp_path))]
    assert names == sorted(names) and len(names) == 6


def test_names_that_would_be_one_are_told_apart(tmp_path: Path) -> None:
    names = ["x.jpg", "x.png", "Y.jpg", "y.jpg", "z.jpg", "u.face2.jpg", "\u00e9.png", "e\u0301.jpg", "x.jpg.png"]
    found = targets(touch(tmp_path, *names))
    assert len(found) == len(names)
    assert len({target.casefold() for target in found.values()}) == len(names)
    assert (found["z.jpg"], found["x.jpg"], found["x.png"]) == ("z", "x.jpg", "x.png")
    assert found["u.face2.jpg"] == "u.face2.jpg", "u.face2.png could be the second face of u.jpg"
    assert found == targets(tmp_path)


def test_folders_that_differ_by_case_are_told_apart(tmp_path: Path) -> None:
    found = targets(touch(tmp_path, "Cat/1.png", "cat/1.png", "cat/2.png"))
    assert len({target.casefold() for target in found.values()}) == 3
    assert found["Cat/1.png"] == "Cat/1"


@pytest.mark.parametrize("name", ["写真 1.jpg", "фото.png", "صورة.jpg", "🙂.png", "a,b;'\"=1.jpg", "a\nb.png"])
def test_names_in_any_script(tmp_path: Path, name: str) -> None:
    assert targets(touch(tmp_path, name)) == {name: name.rpartition(".")[0]}


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_links_that_go_round_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "linked.png").symlink_to(tmp_path / "a" / "1.png")
    assert set(targets(tmp_path)) == {
        "a/1.png", "a/b/2.png", "b/2.png", "b/a/1.png", "linked.png", "self.jpg"
    }  # fmt: skip


def test_other_files_are_counted(tmp_path: Path) -> None:
    others: collections.Counter[str] = collections.Counter()
    list(walk(Local(touch(tmp_path, "a.png", "b.heic", "in/c.HEIC", "README")), others))
    assert others == {".heic": 2, "no ending": 1}


def paired(*names: str) -> dict[str, tuple[str, ...]]:
    items = [Item(f"{name}.jpg", (f"{name}.jpg",), name) for name in sorted(names)]
    found = pairs(items)
    assert [item.name for item in found] == sorted({item.name for item in found})
    return {item.target: tuple(path.removesuffix(".jpg") for path in item.files) for item in found if not item.refused}


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("001_front", "001_side"), "001"),
        (("a/x-f", "a/x-s"), "a/x"),
        (("Jo Front", "Jo Profile"), "Jo"),
        (("7.frontal", "7.right"), "7"),
        (("front/A1", "side/A1"), "A1"),
        (("set/front/A1", "set/side/A1"), "set/A1"),
        (("写真_front", "写真_side"), "写真"),
    ],
)
def test_pairs_by_name(names: tuple[str, str], key: str) -> None:
    assert paired(*names) == {key: names}


def test_two_sides_make_two_pairs_and_one_pair_alone_is_in_no_order() -> None:
    assert paired("1_front", "1_L", "1_R") == {"1-l": ("1_front", "1_L"), "1-r": ("1_front", "1_R")}
    assert paired("1-L", "1-R") == {"1": ("1-L", "1-R")}
    items = pairs([Item(f"1-{word}.jpg", (f"1-{word}.jpg",), f"1-{word}") for word in "LR"])
    assert not items[0].in_order


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("1_front",), "no side view"),
        (("1_side",), "no front view"),
        (("1", "2"), "does not say which view"),
        (("wolf", "surf"), "does not say which view"),
        (("1_front", "1-front", "1_side"), "several have the same view"),
    ],
)
def test_what_makes_no_pair_says_why(names: tuple[str, ...], words: str) -> None:
    items = pairs([Item(name, (name,), name) for name in names])
    assert len(items) == len(names) and all(words in item.refused for item in items)
