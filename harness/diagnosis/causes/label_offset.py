"""Class numbers are mapped to wrong categories: one too low, one too high, another list."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harness.cards import Labels
from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.recognize.readings import labels

CAUSE = "label-offset"


def examine(evidence: Evidence) -> Finding | None:
    """Map the class numbers as the float model does, else in the usual ways; it costs no inference."""
    return hypotheses.best_card(evidence, CAUSE, list(_hypotheses(evidence)))


def _hypotheses(evidence: Evidence) -> Iterator[Hypothesis]:
    card, reference = evidence.pair.quantized.card, evidence.pair.float
    if reference is not None:
        theirs = reference.card.labels
        if _numbers(theirs) != _numbers(card.labels):
            better = replace(card.labels, offset=theirs.offset, map=theirs.map, ids=theirs.ids)
            sentence = f"the quantized side reads {describe(card.labels)}, the float side {describe(better)}"
            yield Hypothesis(replace(card, labels=better), sentence, seen=True)
            return
    for reading in [*labels(card)][1:]:
        other = describe(reading.card.labels)
        yield Hypothesis(
            reading.card, f"the card reads {describe(card.labels)}; {other} serves the model better", False
        )
    for step in (-1, 1):
        shifted = replace(card.labels, offset=card.labels.offset + step)
        sentence = f"the card reads {describe(card.labels)}; {describe(shifted)} serves the model better"
        yield Hypothesis(replace(card, labels=shifted), sentence, seen=False)


def _numbers(spec: Labels) -> tuple[object, ...]:
    """Return what decides which category a class number is."""
    return (spec.ids,) if spec.ids is not None else (spec.offset, spec.map)


def describe(spec: Labels) -> str:
    """Return in words how class numbers are mapped to categories."""
    if spec.ids is not None:
        return "a list of categories"
    number = "class" if spec.offset == 0 else f"class {'+' if spec.offset > 0 else '-'} {abs(spec.offset)}"
    return (
        f"«{number}» as the category" if spec.map is None else f"«{number}» as one of {spec.map}'s categories"
    )
