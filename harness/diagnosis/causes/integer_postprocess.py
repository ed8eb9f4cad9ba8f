"""The outputs of `TFLite_Detection_PostProcess` are stored as integers, which hold neither boxes nor class numbers."""

from __future__ import annotations

from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.changes import Change
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.diagnosis.runs.scratch import scratch_folder
from harness.edit.graph import Plan, apply
from harness.tflite import postprocess
from harness.tflite.fault_conditions import rounded_classes
from harness.tflite.reader import read_bytes
from harness.tflite.tensor_info import TensorInfo

CAUSE = "integer-postprocess"


def examine(evidence: Evidence) -> Finding | None:
    """Use the operator's own float outputs instead of the rounded ones."""
    model = evidence.pair.quantized
    outputs = float_outputs(model)
    if outputs is None:
        return None
    with scratch_folder() as folder:
        file = folder.write("float.tflite", apply(read_bytes(model.file), Plan(outputs=outputs), model.file))
        trial = evidence.trial(Change("float outputs of PostProcess", file=file))
    grade = grade_cause(trial.difference, evidence, seen=True)
    if grade is None:
        return None
    stored = _stored(model)
    coarsest = max(info.scale or 0.0 for info in stored)
    _, cut = rounded_classes(model.description) or (None, {})
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"the outputs of TFLite_Detection_PostProcess are rounded to {stored[0].dtype} (steps of "
        f"{coarsest:.3g}){_in_words(cut)}, though its kernel gives float32 only; left in float, "
        f"{gain_text(trial.difference)}",
        (
            Number("coarsest step", coarsest),
            Number("class numbers read back as others", len(cut)),
            *gain_numbers(trial.difference),
        ),
        trial.difference,
        "edit",
        remedies.cut_postprocess(evidence),
    )


def _stored(model: ComparedModel) -> list[TensorInfo]:
    """Return the integers among what the outputs are made from, and among them."""
    facts = model.description
    ways = [(*way, output) for way, output in zip(facts.retyped, facts.outputs, strict=True)]
    return [info for way in ways for info in way if info.dtype != "float32"]


def _in_words(cut: dict[int, int]) -> str:
    """Return `, which cut 72 class numbers (class 18 is read back as 17)`; empty where none is cut."""
    if not cut:
        return ""
    first = next(iter(cut))
    return f", which cut {len(cut)} class numbers (class {first} is read back as {cut[first]})"


def float_outputs(model: ComparedModel) -> dict[str, int] | None:
    """Return the operator's own outputs in the order of the model's; None where the model's are not rounded."""
    found = postprocess.find(model.graph)
    places = postprocess.places(model.graph)
    graph = model.graph.primary
    if found is None or None in places or not _stored(model):
        return None
    own = [found[1].outputs[place] for place in places if place is not None]
    return {graph.tensors[index].name or f"output{k}": index for k, index in enumerate(own)}
