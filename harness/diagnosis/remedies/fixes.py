"""Make the files of a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.accuracy.prepare import Preparation
from harness.cards import Model, ModelCard, load_card
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import CutPostProcess, Finding, NewCard, NewNms, Requantize
from harness.diagnosis.remedies.samples import calibration
from harness.edit.card_settings import with_settings, write_card
from harness.edit.card_toml import changed_entries
from harness.edit.files import edit_cut, edit_nms
from harness.errors import ModelError
from harness.quantization import engine, fold, prove
from harness.quantization.modes import find_mode
from harness.tflite.reader import read_bytes


@dataclass(frozen=True)
class FixedModel:
    """The files of a remedy.

    Attributes:
        model: The card and file to use from now on.
        files: The files that were written, the card first.
        remark: A remark for the user; may be empty.
    """

    model: Model
    files: tuple[Path, ...]
    remark: str = ""


def apply(evidence: Evidence, model: Model, findings: Sequence[Finding], folder: Path) -> FixedModel:
    """Carry out the remedy of the last finding on the model that the ones before it made.

    Args:
        evidence: The measurements.
        model: The model with the remedies before it.
        findings: Those remedies' findings and, last, the one to carry out.
        folder: Folder for the files; empty.

    Raises:
        HarnessError: It cannot be carried out; says why.
    """
    fix = findings[-1].remedy.fix
    if isinstance(fix, NewCard):
        return _new_card(evidence, model, fix.card, folder)
    if isinstance(fix, NewNms):
        file = folder / "model.tflite"
        edit_nms(model.file, file, fix.change)
        return _with_card(model.card, model, folder, file)
    if isinstance(fix, CutPostProcess):
        done = edit_cut(model, folder / "heads.tflite")
        card = next(path for path in done.written if path.suffix == ".toml")
        return FixedModel(load_card(card), (card, *(path for path in done.written if path != card)))
    if isinstance(fix, Requantize):
        return _requantized(evidence, findings, folder)
    raise ModelError(f"{findings[-1].cause}: its remedy is not one that can be carried out here")


def _new_card(evidence: Evidence, model: Model, wanted: ModelCard, folder: Path) -> FixedModel:
    """Set the entries that the remedy changes, and only those: others may have been changed before."""
    before = evidence.pair.quantized.card
    settings = [f"{key}={value}" for key, _, value in changed_entries(before, wanted)]
    return _with_card(with_settings(model.card, settings), model, folder, model.file)


def _with_card(card: ModelCard, model: Model, folder: Path, file: Path) -> FixedModel:
    path = write_card(card, model, folder / "model.toml", f"{model.name}, as --try made it", file)
    written = (path, file) if file.parent == folder else (path,)
    return FixedModel(load_card(path), written)


def _requantized(evidence: Evidence, findings: Sequence[Finding], folder: Path) -> FixedModel:
    """Quantize the float model, with the layers in float that all such remedies so far exclude."""
    model = evidence.pair.float
    wanted = [f.remedy.fix for f in findings if isinstance(f.remedy.fix, Requantize)]
    if model is None:
        raise ModelError("there is no float model to quantize again: give it as the first argument")
    kept = tuple(dict.fromkeys(pattern for fix in wanted for pattern in fix.keep_float))
    mode = find_mode(_mode(wanted))
    chosen = calibration(evidence)
    samples = chosen.data.tensors(Preparation(model.card.input, model.description.image_input))
    data = engine.quantize_bytes(
        fold.to_float32(read_bytes(model.file), model.file),
        mode,
        samples if mode.calibrated else (),
        float_output=model.description.postprocess is not None,
        keep_float=kept,
    )
    file = folder / "model.tflite"
    prove.save(data, file, f"{model.name} as {mode.name}")
    made = _with_card(model.card, model.source, folder, file)
    return FixedModel(made.model, made.files, chosen.remark if mode.calibrated else "")


def _mode(wanted: Sequence[Requantize]) -> str:
    """Return the mode that leaves most in float, where remedies differ."""
    modes = [fix.mode for fix in wanted]
    return next((mode for mode in ("dynamic", "int8-float-fallback") if mode in modes), modes[-1])
