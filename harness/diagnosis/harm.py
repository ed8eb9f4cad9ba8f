"""Classes that a remedy harms: what helps on the whole may cost one class dearly."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.accuracy.coco import evaluate
from harness.diagnosis.runs.changes import Detections
from harness.diagnosis.runs.runs import Runs

LEAST_HARM = 0.02
"""AP of a class whose loss is worth a word, where its interval leaves out 0 as well."""


@dataclass(frozen=True)
class HarmedClass:
    """A class that a change costs accuracy, beyond chance.

    Attributes:
        name: Of the category.
        before: AP before the change.
        after: AP with it.
    """

    name: str
    before: float
    after: float


def harmed_classes(runs: Runs, before: Detections, after: Detections) -> tuple[HarmedClass, ...]:
    """Return the classes whose AP a change lowers beyond chance, the most harmed first."""
    sides = [evaluate(runs.truth, one.table, one.image_ids).ap_per_category for one in (before, after)]
    found = []
    for number, name in runs.truth.categories.items():
        old, new = (side.get(name) for side in sides)
        if old is None or new is None or old - new < LEAST_HARM:
            continue
        of_class = replace(runs, truth=runs.truth.of_categories((number,)))
        high = of_class.compare(before, after).high
        if high is not None and high < 0:
            found.append(HarmedClass(name, old, new))
    return tuple(sorted(found, key=lambda one: one.after - one.before))
