"""The quantized model keeps other boxes: another score threshold, overlap or number of detections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from harness.cards import ModelCard
from harness.diagnosis.causes.confidence import allows_guesses, gain_text, grade_cause
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.pipeline_config import read_training
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number, Remedy
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.changes import Change, Trial
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.diagnosis.runs.scratch import ScratchFolder, scratch_folder
from harness.edit.card_toml import changed_entries
from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from harness.errors import HarnessError
from harness.tflite.postprocess import PostProcess
from harness.tflite.reader import read_bytes

CAUSE = "nms-settings"
_OPTIONS = {
    "regular": "use_regular_nms",
    "score_threshold": "nms_score_threshold",
    "iou_threshold": "nms_iou_threshold",
    "max_detections": "max_detections",
    "detections_per_class": "detections_per_class",
}
LOW_THRESHOLD, MANY, USUAL_IOU = 1e-3, 100, 0.6
"""Settings for COCO mAP: nearly all candidates, 100 detections an image; 0.6 is the Object Detection API's overlap."""
CLOSE = 1e-6


@dataclass(frozen=True)
class _Variant:
    """Other NMS settings, as a change and as a remedy."""

    change: Change
    remedy: Remedy
    sentence: str
    differing: tuple[Number, ...]
    seen: bool


def examine(evidence: Evidence) -> Finding | None:
    """Suppress with the float model's settings; without a float model, with the training's or the usual ones."""
    with scratch_folder() as folder:
        for one in _variants(evidence, folder):
            if not one.seen and not allows_guesses(evidence):
                continue
            trial = _trial(evidence, one.change)
            grade = None if trial is None else grade_cause(trial.difference, evidence, one.seen)
            if trial is not None and grade is not None:
                return Finding(
                    CAUSE,
                    grade.confidence,
                    grade.rule,
                    f"{one.sentence}; with them {gain_text(trial.difference)}",
                    (*one.differing, *gain_numbers(trial.difference)),
                    trial.difference,
                    "edit" if one.change.file else "setting",
                    one.remedy,
                )
    return None


def _trial(evidence: Evidence, change: Change) -> Trial | None:
    try:
        return evidence.trial(change)
    except HarnessError:
        return None


def _variants(evidence: Evidence, folder: ScratchFolder) -> Iterator[_Variant]:
    model, reference = evidence.pair.quantized, evidence.pair.float
    own = model.description.postprocess
    theirs = reference.description.postprocess if reference is not None else None
    if own is not None:
        wanted, whose = (theirs, "the float side has") if theirs else (_expected(evidence, own), "mAP wants")
        change, differing = _difference(own, wanted)
        if change != NmsChange():
            yield _in_file(evidence, folder, change, differing, whose, seen=theirs is not None)
    elif reference is not None and theirs is None:
        yield from _in_card(evidence, reference)


def _expected(evidence: Evidence, own: PostProcess) -> PostProcess:
    """Return the settings of the training's configuration, and the usual ones for mAP where it has none."""
    from dataclasses import replace as with_fields

    training = read_training(evidence.pipeline_config)
    overlap = training.iou_threshold if training else None
    return with_fields(
        own,
        nms_score_threshold=min(own.nms_score_threshold, LOW_THRESHOLD),
        nms_iou_threshold=overlap
        or (own.nms_iou_threshold if 0.3 <= own.nms_iou_threshold <= 0.8 else USUAL_IOU),
        max_detections=max(own.max_detections, (training and training.max_detections) or MANY),
    )


def _difference(own: PostProcess, wanted: PostProcess) -> tuple[NmsChange, tuple[Number, ...]]:
    changed: dict[str, Any] = {}
    for name, option in _OPTIONS.items():
        before, after = getattr(own, option), getattr(wanted, option)
        if name == "detections_per_class" and not (own.use_regular_nms or wanted.use_regular_nms):
            continue  # the fast NMS ignores it
        if abs(before - after) > CLOSE:
            changed[name] = after
    numbers = [Number(f"{name} here", _plain(getattr(own, _OPTIONS[name]))) for name in changed]
    numbers += [Number(f"{name} there", _plain(value)) for name, value in changed.items()]
    return NmsChange(**changed), tuple(numbers)


def _plain(value: Any) -> float | int | str:
    return str(value).lower() if isinstance(value, bool) else value


def _in_file(
    evidence: Evidence,
    folder: ScratchFolder,
    change: NmsChange,
    differing: tuple[Number, ...],
    whose: str,
    seen: bool,
) -> _Variant:
    model = evidence.pair.quantized
    file = folder.write("nms.tflite", change_nms(read_bytes(model.file), change, model.file))
    remedy = remedies.new_nms(evidence, change)
    return _Variant(
        Change("other NMS settings", file=file), remedy, _sentence(differing, whose), differing, seen
    )


def _in_card(evidence: Evidence, reference: ComparedModel) -> Iterator[_Variant]:
    card = evidence.pair.quantized.card
    theirs: ModelCard = reference.card
    if theirs.decoder.name != card.decoder.name or theirs.decoder.nms == card.decoder.nms:
        return
    better = replace(card, decoder=replace(card.decoder, nms=theirs.decoder.nms))
    differing = tuple(
        Number(f"{key.removeprefix('decoder.nms.')} there", value)
        for key, _, value in changed_entries(card, better)
    )
    remedy = remedies.new_card(evidence, better)
    sentence = _sentence(differing, "the float side has")
    yield _Variant(Change("other NMS settings", card=better), remedy, sentence, differing, seen=True)


def _sentence(differing: tuple[Number, ...], whose: str) -> str:
    listed = ", ".join(
        f"{number.name.removesuffix(' there').replace('_', ' ')} {_short(number.value)}"
        for number in differing
        if number.name.endswith(" there")
    )
    return f"the quantized side suppresses otherwise: {whose} {listed}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
