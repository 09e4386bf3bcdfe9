"""The geometry of faces: known turns, scales and places come out as they went in."""

from __future__ import annotations

import numpy as np
import pytest

from limner.faces.align import (
    EVENLY,
    HEAD,
    alignment,
    apply,
    eye_places,
    inverse,
    pose_of,
    scale_of,
    similarity,
    turned_head,
)

SIZE, MARGIN = 256, 0.25


def placed(points: np.ndarray, roll: float, scale: float = 40.0, x: float = 300.0, y: float = 200.0) -> np.ndarray:
    """Points of a head in a photograph: turned clockwise by `roll` degrees."""
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T * scale + (x, y)


@pytest.mark.parametrize("roll", [-170.0, -90.0, -20.0, 0.0, 5.0, 45.0, 120.0])
@pytest.mark.parametrize("scale", [3.0, 40.0, 900.0])
def test_eyes_come_to_their_places(roll: float, scale: float) -> None:
    landmarks = placed(turned_head(0), roll, scale)
    matrix = alignment(landmarks, SIZE, MARGIN)
    assert np.allclose(apply(matrix, landmarks)[:2], eye_places(SIZE, MARGIN), atol=1e-6)
    assert pose_of(landmarks).roll == pytest.approx(roll, abs=1e-6)
    assert np.allclose(apply(inverse(matrix), apply(matrix, landmarks)), landmarks)


def test_eye_places_are_level_symmetrical_and_closer_with_a_margin() -> None:
    for size in (64, 255, 256):
        left, right = eye_places(size, MARGIN)
        assert left[1] == right[1] and left[0] + right[0] == pytest.approx(size - 1)
        assert 0.35 < (left[1] + 0.5) / size < 0.5
    spans = [np.ptp(eye_places(SIZE, margin)[:, 0]) for margin in (0.0, 0.25, 0.5)]
    assert spans[0] / spans[2] == pytest.approx(2.0) and spans[0] > spans[1] > spans[2]
    assert np.allclose((eye_places(512, 0.25) + 0.5) / 512, (eye_places(64, 0.25) + 0.5) / 64)


@pytest.mark.parametrize("yaw", [-90, -60, -40, -20, 0, 15, 35, 70, 90])
@pytest.mark.parametrize("roll", [-30.0, 0.0, 60.0])
def test_the_turn_of_a_head_is_seen(yaw: int, roll: float) -> None:
    pose = pose_of(placed(turned_head(yaw), roll))
    assert abs(pose.yaw - yaw) <= 5
    assert pose.turned == (abs(yaw) >= 35)
    if pose.turned:
        assert pose.roll == pytest.approx(roll, abs=3)


def test_a_head_keeps_its_size_and_its_height_when_it_turns() -> None:
    front = alignment(placed(turned_head(0), 0), SIZE, MARGIN)
    for yaw in (40, 65, 90, -90):
        landmarks = placed(turned_head(yaw), 0)
        matrix = alignment(landmarks, SIZE, MARGIN, yaw)
        assert scale_of(matrix) == pytest.approx(scale_of(front), rel=1e-6)
        assert apply(matrix, landmarks)[:2, 1] == pytest.approx(eye_places(SIZE, MARGIN)[:, 1])
        middle = apply(matrix, landmarks).mean(axis=0)[0] - SIZE / 2
        assert np.sign(middle) == np.sign(yaw), "room is left behind the face, for the rest of the head"


def test_similarity_finds_what_was_done_and_never_mirrors() -> None:
    draw = np.random.default_rng(0)
    points = draw.normal(size=(5, 2))
    places = placed(points, 33.0, 2.5, 7.0, -9.0)
    assert np.allclose(apply(similarity(points, places, EVENLY), points), places)
    mirrored = similarity(points, points * (-1, 1), EVENLY)
    assert np.linalg.det(mirrored[:, :2]) >= 0
    places[0] += (1, 0)
    heavy = similarity(points, places, np.array([1e9, 1e9, 1, 1, 1]))
    assert np.allclose(apply(heavy, points)[:2], places[:2], atol=1e-5), "two points are met exactly"
    assert np.isfinite(similarity(np.zeros((5, 2)), HEAD[:, :2], EVENLY)).all()
