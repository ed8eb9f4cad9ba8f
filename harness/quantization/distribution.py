"""Whether representative images are like the evaluation images, by simple statistics.

A difference is told when it is large (Cohen's d; J. Cohen, Statistical Power Analysis, 1988, calls 0.8 large)
and not chance (a z-test of the means). All of this is a hint: a day and a night set may differ on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from harness.quantization.findings import Finding
from harness.quantization.statistics import ImageFacts

LARGE_EFFECT = 0.8
CERTAIN_Z = 3.0
LEAST_IMAGES = 8
ASPECT_FACTOR = 1.25
_Floats = npt.NDArray[np.float64]


def check(facts: Sequence[ImageFacts], reference: Sequence[ImageFacts], resized: bool) -> list[Finding]:
    """Compare two sets of images.

    Args:
        facts: The representative ones.
        reference: The evaluation images.
        resized: Whether the representative ones have the model's size already, so that their aspect says nothing.
    """
    if min(len(facts), len(reference)) < LEAST_IMAGES:
        return []
    findings = [
        *_swapped(facts, reference),
        *_shifted("brightness", [f.luma for f in facts], [f.luma for f in reference]),
        *_shifted("contrast", [f.contrast for f in facts], [f.contrast for f in reference]),
    ]
    return findings if resized else [*findings, *_aspect(facts, reference)]


def _shifted(what: str, first: Sequence[float], second: Sequence[float]) -> list[Finding]:
    here, there = np.array(first), np.array(second)
    pooled = sqrt((here.var() + there.var()) / 2) or 1e-9
    effect, certainty = abs(here.mean() - there.mean()) / pooled, abs(_z(here, there))
    if effect < LARGE_EFFECT or certainty < CERTAIN_Z:
        return []
    return [
        Finding(
            f"unlike-evaluation-{what}",
            "hint",
            f"the mean {what} is {here.mean():.0f} of 255, that of the evaluation images {there.mean():.0f} "
            f"({effect:.1f} standard deviations apart).",
            "Take images of the same kind as those that the model will see.",
        )
    ]


def _z(here: _Floats, there: _Floats) -> float:
    error = sqrt(here.var() / len(here) + there.var() / len(there)) or 1e-9
    return float(here.mean() - there.mean()) / error


def _swapped(facts: Sequence[ImageFacts], reference: Sequence[ImageFacts]) -> list[Finding]:
    """Compare red − blue: where it is surely of opposite sign, red and blue are probably swapped."""
    here, there = (np.array([f.channels[0] - f.channels[2] for f in group]) for group in (facts, reference))
    as_they_are, exchanged = abs(_z(here, there)), abs(_z(-here, there))
    if as_they_are < CERTAIN_Z or exchanged > as_they_are / 2 or here.mean() * there.mean() >= 0:
        return []
    return [
        Finding(
            "channel-order",
            "hint",
            f"red minus blue is {here.mean():+.0f} on average, {there.mean():+.0f} in the evaluation images; with red "
            "and blue exchanged they would agree: the images are probably BGR, as OpenCV reads them.",
            "Convert with cv2.cvtColor(image, cv2.COLOR_BGR2RGB), or cv2.imwrite the BGR image unchanged.",
        )
    ]


def _aspect(facts: Sequence[ImageFacts], reference: Sequence[ImageFacts]) -> list[Finding]:
    here, there = (float(np.median([f.width / f.height for f in group])) for group in (facts, reference))
    if max(here / there, there / here) < ASPECT_FACTOR:
        return []
    return [
        Finding(
            "wrong-aspect",
            "hint",
            f"the median width/height is {here:.2f}, that of the evaluation images {there:.2f}: cropped or stretched "
            "images give other ranges.",
            "Use the original images; the harness resizes them as the model's card says.",
        )
    ]
