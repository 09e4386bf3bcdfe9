"""Faces in real photographs, against landmarks that others found, and under all that happens to photographs."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import UserError
from limner.faces.align import apply, eye_places
from limner.faces.crop import Crop, Cropper, warp
from limner.faces.find import Finder

pytest.importorskip("cv2")
SIZE, MARGIN = 256, 0.3
FRONTAL = 0.3  # how far the nose may be from the middle of the eyes, in distances between them


@pytest.fixture(scope="module")
def finder() -> Finder:
    folder = os.environ.get("LIMNER_DATA")
    if not folder:
        pytest.skip("LIMNER_DATA does not say where the weights are")
    return Finder((Path(folder) / "weights" / "face_detection_yunet_2026may.onnx").read_bytes())


def photograph(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def true_faces(folder: Path) -> dict[str, list[np.ndarray]]:
    """The 68 landmarks of every face, by the file's name."""
    found: dict[str, list[np.ndarray]] = {}
    for name in ("testing", "training"):
        for picture in ElementTree.parse(folder / f"{name}_with_face_landmarks.xml").iter("image"):
            faces = [
                np.array([[float(part.attrib["x"]), float(part.attrib["y"])] for part in box.iter("part")])
                for box in picture.iter("box")
            ]
            found[picture.attrib["file"]] = faces
    return found


def eyes_of(landmarks: np.ndarray) -> np.ndarray:
    return np.stack([landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)])


def nearest(crops: list[Crop], eyes: np.ndarray) -> Crop | None:
    """The crop of the face whose eyes these are; None when it was not found."""
    best = min(crops, key=lambda crop: np.linalg.norm(crop.face.landmarks[:2] - eyes), default=None)
    apart = np.linalg.norm(eyes[1] - eyes[0])
    if best is None or np.linalg.norm(best.face.landmarks[:2].mean(axis=0) - eyes.mean(axis=0)) > apart / 2:
        return None
    return best


def test_faces_of_photographs_are_found_and_their_eyes_come_to_their_places(finder: Finder, real_data: Path) -> None:
    cropper, missed, errors = Cropper(finder, SIZE, MARGIN, "all"), 0, []
    for name, faces in true_faces(real_data / "face_photos").items():
        crops = cropper(photograph(real_data / "face_photos" / name))
        for landmarks in faces:
            eyes = eyes_of(landmarks)
            across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0]) ** 2
            if abs((landmarks[30] - eyes.mean(axis=0)) @ across) >= FRONTAL:
                continue
            crop = nearest(crops, eyes)
            if crop is None:
                missed += 1
                continue
            places = apply(crop.matrix, eyes)
            errors.append(float(np.linalg.norm(places - eye_places(SIZE, MARGIN), axis=1).max()) / SIZE)
    assert len(errors) + missed == 37
    assert missed / 37 <= 0.1, f"{missed} of 37 faces from the front were not found"
    # Of the worst the eyes are 11 px apart: a pixel, which is how they were marked, is 2 % of the crop.
    assert np.mean(np.array(errors) <= 0.04) >= 0.97 and max(errors) <= 0.05, sorted(errors)[-4:]
    assert np.mean(errors) <= 0.025


def test_faces_of_portraits_are_found(finder: Finder, real_data: Path) -> None:
    paths = sorted((real_data / "faces").glob("*.jpg"))[::110]
    found = sum(bool(finder.find(photograph(path))) for path in paths)
    assert len(paths) == 30 and found == 30


@pytest.mark.parametrize("angle", [-35, -15, 20, 40])
def test_a_tilted_photograph_gives_the_same_face(finder: Finder, real_data: Path, angle: int) -> None:
    path = real_data / "faces" / "AJ_Cook_0001.jpg"
    straight = Cropper(finder)(photograph(path))[0]
    with Image.open(path) as picture:
        tilted = np.asarray(picture.rotate(angle, Image.Resampling.BICUBIC, expand=True))
    crop = Cropper(finder)(tilted)[0]
    assert crop.pose.roll == pytest.approx(straight.pose.roll - angle, abs=4)
    inner = slice(64, 192)
    difference = crop.pixels[inner, inner].astype(int) - straight.pixels[inner, inner]
    assert np.abs(difference).mean() < 10, "the same face, upright again"


def test_small_faces_of_large_pictures_are_found(finder: Finder, real_data: Path) -> None:
    face = Image.open(real_data / "faces" / "AJ_Cook_0001.jpg").resize((120, 120))
    wall = Image.new("RGB", (4000, 3000), (150, 150, 140))
    wall.paste(face, (3300, 2200))
    assert max(np.shape(wall)) / 800 * 16 > 60, "on the quick look the face is too small to be seen"
    crops = Cropper(finder, 64)(np.asarray(wall))
    left, top, width, height = crops[0].face.box
    assert 3300 < left + width / 2 < 3420 and 2200 < top + height / 2 < 2320


def test_faces_are_chosen_as_asked(finder: Finder, real_data: Path) -> None:
    several = photograph(real_data / "face_photos" / "2008_001322.jpg")
    everyone = Cropper(finder, 64, choose="all")(several)
    areas = [crop.face.area for crop in everyone]
    assert len(everyone) == 3 and areas == sorted(areas, reverse=True)
    assert np.array_equal(Cropper(finder, 64)(several)[0].pixels, everyone[0].pixels)
    with pytest.raises(UserError, match="3 faces were found, and exactly one was asked for"):
        Cropper(finder, 64, choose="one")(several)
    one = photograph(real_data / "faces" / "AJ_Cook_0001.jpg")
    assert len(Cropper(finder, 64, choose="one")(one)) == 1
    with pytest.raises(UserError, match="no face was found"):
        Cropper(finder)(np.full((300, 400, 3), 127, np.uint8))
    for shape in ((1, 1, 3), (31, 500, 3), (3, 4000, 3)):
        with pytest.raises(UserError, match="no face was found"):
            Cropper(finder)(np.zeros(shape, np.uint8))


def test_threads_find_the_same(finder: Finder, real_data: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    photos = [photograph(path) for path in sorted((real_data / "faces").glob("*.jpg"))[:6]]
    alone = [Cropper(finder, 64)(photo)[0].pixels for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: Cropper(finder, 64)(photo)[0].pixels, photos * 3))
    assert all(np.array_equal(one, alone[i % 6]) for i, one in enumerate(together))


def test_weights_that_are_none() -> None:
    with pytest.raises(UserError, match="cannot read the weights of YuNet"):
        Finder(b"nothing of the kind")


def test_warp_places_pixels_exactly_and_means_over_those_that_vanish() -> None:
    draw = np.random.default_rng(0)
    picture = draw.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    same = np.array([[1.0, 0, -6], [0, 1.0, -4]])
    assert np.array_equal(warp(picture, same, 32), picture[4:36, 6:38])
    eighth = np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]]) + [[0, 0, (1 / 8 - 1) / 2]] * 2
    large = draw.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    means = large.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
    assert np.abs(warp(large, eighth, 32) - means).max() < 12, "far less than the 75 of single pixels"
    outside = warp(picture, np.array([[1.0, 0, 10], [0, 1.0, 0]]), 32)
    assert np.array_equal(outside[:, 0], picture[:32, 10]) and np.array_equal(outside[:, 9], picture[:32, 1])
