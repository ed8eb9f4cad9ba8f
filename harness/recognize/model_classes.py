"""The classes of a model: how many its outputs tell apart, and their names by the best source there is."""

from __future__ import annotations

from harness.accuracy.class_names import KnownNames, names_of
from harness.cards import Model
from harness.detectors.base import ModelContext
from harness.detectors.heads import HeadDecoder
from harness.detectors.registry import make_decoder
from harness.tflite.model import ModelDescription


def n_classes_of(model: Model, facts: ModelDescription) -> int | None:
    """Return how many classes a model's outputs tell apart, without the background; None where nothing says.

    Outputs after suppression do not say; an Ultralytics file of names lists them as the outputs count.
    """
    if facts.postprocess is not None:
        return facts.postprocess.num_classes
    context = ModelContext(model.card.input.width, model.card.input.height, model.file)
    decoder = make_decoder(model.card.decoder, facts.outputs, context)
    if isinstance(decoder, HeadDecoder) and decoder.n_classes is not None:
        return decoder.n_classes
    return len(facts.stated.names) or None


def known_names(model: Model, facts: ModelDescription) -> KnownNames | None:
    """Return the names of a model's classes; None where nothing tells them.

    Raises:
        ModelError: The card names another number of classes than the outputs have.
    """
    return names_of(model.card.labels, facts.stated.labels, n_classes_of(model, facts))
