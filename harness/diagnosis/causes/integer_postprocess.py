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
from harness.tflite.reader import read_bytes

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
    coarsest = max(info.scale or 0.0 for info in model.description.outputs)
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"the outputs of TFLite_Detection_PostProcess are rounded to {model.description.outputs[0].dtype} (steps of "
        f"{coarsest:.3g}), though its kernel gives float32 only; left in float, {gain_text(trial.difference)}",
        (Number("coarsest step", coarsest), *gain_numbers(trial.difference)),
        trial.difference,
        "edit",
        remedies.cut_postprocess(evidence),
    )


def float_outputs(model: ComparedModel) -> dict[str, int] | None:
    """Return the operator's own outputs in the order of the model's; None where the model's are not rounded."""
    found = postprocess.find(model.graph)
    places = postprocess.places(model.graph)
    graph = model.graph.primary
    rounded = [
        i for i, place in zip(graph.outputs, places, strict=True) if graph.tensors[i].dtype != "float32"
    ]
    if found is None or None in places or not rounded:
        return None
    own = [found[1].outputs[place] for place in places if place is not None]
    return {graph.tensors[index].name or f"output{k}": index for k, index in enumerate(own)}
