"""Faces cut out of a photograph, upright, at one size and with their eyes at one place."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from limner.core.errors import UserError
from limner.core.opencv import opencv
from limner.faces.align import EVENLY, HEAD, Pose, alignment, apply, inverse, pose_of, scale_of, similarity
from limner.faces.find import Face, Finder

Choose = Literal["largest", "all", "one"]
LOOK = 288  # pixels: the side of the square in which landmarks are looked at a second time
LOOKS = 2  # the second time the face is where it should be
LOOK_EYES = 0.4  # of it between the eyes
BARELY = 0.8  # a scale down to this needs no mean over pixels
LARGEST_WARP = 8192  # pixels: side of the square from which a very large face is brought down


@dataclasses.dataclass(frozen=True)
class Crop:
    """A face cut out: pixels uint8 (S, S, 3), the face, its pose, and the map (2, 3) from the photograph to them."""

    pixels: np.ndarray
    face: Face
    pose: Pose
    matrix: np.ndarray


@dataclasses.dataclass(frozen=True)
class Cropper:
    """Cuts the faces out of photographs."""

    finder: Finder
    size: int = 256
    margin: float = 0.3
    choose: Choose = "largest"

    def __call__(self, picture: np.ndarray) -> list[Crop]:
        """Cut faces out of a photograph, uint8 (H, W, 3), the largest first.

        Errors: UserError that says why there is no picture: no face, or several where one is asked for.
        """
        found = self.finder.find(picture, thorough=self.choose == "all")
        if not found:
            raise UserError("no face was found")
        if self.choose == "one" and len(found) > 1:
            raise UserError(f"{len(found)} faces were found, and exactly one was asked for")
        wanted = found if self.choose == "all" else found[:1]
        return [self._cut(picture, self._looked_at(picture, face)) for face in wanted]

    def _looked_at(self, picture: np.ndarray, face: Face) -> Face:
        """Find the landmarks anew where the face is upright and large, there and mirrored, and take the mean; twice."""
        places = (HEAD[:, :2] - HEAD[:, :2].mean(axis=0)) * LOOK_EYES * LOOK + (LOOK - 1) / 2
        for _ in range(LOOKS):
            matrix = similarity(face.landmarks, places, EVENLY)
            view = warp(picture, matrix, LOOK)
            seen = []
            for mirrored in (False, True):
                shown = np.ascontiguousarray(view[:, ::-1]) if mirrored else view
                near = [(_distance(one), one) for one in self.finder.once(shown)]
                distance, best = min(near, key=lambda pair: pair[0], default=(LOOK, face))
                if distance < LOOK / 6:  # else it is a neighbour
                    seen.append(mirror(best.landmarks, LOOK) if mirrored else best.landmarks)
            if seen:
                landmarks = apply(inverse(matrix), np.mean(seen, axis=0))
                face = dataclasses.replace(face, landmarks=landmarks)
        return face

    def _cut(self, picture: np.ndarray, face: Face) -> Crop:
        pose = pose_of(face.landmarks)
        matrix = alignment(face.landmarks, self.size, self.margin, pose.yaw if pose.turned else 0.0)
        return Crop(warp(picture, matrix, self.size), face, pose, matrix)


def warp(picture: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Show a picture, uint8 (H, W, C), through a similarity transform in a square of `size` px; borders are reflected.

    Where it becomes smaller, every pixel is the mean of those that fall on it: nothing flickers.
    """
    cv2 = opencv()
    factor = int(np.ceil(BARELY / max(scale_of(matrix), 1e-6)))
    factor = max(1, min(factor, LARGEST_WARP // size))
    larger = matrix * factor
    larger[:, 2] += (factor - 1) / 2  # pixel centres lie at whole numbers
    kind = cv2.INTER_CUBIC if factor == 1 else cv2.INTER_LINEAR
    side = size * factor
    shown = cv2.warpAffine(picture, larger, (side, side), flags=kind, borderMode=cv2.BORDER_REFLECT_101)
    return shown if factor == 1 else cv2.resize(shown, (size, size), interpolation=cv2.INTER_AREA)


def mirror(landmarks: np.ndarray, size: int) -> np.ndarray:
    """The landmarks (5, 2) of a face after its picture of `size` px was mirrored left to right."""
    mirrored = landmarks[[1, 0, 2, 4, 3]].copy()
    mirrored[:, 0] = size - 1 - mirrored[:, 0]
    return mirrored


def _distance(face: Face) -> float:
    return float(np.linalg.norm(face.landmarks.mean(axis=0) - (LOOK - 1) / 2))
