"""Infer the model card of a bare .tflite, each entry with the evidence for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.cards import NO_DECODER, DecoderSpec, InputSpec, Labels, Model, ModelCard, Source
from harness.names import safe_name
from harness.recognize import normalization
from harness.recognize.family import Facts, Family, Refusal
from harness.recognize.registry import recognize
from harness.tflite import reader
from harness.tflite.model import describe_graph
from harness.tflite.tensor_info import TensorInfo

if TYPE_CHECKING:
    from harness.accuracy.image_files import ImageFile


@dataclass(frozen=True)
class ImageInput:
    """The image input and its size, with the evidence; `layout` None when it is no image."""

    info: TensorInfo | None
    width: int
    height: int
    layout: Literal["NHWC", "NCHW"] | None
    evidence: str


def infer_card(path: Path, pictures: Sequence[ImageFile | Path] = ()) -> Model:
    """Infer the card of a model file.

    A model of no known family gets the decoder `none`: it can be timed, not evaluated; the evidence says why.

    Args:
        path: The .tflite.
        pictures: Pictures to observe its outputs on where the file leaves something open; bundled ones when none are
            given.

    Raises:
        ModelError: The file is missing or not a valid TFLite model.
        MissingExtraError: No package with the schema classes is installed.
    """
    facts = _facts(path)
    with reader.malformed(path):
        family = _family(facts)
        image = find_image(facts.description.inputs)
        prepared = normalization.find(facts, image.info, family.normalization)
    spec = InputSpec(
        width=image.width,
        height=image.height,
        resize=family.resize,
        pad_value=family.pad_value,
        pad_position=family.pad_position,
        channels=family.channels,
        mean=prepared.mean,
        std=prepared.std,
    )
    family = _settled(facts, family, spec, pictures)
    card = ModelCard(
        name=safe_name(path.stem),
        source=Source(path=path.name, sha256=facts.description.sha256),
        input=spec,
        decoder=family.decoder,
        labels=family.labels,
    )
    evidence = (
        image.evidence,
        f"input.resize: {_resize_reason(family)}.",
        prepared.evidence,
        *family.evidence,
    )
    return Model(card=card, file=path, evidence=(*evidence, *_damage(facts)))


def find_image(inputs: Sequence[TensorInfo]) -> ImageInput:
    """Find the image among the inputs: the first of shape [1, H, W, 3] or [1, 3, H, W]."""
    for info in inputs:
        if len(info.shape) == 4 and 3 in (info.shape[3], info.shape[1]):
            layout: Literal["NHWC", "NCHW"] = "NHWC" if info.shape[3] == 3 else "NCHW"
            height, width = info.shape[1:3] if layout == "NHWC" else info.shape[2:4]
            dynamic = "; its size is dynamic and has to be set in a card" if min(height, width) < 1 else ""
            evidence = (
                f"input: {_words(info)} is an image as {layout}, width {width}, height {height}{dynamic}."
            )
            return ImageInput(info, max(width, 1), max(height, 1), layout, evidence)
    return _no_image(inputs)


def _no_image(inputs: Sequence[TensorInfo]) -> ImageInput:
    """Return an input size for latency alone: the last two dimensions of the first input that are not its channels."""
    info = inputs[0] if inputs else None
    shape = info.shape if info else ()
    sizes = shape[1:3] if len(shape) == 4 else shape[-2:]
    height, width = (1, 1, *sizes)[-2:]
    found = ", ".join(_words(i) for i in inputs) or "no input"
    evidence = f"input: found {found}, expected an image [1, H, W, 3] or [1, 3, H, W]; it can be timed only."
    return ImageInput(info, max(width, 1), max(height, 1), None, evidence)


def _facts(path: Path) -> Facts:
    data = reader.read_bytes(path)
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        description = describe_graph(graph, data, path)
    return Facts(description, graph, description.stated)


def _family(facts: Facts) -> Family:
    found = recognize(facts)
    if isinstance(found, Refusal):
        return _undecoded(found.sentences)
    return found or _no_family(facts)


def _undecoded(sentences: tuple[str, ...]) -> Family:
    return Family(DecoderSpec(name=NO_DECODER), Labels(), (*sentences, "labels: unknown without a decoder."))


def _settled(facts: Facts, family: Family, spec: InputSpec, pictures: Sequence[ImageFile | Path]) -> Family:
    """Decide by the model's outputs for some pictures what the file leaves open."""
    if not family.open:
        return family
    from harness.recognize import observe

    observations = observe.observe_outputs(facts.description, spec, pictures or observe.example_pictures())
    if observations is None:
        if family.settled:
            return family
        reason = (
            "decoder: the file leaves open how the outputs are read, and the model cannot be run here to see."
        )
        return _undecoded((reason, *family.evidence))
    chosen, evidence = observe.choose(family.open, observations, family.settled)
    if chosen is None:
        return _undecoded((*evidence, *family.evidence))
    return replace(family, decoder=chosen, evidence=(*family.evidence, *evidence))


def _no_family(facts: Facts) -> Family:
    outputs = ", ".join(_words(info) for info in facts.description.outputs) or "none"
    reason = (
        f"decoder: the outputs are of no known family of detectors ({outputs}): latency can be measured with "
        "--no-accuracy; for accuracy write a model card with a decoder."
    )
    return _undecoded((reason,))


def _resize_reason(family: Family) -> str:
    if family.decoder.name == NO_DECODER:
        return "stretch, for want of a known family"
    return f"{family.resize}, as models of the family {family.decoder.name} are trained"


def _damage(facts: Facts) -> tuple[str, ...]:
    damaged = facts.metadata.damaged
    return (f"metadata: could not be read ({damaged}); nothing of that part was used.",) if damaged else ()


def _words(info: TensorInfo) -> str:
    return f"{info.name or 'unnamed'} {info.dtype} {list(info.shape)}"
