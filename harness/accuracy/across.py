"""One model on several delegates and devices: rounding moves its mAP a little, and nothing else may.

Half precision moves an mAP by a thousandth on the same images, other integer kernels by a hundredth on a few dozen.
What is beyond that, and beyond what the images that happen to be there explain, is an error of the delegate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import PairedDifference, paired_difference
from harness.accuracy.detections import load_detections
from harness.accuracy.published import ROUNDING
from harness.records.checks import Check, verdict

NAME = "delegates disagree"
FAR, FAR_SHARE = 0.02, 0.1
"""mAP, and share of the reference's, by which no rounding moves it: the least difference that is certain."""


@dataclass(frozen=True)
class Execution:
    """One model's accuracy as one delegate of one device gave it.

    Attributes:
        delegate: The one that was asked for.
        device: The device's name.
        kernels: What ran there; executions with the same kernels have one vote together.
        on_cpu: Whether that is a CPU.
        is_reference: Whether these are the reference kernels.
        map: The mAP.
        detections: The file with the detections.
    """

    delegate: str
    device: str
    kernels: str
    on_cpu: bool
    is_reference: bool
    map: float
    detections: Path


def disagreements(
    executions: Sequence[Execution], truth: GroundTruth, image_ids: Sequence[int]
) -> Iterator[tuple[int, Check]]:
    """Yield which executions disagree with the others, by their place, and the check that says so.

    The side to believe is that of the most kernels; of several, that of the reference kernels, then that of a CPU.

    Args:
        executions: Of one model, on the same images.
        truth: The annotations of the categories that are evaluated.
        image_ids: The evaluated images.
    """
    groups = _agreeing(executions)
    if len(groups) < 2:
        return
    believed = max(groups, key=lambda group: _weight([executions[place] for place in group]))
    reference = max(believed, key=lambda place: _weight([executions[place]]))
    settled = executions[reference].on_cpu or _votes(executions[place] for place in believed) > 1
    for place in range(len(executions)):
        if place in believed:
            continue
        found = _difference(executions[reference], executions[place], truth, image_ids)
        if not _beyond(found):
            continue
        yield place, _check(executions[place], executions[reference], found, settled)
        if not settled:
            yield reference, _check(executions[reference], executions[place], found, settled)


def _agreeing(executions: Sequence[Execution]) -> list[list[int]]:
    """Group the executions whose mAPs differ by rounding at most, from the lowest to the highest."""
    groups: list[list[int]] = []
    for place in sorted(range(len(executions)), key=lambda place: executions[place].map):
        if groups and executions[place].map - executions[groups[-1][-1]].map <= ROUNDING:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _votes(group: Iterator[Execution] | Sequence[Execution]) -> int:
    return len({(one.device, one.kernels) for one in group})


def _weight(group: Sequence[Execution]) -> tuple[int, bool, bool]:
    return _votes(group), any(one.is_reference for one in group), any(one.on_cpu for one in group)


def _difference(
    reference: Execution, other: Execution, truth: GroundTruth, image_ids: Sequence[int]
) -> PairedDifference:
    first, second = load_detections(reference.detections), load_detections(other.detections)
    return paired_difference(truth, first, second, image_ids)


def _near_end(found: PairedDifference) -> float:
    """Return the end of the interval that is nearer to no difference, as a distance; 0 where it holds that."""
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return 0.0
    return min(abs(found.low), abs(found.high))


def _beyond(found: PairedDifference) -> bool:
    return _near_end(found) > ROUNDING


def _check(one: Execution, other: Execution, found: PairedDifference, settled: bool) -> Check:
    far = max(FAR, FAR_SHARE * other.map)
    return Check(
        name=NAME,
        verdict=verdict(certain=settled and _near_end(found) > far),
        figures={
            "map": one.map,
            "map_elsewhere": other.map,
            "difference": one.map - other.map,
            "least_difference": _near_end(found),
        },
        words=f"mAP is {one.map:.3f} where {other.delegate} on {other.device} gives {other.map:.3f} with the same model"
        f" and images; at least {_near_end(found):.3f} of that is no chance (95 % interval), and rounding moves an mAP "
        f"by {ROUNDING} at most",
        command=f"harness diagnose MODEL --dataset DATASET --device {one.device} --delegate {one.delegate}",
    )
