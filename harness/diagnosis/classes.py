"""Match both models' classes with the data set's by name, as `harness run` does; ids count where nothing names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.accuracy.classes import Choice, Matching
from harness.accuracy.coco_json import first_few
from harness.accuracy.dataset import Dataset
from harness.bench.subjects import match_subject
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.records.records import ClassMatch


def match_classes(
    pair: ModelPair, dataset: Dataset, say: Callable[[str], None]
) -> tuple[ModelPair, tuple[int, ...] | None]:
    """Let the models' cards say the data set's ids, and return the categories that both models know; None for all.

    Raises:
        ModelError: The names of a model and of the data set are known and none of them is on both.
    """
    found = {model.role: _matched(model, dataset) for model in pair.models}
    known = [one.categories for _, one in found.values() if one is not None and one.categories is not None]
    for model, matching in found.values():
        if matching is not None and not matching.facts.complete:
            say(f"{model.name}: {_words(matching.facts)}")
    reference = None if pair.float is None else found["float"][0]
    both = None if not known else tuple(sorted(frozenset(known[0]).intersection(*known[1:])))
    return ModelPair(reference, found["quantized"][0]), both


def _words(facts: ClassMatch) -> str:
    """Say what was matched and what has no counterpart."""
    counts = f"{facts.n_matched} of {facts.n_categories} classes matched by name ({facts.source})"
    lacking = f"the model does not know {first_few(facts.unknown_to_model)}" if facts.unknown_to_model else ""
    foreign = f"the data set has no {first_few(facts.not_in_dataset)}" if facts.not_in_dataset else ""
    return "; ".join(filter(None, (counts, lacking, foreign)))


def _matched(model: ComparedModel, dataset: Dataset) -> tuple[ComparedModel, Matching | None]:
    """Return a model whose card says the data set's ids, where names match, and how."""
    subject = match_subject(model.source, model.description, dataset, Choice())
    matching = subject.matching
    if matching is None or matching.facts.matched_by != "name":
        return model, None
    return replace(model, source=subject.model), matching
