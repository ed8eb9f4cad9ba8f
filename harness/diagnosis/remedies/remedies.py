"""Make remedies: the exact command for the user, and the same as data for `--try`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields

from harness.cards import ModelCard
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import CutPostProcess, NewCard, NewNms, Remedy, Requantize
from harness.diagnosis.remedies.samples import calibration
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.edit.card_toml import changed_entries
from harness.edit.nms import NmsChange
from harness.names import safe_name
from harness.vocabulary import FLOAT_WEIGHTS


def advice(sentence: str) -> Remedy:
    """Return a remedy that only the user can carry out."""
    return Remedy(sentence)


def new_card(evidence: Evidence, card: ModelCard) -> Remedy:
    """Return the remedy of setting other entries in the card."""
    model = evidence.pair.quantized
    changed = list(changed_entries(model.card, card))
    given = " and ".join(f"{key} = {value}" for key, _, value in changed)
    settings = [part for key, _, value in changed for part in ("--set", f"{key}={value}")]
    target = f"{safe_name(model.name)}-corrected.toml"
    command = ("harness", "edit", "card", _named(model), *settings, "-o", target)
    return Remedy(f"Set {given} in the quantized model's card.", command, True, NewCard(card))


def new_nms(evidence: Evidence, change: NmsChange) -> Remedy:
    """Return the remedy of writing other options into the model's own NMS."""
    model = evidence.pair.quantized
    options = [part for option in _nms_options(change) for part in option]
    target = f"{safe_name(model.file.stem)}-nms.tflite"
    command = ("harness", "edit", "nms", str(model.file), *options, "-o", target)
    return Remedy(
        "Write the float side's NMS settings into the quantized file.", command, True, NewNms(change)
    )


def cut_postprocess(evidence: Evidence) -> Remedy:
    """Return the remedy of suppressing on the host."""
    model = evidence.pair.quantized
    command = ("harness", "edit", "cut", _named(model), "-o", f"{safe_name(model.file.stem)}-heads.tflite")
    sentence = (
        "Convert again and leave TFLite_Detection_PostProcess and its outputs in float; until then take the operator "
        "out and suppress on the host."
    )
    return Remedy(sentence, command, True, CutPostProcess())


def requantize(
    evidence: Evidence, sentence: str, keep_float: Sequence[str] = (), mode: str = "int8"
) -> Remedy:
    """Return the remedy of quantizing the float model again; only advice where there is no float model."""
    model = evidence.pair.float
    if model is None or model.description.quantization not in FLOAT_WEIGHTS:
        return advice(sentence)
    kept = tuple(f"^{re.escape(name)}" for name in keep_float)
    sentence = f"{sentence} {_on_images(evidence)}" if mode.startswith("int8") else sentence
    target = f"{safe_name(model.file.stem)}-{mode}.tflite"
    command = ["harness", "quantize", _named(model), "--mode", mode]
    command += ["--representative", _images(evidence)] if mode.startswith("int8") else []
    command += [part for pattern in kept for part in ("--keep-float", pattern)]
    return Remedy(sentence, (*command, "-o", target), True, Requantize(mode, kept))


def _images(evidence: Evidence) -> str:
    return str(calibration(evidence).data.source)


def _on_images(evidence: Evidence) -> str:
    """Return in words which images the command calibrates with."""
    if not calibration(evidence).remark:
        return "It calibrates with the images that you gave."
    return "For want of others the command names the data set's own images: put some in that you do not evaluate on."


def _named(model: ComparedModel) -> str:
    """Return how a user names the model: the card's file, or the model's where the card was inferred."""
    return str(model.source.origin or model.file)


def _nms_options(change: NmsChange) -> Iterator[tuple[str, ...]]:
    for field in fields(change):
        value = getattr(change, field.name)
        if field.name == "regular" and value is not None:
            yield ("--regular" if value else "--fast",)
        elif value is not None:
            yield f"--{field.name.replace('_', '-')}", f"{value:g}"
