"""Read the candidates of both models before suppression, where they correspond and can be swapped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from dataclasses import replace as replace_field
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from harness.accuracy.pipeline import Recipe
from harness.accuracy.prepare import Preparation
from harness.cards import InputSpec, ModelCard
from harness.detectors.base import ModelContext
from harness.detectors.heads import HeadDecoder
from harness.detectors.registry import make_decoder
from harness.diagnosis.runs.changes import Change
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.diagnosis.runs.runs import Runs
from harness.errors import HarnessError
from harness.paths import resolved
from harness.tflite.model import describe
from harness.tflite.reader import read_bytes
from harness.tflite.tensor_info import TensorInfo


@dataclass(frozen=True)
class CandidateReader:
    """Reader of a model's candidates before suppression.

    Attributes:
        model: The model.
        change: The change to the model under which it outputs them: none, or what stands before PostProcess.
        file: The file that outputs them: the model's, or one without PostProcess.
        decoder: Reads candidates from the outputs.
        card: The card that fits the changed file.
        outputs: The output tensors of the changed file.
    """

    model: ComparedModel
    change: Change
    file: Path
    decoder: HeadDecoder
    card: ModelCard
    outputs: tuple[TensorInfo, ...]

    def recipe(self) -> Recipe:
        """Return the preparation of images and the finishing of detections."""
        preparation = Preparation(self.card.input, self.model.description.image_input)
        return Recipe(preparation, self.decoder, self.card.labels)


Readers = tuple[CandidateReader, CandidateReader]
"""Those of the float model and of the quantized one."""


@dataclass(frozen=True)
class OpenedHeads:
    """The raw heads of both models.

    Attributes:
        readers: Those of both models; None where candidates cannot be swapped.
        reason: Why they can or cannot be swapped.
    """

    readers: Readers | None
    reason: str


@contextmanager
def open_heads(pair: ModelPair, runs: Runs) -> Iterator[OpenedHeads]:
    """Lay the raw heads of both models open: meanwhile, one inference of a model gives its detections and its heads."""
    with tempfile.TemporaryDirectory(prefix="harness-") as folder, ExitStack() as stack:
        found = _make_readers(pair, Path(folder))
        if found.readers is not None:
            readers = [_opened(reader, runs, Path(folder), stack) for reader in found.readers]
            found = OpenedHeads((readers[0], readers[1]), found.reason)
        yield found


def _opened(reader: CandidateReader, runs: Runs, folder: Path, stack: ExitStack) -> CandidateReader:
    """Return a reader that shares the inferences of the model as it is; the same one where that cannot be."""
    if reader.change.file is None:
        return reader
    from harness.edit.cut import lay_open

    model, file = reader.model, folder / f"{reader.model.role}-opened.tflite"
    try:
        file.write_bytes(lay_open(read_bytes(model.file), model.file))
        stack.enter_context(runs.laid_open(model, file))
    except HarnessError:
        return reader
    return replace_field(reader, change=Change(reader.change.words, reader.card, further=True))


def _make_readers(pair: ModelPair, folder: Path) -> OpenedHeads:
    problem = _find_obstacle(pair)
    if problem is not None:
        return OpenedHeads(None, problem)
    try:
        first, second = (_make_reader(model, folder) for model in pair.models)
    except HarnessError as error:
        return OpenedHeads(None, f"raw heads could not be laid open ({error})")
    if first is None or second is None:
        return OpenedHeads(
            None, "the outputs are finished detections, and there are no raw heads behind them"
        )
    problem = _find_difference(first, second)
    if problem is not None:
        return OpenedHeads(None, problem)
    n_candidates, n_classes = _shape(first)
    reason = f"both have {n_candidates} candidates of {n_classes} classes before suppression"
    return OpenedHeads((first, second), reason)


def _find_obstacle(pair: ModelPair) -> str | None:
    """Return why two models' candidates cannot be mixed, whatever their outputs are."""
    if pair.float is None:
        return "there is no float side"
    remote = [model for model in pair.models if not model.place.in_process]
    if remote:
        return f"the raw outputs on {remote[0].place} cannot be read"
    if geometry(pair.float.card.input) != geometry(pair.quantized.card.input):
        return "the two cards place the image differently in the input"
    return None


def _find_difference(first: CandidateReader, second: CandidateReader) -> str | None:
    names = [reader.card.decoder.name for reader in (first, second)]
    shapes = [_shape(reader) for reader in (first, second)]
    if names[0] != names[1]:
        return f"the heads are of two families, {names[0]} and {names[1]}"
    if shapes[0] != shapes[1]:
        return f"the heads differ: {shapes[0]} and {shapes[1]} candidates and classes"
    return None


def geometry(spec: InputSpec) -> tuple[object, ...]:
    """Return the entries of a card that decide where the image lies in the input."""
    padding = (spec.pad_position,) if spec.resize == "letterbox" else ()
    return spec.width, spec.height, spec.resize, *padding


def _make_reader(model: ComparedModel, folder: Path) -> CandidateReader | None:
    """Return the reader of a model's outputs, or of the inputs of its PostProcess; None for finished detections."""
    card, file, change = model.card, model.file, Change()
    if model.description.postprocess is not None:
        from harness.edit.cut import cut

        made = cut(read_bytes(file), file)
        file = folder / f"{model.role}.tflite"
        file.write_bytes(made.data)
        anchors = resolved(folder) / f"{model.role}.npy"
        np.save(anchors, made.anchors)
        card = replace(card, decoder=made.decoder(str(anchors)))
        change = Change(f"{model.name} before its suppression", card, file)
    outputs = describe(file).outputs
    context = ModelContext(card.input.width, card.input.height, file)
    decoder = make_decoder(card.decoder, outputs, context)
    return (
        CandidateReader(model, change, file, decoder, card, outputs)
        if isinstance(decoder, HeadDecoder)
        else None
    )


def _shape(reader: CandidateReader) -> tuple[int, int]:
    """Return the numbers of candidates and classes, by reading outputs that are all zero."""
    outputs = [np.zeros([max(1, n) for n in info.shape], info.dtype) for info in reader.outputs]
    rows, columns = reader.decoder.read(outputs).scores.shape
    return int(rows), int(columns)
