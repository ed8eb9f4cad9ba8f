"""Images are resized in another way, or to another size, than in training."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harness.cards import InputSpec
from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.confidence import is_lossy
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.causes.pipeline_config import Training, read_training
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.remedies.remedies import advice
from harness.recognize.readings import resizes

CAUSE = "input-geometry"
_ENTRIES = ("resize", "pad_value", "pad_position", "method")


def examine(evidence: Evidence) -> Finding | None:
    """Resize as the float model does, or as the training's configuration says; else compare the sizes."""
    return hypotheses.best_card(evidence, CAUSE, list(_hypotheses(evidence))) or _other_size(evidence)


def _hypotheses(evidence: Evidence) -> Iterator[Hypothesis]:
    model, reference = evidence.pair.quantized, evidence.pair.float
    card = model.card
    if reference is not None:
        theirs = reference.card.input
        changes = {entry: getattr(theirs, entry) for entry in _ENTRIES}
        better = replace(card.input, **changes)
        if _way(better) != _way(card.input):
            found, other = describe(card.input), describe(better)
            sentence = f"images are brought to size by {found}; on the float side it is {other}"
            yield Hypothesis(replace(card, input=better), sentence, seen=True)
        return  # the float model does well with images resized in the same way
    for reading in resizes(card, model.description):
        found, other = describe(card.input), describe(reading.card.input)
        yield Hypothesis(
            reading.card, f"images are brought to size by {found}; {other} serves the model better", False
        )


def _way(spec: InputSpec) -> tuple[object, ...]:
    """Return the entries that decide where the image lies and how it looks; a stretched one has no border."""
    border = (spec.pad_value, spec.pad_position) if spec.resize == "letterbox" else ()
    return (spec.resize, spec.method, *border)


def describe(spec: InputSpec) -> str:
    """Return in words how images are resized."""
    if spec.resize == "stretch":
        return f"stretching ({spec.method})"
    return f"letterboxing ({spec.pad_position}, border {spec.pad_value}, {spec.method})"


def _other_size(evidence: Evidence) -> Finding | None:
    """Compare the input's size with the training's and the float model's; another size cannot be tried."""
    spec = evidence.pair.quantized.card.input
    own = (spec.width, spec.height)
    for size, whose in _sizes(evidence):
        if size != own and is_lossy(evidence):
            return _size_finding(own, size, whose)
    return None


def _sizes(evidence: Evidence) -> Iterator[tuple[tuple[int, int], str]]:
    training: Training | None = read_training(evidence.pipeline_config)
    if training is not None and training.size is not None:
        yield training.size, "the training's pipeline.config says"
    if evidence.pair.float is not None:
        theirs = evidence.pair.float.card.input
        yield (theirs.width, theirs.height), "the float side takes"


def _size_finding(own: tuple[int, int], size: tuple[int, int], whose: str) -> Finding:
    aspect = "" if own[0] * size[1] == own[1] * size[0] else ", another aspect ratio: shapes are squeezed"
    return Finding(
        CAUSE,
        "possible",
        "the sizes differ, and what that costs cannot be measured on this file",
        f"the quantized model takes {own[0]}×{own[1]}, {whose} {size[0]}×{size[1]}{aspect}",
        (
            Number("input width", own[0], "px"),
            Number("input height", own[1], "px"),
            Number("trained width", size[0], "px"),
            Number("trained height", size[1], "px"),
        ),
        None,
        "retrain",
        advice(f"Export and convert the model at {size[0]}×{size[1]}, the size it was trained for."),
    )
