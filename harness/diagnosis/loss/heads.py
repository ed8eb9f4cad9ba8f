"""The raw heads of both models, where they have the same: what is swapped before suppression."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from harness.cards import InputSpec, ModelCard
from harness.detectors.base import ModelContext
from harness.detectors.heads import HeadDecoder
from harness.detectors.registry import make_decoder
from harness.diagnosis.runs.changes import Change
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.errors import HarnessError
from harness.tflite import reader
from harness.tflite.model import describe
from harness.tflite.tensor_info import TensorInfo


@dataclass(frozen=True)
class Heads:
    """How the raw heads of a model are had and read.

    Attributes:
        model: Whose they are.
        change: What is run in its place: the model itself, or its file without PostProcess.
        decoder: Reads candidates.
        card: The card that fits what is run.
        outputs: The output tensors of what is run.
    """

    model: ComparedModel
    change: Change
    decoder: HeadDecoder
    card: ModelCard
    outputs: tuple[TensorInfo, ...]


@contextmanager
def open_heads(pair: ModelPair) -> Iterator[tuple[tuple[Heads, Heads] | None, str]]:
    """Yield the heads of both models, and why they can be swapped; or None, and why they cannot."""
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        yield _both(pair, Path(folder))


def _both(pair: ModelPair, folder: Path) -> tuple[tuple[Heads, Heads] | None, str]:
    problem = _why_not(pair)
    if problem is not None:
        return None, problem
    try:
        first, second = (_heads(model, folder) for model in pair.models)
    except HarnessError as error:
        return None, f"raw heads could not be laid open ({error})"
    if first is None or second is None:
        return None, "the outputs are finished detections, and there are no raw heads behind them"
    problem = _why_unlike(first, second)
    n_candidates, n_classes = _shape(first)
    reason = f"both have {n_candidates} candidates of {n_classes} classes before suppression"
    return (None, problem) if problem else ((first, second), reason)


def _why_not(pair: ModelPair) -> str | None:
    """Return what forbids to mix two models' candidates, whatever heads they have."""
    assert pair.float is not None
    remote = [model for model in pair.models if not model.place.in_process]
    if remote:
        return f"the raw outputs on {remote[0].place} cannot be read"
    if geometry(pair.float.card.input) != geometry(pair.quantized.card.input):
        return "the two cards place the image differently in the input"
    return None


def _why_unlike(first: Heads, second: Heads) -> str | None:
    names = [heads.card.decoder.name for heads in (first, second)]
    shapes = [_shape(heads) for heads in (first, second)]
    if names[0] != names[1]:
        return f"the heads are of two families, {names[0]} and {names[1]}"
    if shapes[0] != shapes[1]:
        return f"the heads differ: {shapes[0]} and {shapes[1]} candidates and classes"
    return None


def geometry(spec: InputSpec) -> tuple[object, ...]:
    """Return what decides where the image lies in the input."""
    padding = (spec.pad_position,) if spec.resize == "letterbox" else ()
    return spec.width, spec.height, spec.resize, *padding


def _heads(model: ComparedModel, folder: Path) -> Heads | None:
    """Return a model's heads: its own outputs, or what its PostProcess is fed."""
    card, file, change = model.card, model.file, Change()
    if model.description.postprocess is not None:
        from harness.edit.cut import cut

        made = cut(reader.read_bytes(file), file)
        file = folder / f"{model.role}.tflite"
        file.write_bytes(made.data)
        anchors = folder.resolve() / f"{model.role}.npy"
        np.save(anchors, made.anchors)
        card = replace(card, decoder=made.decoder(str(anchors)))
        change = Change(f"{model.name} before its suppression", card, file)
    outputs = describe(file).outputs
    context = ModelContext(card.input.width, card.input.height, file)
    decoder = make_decoder(card.decoder, outputs, context)
    return Heads(model, change, decoder, card, outputs) if isinstance(decoder, HeadDecoder) else None


def _shape(heads: Heads) -> tuple[int, int]:
    """Return candidates and classes, by reading outputs that are all zero."""
    outputs = [np.zeros([max(1, n) for n in info.shape], info.dtype) for info in heads.outputs]
    rows, columns = heads.decoder.read(outputs).scores.shape
    return int(rows), int(columns)
