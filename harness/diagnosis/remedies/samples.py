"""Choose images to calibrate with: the user's representative set where it is sound, else the data set's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.cards import InputSpec
from harness.diagnosis.evidence import Evidence
from harness.errors import DatasetError
from harness.paths import found_in, is_file, resolved
from harness.quantization import lint
from harness.quantization.findings import Finding
from harness.quantization.representative import SUFFIXES, Images, Representative, find_representative

MOST = 100
"""TensorFlow's guide asks for 100–500 samples; more take longer and change little."""


@dataclass(frozen=True)
class Calibration:
    """The data to calibrate with.

    Attributes:
        data: The images or arrays.
        remark: A remark for the user; empty for the user's own data.
    """

    data: Representative
    remark: str


def given_faults(evidence: Evidence) -> Sequence[Finding]:
    """Return the faults of the user's representative data, errors first; () without it.

    Raises:
        DatasetError: It cannot be read.
    """
    if evidence.representative is None:
        return ()
    return _faults(evidence.representative, _spec(evidence))


@lru_cache(maxsize=4)
def _faults(path: Path, spec: InputSpec) -> tuple[Finding, ...]:
    """Check the images once, however many causes and remedies ask."""
    return tuple(lint.lint(lint.material(find_representative(path), spec)))


def _spec(evidence: Evidence) -> InputSpec:
    """Return the float model's input entries: calibration has to feed what they say."""
    model = evidence.pair.float or evidence.pair.quantized
    return model.card.input


def sound_representative(evidence: Evidence) -> Representative | None:
    """Return the user's representative data; None where it has errors."""
    if evidence.representative is None:
        return None
    try:
        faults = given_faults(evidence)
    except DatasetError:
        return None
    return (
        None if any(f.severity == "error" for f in faults) else find_representative(evidence.representative)
    )


def calibration(evidence: Evidence) -> Calibration:
    """Return images to calibrate with: the user's, else the data set's, those that are not evaluated first."""
    own = sound_representative(evidence)
    if own is not None:
        return Calibration(own, "")
    evaluated = {resolved(image.path) for image in evidence.dataset.images}
    folder = evidence.dataset.images[0].path.parent
    files = sorted(path for path in found_in(folder) if path.suffix.lower() in SUFFIXES and is_file(path))
    others = [path for path in files if resolved(path) not in evaluated]
    if len(others) >= MOST // 2:
        return Calibration(
            Images(folder, tuple(_thin_out(others))), "calibrated on the data set's other images"
        )
    remark = (
        "calibrated on images that are evaluated too, for want of others: the figure is a little too good; give "
        "--representative with training images for what is shipped"
    )
    return Calibration(Images(folder, tuple(_thin_out(files))), remark)


def _thin_out(items: Sequence[Path]) -> Sequence[Path]:
    return items[:: max(1, len(items) // MOST)][:MOST]
