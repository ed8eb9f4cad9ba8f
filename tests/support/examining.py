"""Diagnose a case of the fault library: what the command does, without the parts that no cause looks at."""

from dataclasses import dataclass
from functools import cache
from time import perf_counter

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.cards import load_card
from harness.diagnosis.diagnose import Diagnosis, examine
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layers.first_break import compare_layers
from harness.diagnosis.loss.loss import measure_loss
from harness.diagnosis.runs.model_pair import ModelPair, Place, load_model
from harness.diagnosis.runs.runs import Runs
from harness.recognize.card import infer_card


@dataclass(frozen=True)
class Examined:
    """A case and its diagnosis.

    Attributes:
        diagnosis: With the causes in order.
        rank: Of the true cause, from 1; None where it was not named.
        seconds: What the diagnosis took.
    """

    diagnosis: Diagnosis
    rank: int | None
    seconds: float


class Scenes:
    """What many cases have in common, so that it is done once: data sets, float models and what these detect."""

    def __init__(self):
        self.runs = cache(_runs)
        self.reference = cache(_reference)


def _runs(folder, limit) -> Runs:
    dataset = find_dataset(folder).limited(limit)
    return Runs(dataset, read_annotations(dataset.annotations))


def _reference(path):
    return load_model("float", _model(path))


def examined(fault, limit=None, layer_images=20, scenes=None) -> Examined:
    """Gather the evidence of a case, without the float side where the case has none, and rank its causes.

    `scenes` are those of other cases; without them nothing is known beforehand, and the seconds are those of a user.
    """
    begin = perf_counter()
    scenes = scenes or Scenes()
    runs = scenes.runs(fault.dataset, limit)
    dataset, truth = runs.dataset, runs.truth
    reference = None if fault.reference is None else scenes.reference(fault.reference)
    pair = ModelPair(reference, load_model("quantized", _model(fault.broken), Place(delegate=fault.delegate)))
    evidence = Evidence(
        pair=pair,
        dataset=dataset,
        truth=truth,
        runs=runs,
        loss=measure_loss(pair, runs),
        layers=compare_layers(pair, runs, layer_images),
        pipeline_config=fault.pipeline_config,
        representative=fault.representative,
    )
    diagnosis = examine(evidence)
    named = [finding.cause for finding in diagnosis.findings]
    rank = next((place for place, cause in enumerate(named, 1) if cause in fault.causes), None)
    return Examined(diagnosis, rank, perf_counter() - begin)


def _model(path):
    return infer_card(path) if path.suffix == ".tflite" else load_card(path)
