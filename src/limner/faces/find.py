"""Faces found by YuNet: a box, five landmarks and a score each.

Source of the detector: Wu, Peng and Yu, YuNet: A Tiny Millisecond-level Face Detector, 2023.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from limner.core.errors import UserError
from limner.core.opencv import opencv

SCORE, OVERLAP, MOST = 0.7, 0.3, 5000  # what counts as a face, how far two may overlap, how many are looked at
SEARCHED = (800, 2400)  # longest side in pixels at which a picture is searched: quickly first, then for small faces
STRIDE = 32  # the detector's coarsest map: a picture below this has none

_SAYING = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a picture's pixels: box (left, top, width, height), score in [0, 1], landmarks float64 (5, 2).

    The landmarks are x and y of both eyes, the nose's tip and the mouth's corners; of two, the left one in the picture
    comes first while the face is upright.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return self.box[2] * self.box[3]

    def moved(self, matrix: np.ndarray) -> Face:
        """The face as it is after the picture went through an affine map, float (2, 3), that scales and shifts."""
        left, top, width, height = self.box
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        corner = matrix[:, :2] @ (left, top) + matrix[:, 2]
        box = (float(corner[0]), float(corner[1]), width * scale, height * scale)
        return Face(box, self.landmarks @ matrix[:, :2].T + matrix[:, 2], self.score)


class Finder:
    """Finds faces, in any number of threads; `weights` are the bytes of YuNet's file.

    Errors: UserError when OpenCV is not installed, or cannot read the weights.
    """

    def __init__(self, weights: bytes) -> None:
        self.weights = weights
        self._own = threading.local()  # OpenCV's detector keeps its input in itself
        self.once(np.zeros((64, 64, 3), np.uint8))

    def find(self, picture: np.ndarray, thorough: bool = False) -> list[Face]:
        """Find the faces of a picture, uint8 (H, W, 3), the largest first.

        A large picture is searched at 800 px; where that shows nothing, or always when `thorough`, at 2400 px as well.
        """
        found: list[Face] = []
        longest = max(picture.shape[:2])
        for side in SEARCHED:
            if side != SEARCHED[0] and (longest <= SEARCHED[0] or (found and not thorough)):
                break
            found += [face for face in self._at(picture, side) if not _known(face, found)]
        return sorted(found, key=lambda face: (-face.area, face.box))

    def _at(self, picture: np.ndarray, side: int) -> list[Face]:
        height, width = picture.shape[:2]
        scale = min(1.0, side / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        if scale < 1:
            picture = opencv().resize(picture, small, interpolation=opencv().INTER_AREA)
        back = np.array([[width / small[0], 0, 0], [0, height / small[1], 0]])
        return [face.moved(back) for face in self.once(picture)]

    def once(self, picture: np.ndarray) -> list[Face]:
        """Search a picture at its own scale, once."""
        if min(picture.shape[:2]) < STRIDE:
            return []
        height, width = picture.shape[:2]
        detector = self._detector()
        detector.setInputSize((width, height))
        rows = detector.detect(np.ascontiguousarray(picture[..., ::-1]))[1]  # OpenCV's pictures are BGR
        return [] if rows is None else [_face(row) for row in rows.astype(np.float64)]

    def _detector(self) -> Any:
        if not hasattr(self._own, "detector"):
            cv2 = opencv()
            nothing, weights = np.zeros(0, np.uint8), np.frombuffer(self.weights, np.uint8)
            try:
                with _quiet(cv2):
                    create = cv2.FaceDetectorYN.create
                    self._own.detector = create("onnx", weights, nothing, (STRIDE, STRIDE), SCORE, OVERLAP, MOST)
            except cv2.error as error:
                raise UserError(f"OpenCV {cv2.__version__} cannot read the weights of YuNet: {error}") from error
        return self._own.detector


@contextlib.contextmanager
def _quiet(cv2: Any) -> Iterator[None]:
    # OpenCV 5 warns of a setting that its own detector makes
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    if logging is None:
        yield
        return
    with _SAYING:  # the level is one for all threads
        before = logging.setLogLevel(logging.LOG_LEVEL_ERROR)
        try:
            yield
        finally:
            logging.setLogLevel(before)


def _face(row: np.ndarray) -> Face:
    left, top, width, height = (float(value) for value in row[:4])
    return Face((left, top, width, height), row[4:14].reshape(5, 2), float(row[14]))


def _known(face: Face, others: Sequence[Face]) -> bool:
    # the same face, found at another scale: their middles are near each other
    middle = face.landmarks.mean(axis=0)
    for other in others:
        reach = 0.4 * np.sqrt(max(face.area, other.area))
        if np.linalg.norm(other.landmarks.mean(axis=0) - middle) < reach:
            return True
    return False
