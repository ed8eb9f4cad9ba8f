"""Turn a diagnosis into plain values: `--format json` prints them, and every other form is made of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.diagnose import Diagnosis
from harness.diagnosis.findings import Finding
from harness.diagnosis.layers.layers import Layer, Layers
from harness.diagnosis.loss.attribution import Attribution
from harness.diagnosis.loss.loss import Accuracy, Loss
from harness.diagnosis.remainder import Remainder
from harness.vocabulary import FLOAT_WEIGHTS

if TYPE_CHECKING:
    from harness.diagnosis.attempt import Attempt

Object = dict[str, Any]
COLUMNS = (
    "float",
    "quantized",
    "loss",
    "attribution",
    "layers",
    "causes",
    "remedies",
    "also_seen",
    "remainder",
)
"""The keys of the object."""
ROW_COLUMNS = ("part", "name", "value", "low", "high", "unit", "text")
"""The columns of the rows that CSV and markdown have instead of the object."""
SIGNIFICANCE = 0.05
_QUANTIZED = re.compile(r"\bquantized (side|model|file|network|one)\b")
_GAIN = ("gain", "gain_low", "gain_high")
_FIGURES = ("map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar100")


def document(diagnosis: Diagnosis, attempts: Sequence[Attempt] = ()) -> Object:
    """Return a diagnosis as one object; unknown is None, and every number finite."""
    evidence = diagnosis.evidence
    found: Object = {
        "float": None if evidence.loss.float is None else _side(evidence.loss.float),
        "quantized": _side(evidence.loss.quantized),
        "loss": _loss(evidence.loss),
        "attribution": None if evidence.attribution is None else _attribution(evidence.attribution),
        "layers": None if evidence.layers is None else _layers(evidence.layers),
        "causes": [_cause(rank, finding) for rank, finding in enumerate(diagnosis.findings, 1)],
        "remedies": [_remedy(rank, finding, attempts) for rank, finding in enumerate(diagnosis.findings, 1)],
        "also_seen": [_seen(finding) for finding in diagnosis.also_seen],
        "remainder": None if diagnosis.remainder is None else _remainder(diagnosis.remainder),
    }
    if evidence.loss.quantized.model.description.quantization in FLOAT_WEIGHTS:
        for part in ("causes", "remedies", "also_seen"):
            found[part] = [_of_float_file(one) for one in found[part]]
    return _finite(found)  # type: ignore[no-any-return]


def _of_float_file(found: Object) -> Object:
    """Return texts that do not call a float file quantized: causes do, whatever stands on the second side."""
    texts = {
        key: _QUANTIZED.sub(r"other \1", value) for key, value in found.items() if isinstance(value, str)
    }
    return {**found, **texts}


def _side(accuracy: Accuracy) -> Object:
    model, found = accuracy.model, accuracy.detections
    return {
        "model": model.name,
        "model_sha256": model.description.sha256,
        "quantization": model.description.quantization,
        "device": model.place.device,
        "delegate_requested": found.delegate.requested,
        "delegate_actual": found.delegate.actual,
        "runtime": found.runtime,
        **{name: getattr(accuracy.figures, name) for name in _FIGURES},
        "map_low": accuracy.interval.low,
        "map_high": accuracy.interval.high,
        "n_detections": len(found.table),
    }


def _loss(loss: Loss) -> Object:
    """Return the loss with the sign of the difference turned: positive where accuracy was lost."""
    found = loss.difference
    return {
        "map": _turned(None if found is None else found.difference),
        "low": _turned(None if found is None else found.high),
        "high": _turned(None if found is None else found.low),
        "p": None if found is None else found.p,
        "decision": None if found is None else decision(found),
        "n_images": loss.n_images,
        "remarks": list(loss.remarks),
    }


def _turned(value: float | None) -> float | None:
    return None if value is None else -value + 0.0


def decision(found: PairedDifference) -> str:
    """Return `worse`, `better` or `~` where the images cannot decide."""
    if found.p is None or found.difference is None or found.p >= SIGNIFICANCE:
        return "~"
    return "better" if found.difference > 0 else "worse"


def _attribution(found: Attribution) -> Object:
    return {
        "method": found.method,
        "reason": found.reason,
        "total": found.total,
        "parts": [asdict(part) for part in found.parts],
        "sizes": [asdict(size) for size in found.sizes],
        "objects_lost": found.lost,
        "objects_gained": found.gained,
        "n_objects": found.n_objects,
    }


def _layers(found: Layers) -> Object:
    return {
        "n_images": found.n_images,
        "first_break": None if found.first_break is None else found.first_break.name,
        "rule": found.rule,
        "method": found.method,
        "unmatched": found.unmatched,
        "layers": [_layer(layer) for layer in found.layers],
    }


def _layer(layer: Layer) -> Object:
    values = {name: value for name, value in vars(layer).items() if name != "pair"}
    names = {
        "name": layer.pair.name,
        "quantized_name": layer.pair.quantized_name,
        "operator": layer.pair.operator,
        "matched_by": layer.pair.matched,
    }
    return {**names, **values, "shape": list(layer.shape)}


def _cause(rank: int, finding: Finding) -> Object:
    return {
        "rank": rank,
        "cause": finding.cause,
        "confidence": finding.confidence,
        "rule": finding.rule,
        "sentence": finding.sentence,
        "numbers": [asdict(number) for number in finding.numbers],
        **_gain(finding.gain),
        "effort": finding.effort,
    }


def _seen(finding: Finding) -> Object:
    """Return what is so and explains nothing: without a remedy, for it is none."""
    return {"cause": finding.cause, "sentence": finding.sentence, **_gain(finding.gain)}


def _remainder(found: Remainder) -> Object:
    return {
        "map": found.lost,
        "share": found.share,
        "part": None if found.part is None else found.part.name,
        "part_loss": None if found.part is None else found.part.loss,
        "part_meaning": None if found.part is None else found.part.meaning,
        "layer": None if found.layer is None else found.layer.name,
        "layer_loss": None if found.layer is None else found.layer.loss,
        "looked_for": list(found.looked_for),
        "sentence": found.step.sentence,
        "command": None if found.step.command is None else list(found.step.command),
    }


def _gain(found: PairedDifference | None) -> Object:
    if found is None:
        return dict.fromkeys(_GAIN)
    return dict(zip(_GAIN, (found.difference, found.low, found.high), strict=True))


def _remedy(rank: int, finding: Finding, attempts: Sequence[Attempt]) -> Object:
    attempt = next((one for one in attempts if one.finding.cause == finding.cause), None)
    remedy = finding.remedy
    return {
        "rank": rank,
        "cause": finding.cause,
        "sentence": remedy.sentence,
        "command": None if remedy.command is None else list(remedy.command),
        "can_try": remedy.can_try,
        **_gain(finding.gain),
        "effort": finding.effort,
        "tried": None if attempt is None else _attempt(attempt),
    }


def _attempt(attempt: Attempt) -> Object:
    found = attempt.difference
    return {
        "map_before": None if found is None else found.first,
        "map_after": None if found is None else found.second,
        **_gain(found),
        "files": [str(file) for file in attempt.files],
        "sentence": attempt.sentence,
    }


def _finite(value: Any) -> Any:
    """Replace infinities by None, because JSON does not know them."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def rows(found: Mapping[str, Any]) -> Iterator[Object]:
    """Yield the object as rows of `ROW_COLUMNS`, for formats that have cells and not objects."""
    for key in ("float", "quantized"):
        model = found[key]
        if model is not None:
            text = f"{model['model']} ({model['quantization']}) with {model['delegate_actual']}"
            yield _row("map", key, model["map"], model["map_low"], model["map_high"], "mAP", text)
    loss = found["loss"]
    if loss["map"] is not None:
        yield _row("loss", "map", loss["map"], loss["low"], loss["high"], "mAP", loss["decision"])
    for part in (found["attribution"] or {}).get("parts", ()):
        yield _row("part", part["name"], part["loss"], part["low"], part["high"], "mAP", part["meaning"])
    for layer in (found["layers"] or {}).get("layers", ()):
        yield _row("tensor", layer["name"], layer["snr_db"], None, None, "dB", layer["operator"])
    for cause in found["causes"]:
        gain, low, high = (cause[key] for key in _GAIN)
        text = f"{cause['confidence']}: {cause['sentence']}"
        yield _row("cause", cause["cause"], gain, low, high, "mAP", text)
    for seen in found["also_seen"]:
        gain, low, high = (seen[key] for key in _GAIN)
        yield _row("also seen", seen["cause"], gain, low, high, "mAP", seen["sentence"])
    left = found["remainder"]
    if left is not None:
        yield _row("remainder", "map", left["map"], None, None, "mAP", remedy_text(left))
    for remedy in found["remedies"]:
        attempt = remedy["tried"] or {}
        gain, low, high = (attempt.get(key) for key in _GAIN)
        yield _row("remedy", remedy["cause"], gain, low, high, "mAP", remedy_text(remedy))


def _row(part: str, name: str, value: Any, low: Any, high: Any, unit: str, text: str) -> Object:
    return dict(zip(ROW_COLUMNS, (part, name, value, low, high, unit, text), strict=True))


def remedy_text(remedy: Mapping[str, Any]) -> str:
    """Return a remedy's sentence, with the command as for a shell."""
    return " ".join(filter(None, (remedy["sentence"], command_text(remedy["command"]))))


def command_text(command: Sequence[str] | None) -> str:
    """Return a command as for a shell; empty without one."""
    import shlex

    return "" if command is None else shlex.join(command)
