"""What people send in is read within limits, and its names are trusted by nobody."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import UserError
from limner.studio import uploads


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises a large picture, and that holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def test_a_picture_is_read_as_limner_translate_reads_it(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    assert (uploads.read(tmp_path / "a.png") == array).all()


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png_of(30_000, 30_000))
    with pytest.raises(UserError, match="900 million pixels"):
        uploads.read(tmp_path / "bomb.png")


def test_what_is_no_picture_is_said_by_its_name_alone(tmp_path: Path) -> None:
    file = tmp_path / "<img src=x onerror=alert(1)>.png"
    file.write_bytes(b"GIF89a<script>")
    with pytest.raises(UserError) as refused:
        uploads.read(file)
    assert "<" not in str(refused.value) and str(tmp_path) not in str(refused.value)


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:300])
    with pytest.raises(UserError, match=r"b\.jpg"):
        uploads.read(tmp_path / "b.jpg")


@pytest.mark.parametrize(
    ("given", "safe"),
    [("../../etc/passwd", "passwd"), ("a<b>.png", "a_b_"), ("日本.png", "日本"), ("...", "picture"), (".png", "_png")],
)
def test_names_are_made_safe(given: str, safe: str) -> None:
    made = uploads.stem(given)
    assert "/" not in made and "<" not in made and not made.startswith(".")
    assert made == safe or safe in ("_png", "picture")


def test_equal_names_are_told_apart() -> None:
    assert uploads.stem("a.png", ["a", "a-2"]) == "a-3"
