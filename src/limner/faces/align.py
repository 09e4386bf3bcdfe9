"""From five landmarks to the map that brings a face to its place, and what they say of how it is turned."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

# A head in units of the distance of its eyes, x to the right, y down, z towards the viewer, from the middle of the
# eyes: both eyes, nose, corners of the mouth. x and y are what YuNet gives on average for 300 faces; z is anatomy.
HEAD = np.array([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.56, 0.6], [-0.425, 0.995, 0.15], [0.425, 0.995, 0.15]])
CENTRE = (0.0, 0.35, -0.8)  # of what is cut out: below the eyes, and inside the head
SPAN = 2.8  # what is cut out without a margin: from the brows to the chin
EYES, NOSE, MOUTH = 4.0, 1.0, 1.0  # how much each landmark counts: eyes are to be at their place
TURNED = 35.0  # degrees from which a face counts as turned
STEP = 5  # degrees between the turns that are tried

WEIGHTS = np.array([EYES, EYES, NOSE, MOUTH, MOUTH])
EVENLY = np.ones(5)


@dataclasses.dataclass(frozen=True)
class Pose:
    """How a face is held: `roll` in degrees, clockwise in the picture, and `yaw`, above 0 when it looks to the right.

    Yaw is a coarse estimate. `turned` says that it is no longer a face from the front.
    """

    roll: float
    yaw: float

    @property
    def turned(self) -> bool:
        """Whether the face is seen from the side rather than from the front."""
        return abs(self.yaw) >= TURNED


def pose_of(landmarks: np.ndarray) -> Pose:
    """Estimate how the face of five landmarks (5, 2) is held: the turn of a plain head that fits them best."""
    turns = range(-90, 91, STEP)
    misfits = []
    for yaw in turns:
        head = turned_head(yaw)
        matrix = similarity(landmarks, head, EVENLY)
        # In pixels of the picture, where a small scale cannot hide a bad fit.
        misfit = np.linalg.norm(apply(matrix, landmarks) - head, axis=1) / scale_of(matrix)
        misfits.append(float((misfit**2).sum()))
    yaw = float(turns[int(np.argmin(misfits))])
    pose = Pose(0.0, yaw)
    return dataclasses.replace(pose, roll=_roll(alignment(landmarks, 1, 0.0, yaw if pose.turned else 0.0)))


def alignment(landmarks: np.ndarray, size: int, margin: float, yaw: float = 0.0) -> np.ndarray:
    """The similarity transform, float64 (2, 3), from a picture's pixels to those of a square of `size` px.

    Of a face from the front, the eyes come to `eye_places`; of one turned by `yaw` degrees, the head to the same place
    and to the same size. `margin` is the room around the face, as a share of it on each side: 0 shows brows to chin.
    """
    pixels = size / (SPAN * (1 + 2 * margin))
    x, y, z = CENTRE
    angle = np.radians(yaw)
    centre = np.array([x * np.cos(angle) + z * np.sin(angle), y])
    # Pixel centres lie at whole numbers: the middle of a square of two pixels is 0.5.
    places = (turned_head(yaw) - centre) * pixels + (size - 1) / 2
    # Of a turned face the distance of the eyes says little of its size: that from the eyes to the mouth says more.
    return similarity(landmarks, places, EVENLY if yaw else WEIGHTS)


def eye_places(size: int, margin: float) -> np.ndarray:
    """Where the eyes of a face from the front come to lie, float64 (2, 2): x and y in pixels."""
    return (HEAD[:2, :2] - CENTRE[:2]) * size / (SPAN * (1 + 2 * margin)) + (size - 1) / 2


def turned_head(yaw: float) -> np.ndarray:
    """The landmarks of a plain head that looks to the right by `yaw` degrees, (5, 2)."""
    angle = np.radians(yaw)
    return np.stack([HEAD[:, 0] * np.cos(angle) + HEAD[:, 2] * np.sin(angle), HEAD[:, 1]], axis=1)


def similarity(points: np.ndarray, places: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """The turn, scale and shift, float64 (2, 3), that bring points (N, 2) nearest to places (N, 2): least squares.

    Source: Umeyama, Least-squares estimation of transformation parameters, 1991; in two dimensions a turn and a scale
    are one complex factor, and mirroring cannot happen.
    """
    weights = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    from_, to = (_complex(values.astype(np.float64)) for values in (points, places))
    middle, target = (weights * from_).sum(), (weights * to).sum()
    spread = (weights * np.abs(from_ - middle) ** 2).sum()
    factor = (weights * np.conj(from_ - middle) * (to - target)).sum() / max(spread, 1e-12)
    shift = target - factor * middle
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 2) after an affine map (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) that undoes another."""
    back = np.linalg.inv(matrix[:, :2])
    return np.hstack([back, (-back @ matrix[:, 2])[:, None]])


def scale_of(matrix: np.ndarray) -> float:
    """How many pixels one pixel becomes."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def _roll(matrix: np.ndarray) -> float:
    return float(-np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))


def _complex(points: np.ndarray) -> np.ndarray:
    return points[:, 0] + 1j * points[:, 1]
