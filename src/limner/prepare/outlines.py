"""Outlines of photographs as a person would draw them: few, long, thin lines."""

from __future__ import annotations

import numpy as np

from limner.core.opencv import opencv

SIDE = 256.0  # pixels of the shorter side for which the numbers below are meant; others are in proportion
SMOOTH = 1.0  # standard deviation in pixels
STRONG, WEAK = 0.86, 0.70  # shares of the pixels with a weaker gradient: where a line may begin, how far it may go on
FAINTEST = 48.0  # of Sobel's sums, those of a soft border of 25 grey levels: a plain wall has no lines
SPECK = 14.0  # pixels: the longer side of a mark that is taken away


def outlines(picture: np.ndarray) -> np.ndarray:
    """Thin black lines on white, uint8 (H, W, 1), from uint8 (H, W, 3): one pixel wide in small pictures.

    The detector is Canny's, on the channel that changes most, with thresholds from the picture's own gradients; then
    marks too short to be lines go. Source: Canny, A computational approach to edge detection, 1986.
    """
    cv2 = opencv()
    scale = min(picture.shape[:2]) / SIDE
    smooth = cv2.bilateralFilter(picture, 5, 40, 3)
    smooth = cv2.GaussianBlur(smooth, (0, 0), SMOOTH * max(1.0, scale))
    dx, dy = (cv2.Sobel(smooth, cv2.CV_16S, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1)))
    strength = np.abs(dx.astype(np.int32)) + np.abs(dy.astype(np.int32))  # (H, W, 3)
    strongest = strength.argmax(axis=2)[..., None]
    dx, dy, strength = (np.take_along_axis(values, strongest, axis=2)[..., 0] for values in (dx, dy, strength))
    high = max(float(np.quantile(strength, STRONG)), FAINTEST)
    low = min(max(float(np.quantile(strength, WEAK)), 0.4 * high), high)
    lines = cv2.Canny(np.ascontiguousarray(dx), np.ascontiguousarray(dy), low, high)
    lines = _without_specks(lines, SPECK * scale)
    if round(scale) > 1:  # lines that are still there when the picture is loaded at 256 px
        lines = cv2.dilate(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round(scale), round(scale))))
    return (255 - lines)[..., None]


def _without_specks(lines: np.ndarray, least: float) -> np.ndarray:
    cv2 = opencv()
    count, marks, facts, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    longest = facts[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    keep = np.zeros(count, np.uint8)
    keep[longest >= least] = 255
    keep[0] = 0  # the ground
    return keep[marks]
