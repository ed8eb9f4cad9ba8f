"""Check representative data before it calibrates anything: one function a check, one line each in `CHECKS`.

Each check stands for a fault that users of TFLite's quantizer reported: one image repeated by
`next(iter(dataset))` (tensorflow#44289, models#9033), ranges of 0…255 fed to a model of −1…1 (tensorflow#46687),
too few or unlike images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.cards import InputSpec
from harness.quantization import distribution, statistics, value_range
from harness.quantization import noise as without_order
from harness.quantization.findings import Finding, sorted_by_severity
from harness.quantization.representative import Arrays, Images, Representative
from harness.quantization.statistics import ImageFacts

FEW, TOO_FEW = 100, 10
"""TensorFlow's guide asks for 100–500 samples (post-training integer quantization); below 10 it is guesswork."""
NEAR_BITS = 16
"""Near-duplicates differ in at most so many of the 256 bits of their difference hashes."""
MOST_NAMED = 3
SMALL_SHARE, UPSCALED = 0.1, 0.75


@dataclass(frozen=True)
class Material:
    """All that a check may look at.

    Attributes:
        data: The representative data.
        facts: Of each of its samples.
        spec: How the model's images are prepared.
        integer_input: Whether the model takes pixels (integers).
        evaluation: Facts of images that the model is evaluated on; empty where there are none.
    """

    data: Representative
    facts: tuple[ImageFacts, ...]
    spec: InputSpec
    integer_input: bool = False
    evaluation: tuple[ImageFacts, ...] = ()

    @property
    def readable(self) -> list[ImageFacts]:
        """The samples that can be used."""
        return [fact for fact in self.facts if fact.problem is None]

    @property
    def reference(self) -> list[ImageFacts]:
        """The evaluation images that can be used."""
        return [fact for fact in self.evaluation if fact.problem is None]


def material(
    data: Representative, spec: InputSpec, integer_input: bool = False, evaluation: Iterable[Path] = ()
) -> Material:
    """Read every image once and return what the checks need."""
    if isinstance(data, Images):
        facts = statistics.of_files(data.files)
    else:
        low, high = value_range.taken_for_pixels(data.values, spec)
        facts = statistics.of_arrays(data.names(), data.values, low, high)
    return Material(data, tuple(facts), spec, integer_input, tuple(statistics.of_files(evaluation)))


def lint(found: Material) -> list[Finding]:
    """Run all checks; errors first."""
    return sorted_by_severity(finding for check in CHECKS for finding in check(found))


def unreadable(found: Material) -> list[Finding]:
    """Images that cannot be decoded are left out of the calibration."""
    broken = [fact for fact in found.facts if fact.problem is not None]
    if not broken:
        return []
    return [
        Finding(
            "unreadable",
            "error" if len(broken) == len(found.facts) else "warning",
            f"{len(broken)} of {len(found.facts)} images cannot be decoded ({_named(broken)}): {broken[0].problem}.",
            "Fetch or export them again, or remove them.",
        )
    ]


def too_few(found: Material) -> list[Finding]:
    """Few samples leave the ranges of activations to chance."""
    n = len({fact.digest for fact in found.readable})
    if n >= FEW:
        return []
    return [
        Finding(
            "too-few",
            "error" if n < TOO_FEW else "warning",
            f"{n} different images, where {FEW} to 500 are usual.",
            "Add images of the kind that the model will see; training images will do.",
        )
    ]


def repeated(found: Material) -> list[Finding]:
    """The same image again and again: typically `next(iter(dataset))` in the generator."""
    counts = Counter(fact.digest for fact in found.readable)
    total, different = counts.total(), len(counts)
    if total < 2 or different == total:
        return []
    first, n = counts.most_common(1)[0]
    name = next(fact.name for fact in found.readable if fact.digest == first)
    return [
        Finding(
            "repeated-image",
            "error" if different == 1 or n > total / 2 else "warning",
            f"{total} images are only {different} different ones; {name} stands there {n} times.",
            "Where a script wrote them: `next(iter(dataset))` starts anew at each call; iterate once instead.",
        )
    ]


def near_duplicates(found: Material) -> list[Finding]:
    """Re-encoded copies and neighbouring video frames add nothing to the ranges."""
    facts = found.readable
    pairs = statistics.near_pairs(facts, NEAR_BITS)
    later = {second for _, second in pairs}
    if not pairs or len(later) < max(2, SMALL_SHARE * len(facts)):
        return []
    first, second = pairs[0]
    return [
        Finding(
            "near-duplicates",
            "warning",
            f"{len(later)} of {len(facts)} images look almost like another one "
            f"(such as {facts[first].name} and {facts[second].name}).",
            "Take images further apart: other scenes, not neighbouring frames or re-encoded copies.",
        )
    ]


def noise(found: Material) -> list[Finding]:
    """Random numbers reach other values deep in a network than pictures do."""
    return without_order.check(found.data, found.facts)


def size(found: Material) -> list[Finding]:
    """Arrays must have the model's size; images should not have to be enlarged."""
    wanted = (found.spec.width, found.spec.height)
    if isinstance(found.data, Arrays):
        height, width, channels = found.data.values.shape[1:]
        if (width, height, channels) == (*wanted, 3):
            return []
        message = (
            f"the arrays are {height}×{width}×{channels}, the model takes {wanted[1]}×{wanted[0]}×3 (H×W×C)."
        )
        return [Finding("wrong-size", "error", message, "Prepare them as the model's card says.")]
    small = [f for f in found.readable if max(f.width / wanted[0], f.height / wanted[1]) < UPSCALED]
    if not small or len(small) <= SMALL_SHARE * len(found.readable):
        return []
    return [
        Finding(
            "wrong-size",
            "warning",
            f"{len(small)} of {len(found.readable)} images are smaller than the model's {wanted[0]}×{wanted[1]} "
            f"({_named(small)}, {small[0].width}×{small[0].height}): enlarged ones are smoother than real ones.",
            "Use the original images, not thumbnails.",
        )
    ]


def blank(found: Material) -> list[Finding]:
    """Black, white or evenly coloured images show nothing."""
    flat = [
        fact
        for fact in found.readable
        if fact.contrast < statistics.FLAT and not without_order.is_without_order(fact)
    ]
    if not flat or len(flat) <= SMALL_SHARE * len(found.readable):
        return []
    everything = len(flat) == len(found.readable)
    return [
        Finding(
            "blank",
            "error" if everything else "warning",
            f"{len(flat)} of {len(found.readable)} images are one even colour ({_named(flat)}).",
            "Look at how they were written; replace them by real ones.",
        )
    ]


def grey(found: Material) -> list[Finding]:
    """Grey images in a set for colour."""
    facts = found.readable
    flat = [fact for fact in facts if fact.grey]
    usual = _share(sum(fact.grey for fact in found.reference), len(found.reference))
    if not facts or _share(len(flat), len(facts)) <= max(SMALL_SHARE, 3 * usual):
        return []
    compared = f", against {usual:.0%} of the evaluation images" if found.reference else ""
    return [
        Finding(
            "grey",
            "warning",
            f"{len(flat)} of {len(facts)} images are grey ({_named(flat)}){compared}.",
            "Use colour images, unless the device's camera is monochrome.",
        )
    ]


def leak(found: Material) -> list[Finding]:
    """Calibrating on the evaluation images makes their figures a little too good."""
    evaluated = {fact.digest for fact in found.reference}
    both = [fact for fact in found.readable if fact.digest in evaluated]
    if not both:
        return []
    return [
        Finding(
            "evaluation-images",
            "hint",
            f"{len(both)} of {len(found.readable)} images are also evaluated on ({_named(both)}): accuracy and output "
            "error come out a little too good.",
            "Take other images, such as training images.",
        )
    ]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _named(facts: Sequence[ImageFacts]) -> str:
    names = ", ".join(fact.name for fact in facts[:MOST_NAMED])
    return f"{names}, …" if len(facts) > MOST_NAMED else names


def values(found: Material) -> list[Finding]:
    """The range of the values must be that of the model's input."""
    array = found.data.values if isinstance(found.data, Arrays) else None
    finite = array is None or bool(np.isfinite(array).all())
    if array is not None and not finite:
        message = f"{int((~np.isfinite(array)).sum())} of {array.size} values are NaN or infinite."
        return [Finding("wrong-range", "error", message, "Look at how they were prepared.")]
    return value_range.check(array, found.spec, found.integer_input)


def like_evaluation(found: Material) -> list[Finding]:
    """Statistics against the evaluation images; hints, for they may differ for a reason."""
    return distribution.check(found.readable, found.reference, resized=isinstance(found.data, Arrays))


Check = Callable[[Material], list[Finding]]
CHECKS: tuple[Check, ...] = (
    unreadable,
    too_few,
    repeated,
    near_duplicates,
    noise,
    values,
    size,
    blank,
    grey,
    like_evaluation,  # brightness, contrast, channel order, aspect
    leak,
)
