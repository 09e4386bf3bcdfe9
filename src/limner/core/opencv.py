"""OpenCV, which is not needed to train: faces and outlines are found with it."""

from __future__ import annotations

import functools
from typing import Any

from limner.core.errors import UserError


@functools.cache  # setting the number of threads takes long, even to what it is
def opencv() -> Any:
    """Import OpenCV, on one thread: pictures are what is worked on at once. UserError when it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise UserError("faces and outlines need the package OpenCV: pip install 'limner[prepare]'") from error
    cv2.setNumThreads(1)
    return cv2
