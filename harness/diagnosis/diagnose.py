"""Diagnose in order: how much is lost, of what it consists, where it arises, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from harness.accuracy.dataset import Dataset, read_truth
from harness.diagnosis.causes import CAUSES, DECISIVE, LAST_RESORT
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.layers.first_break import compare_layers
from harness.diagnosis.layers.sensitivity import measure_layer_costs
from harness.diagnosis.loss.attribution import attribute_loss
from harness.diagnosis.loss.candidates import open_heads
from harness.diagnosis.loss.loss import measure_loss
from harness.diagnosis.remainder import Remainder
from harness.diagnosis.runs.model_pair import ModelPair
from harness.diagnosis.runs.runs import OnStep, Runs
from harness.errors import HarnessError


@dataclass(frozen=True)
class Case:
    """A diagnosis to make.

    Attributes:
        pair: The two models.
        dataset: The images.
        layer_images: Number of images that the tensors are compared on; 0 to leave that out.
        pipeline_config: The training's `pipeline.config`; None without.
        representative: The data that the quantized model was calibrated with; None when unknown.
        workspace: As for every command.
        categories: Ids of the categories that are evaluated, where a model does not know all; None for all.
    """

    pair: ModelPair
    dataset: Dataset
    layer_images: int = 100
    pipeline_config: Path | None = None
    representative: Path | None = None
    workspace: str | None = None
    categories: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Diagnosis:
    """The result of a diagnosis.

    Attributes:
        evidence: The measurements.
        findings: The causes, the one to look at first in front.
        untested: Causes whose examination failed, with the reason.
        also_seen: What is so as well, and explains nothing of the loss.
        remainder: The part of the loss that no finding explains; None where nothing was lost, or hardly anything is
            left.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    untested: tuple[tuple[str, str], ...] = field(default=())
    also_seen: tuple[Finding, ...] = field(default=())
    remainder: Remainder | None = None


def gather(case: Case, on_step: OnStep = lambda done, total, text: None) -> Evidence:
    """Measure how much is lost, of what the loss consists and where it arises.

    Raises:
        UsageError: A model, a card or the data cannot be used.
        JobError: A model failed.
    """
    truth = read_truth(case.dataset)
    if case.categories is not None:
        truth = truth.of_categories(case.categories)
    runs = Runs(case.dataset, truth, on_step)
    with open_heads(case.pair, runs) as heads:
        loss = measure_loss(case.pair, runs)
        attribution = attribute_loss(case.pair, runs, loss, heads)
        layers = compare_layers(case.pair, runs, case.layer_images)
        if layers is not None:
            layers = measure_layer_costs(case.pair, runs, layers, heads)
    return Evidence(
        pair=case.pair,
        dataset=case.dataset,
        truth=truth,
        runs=runs,
        loss=loss,
        attribution=attribution,
        layers=layers,
        pipeline_config=case.pipeline_config,
        representative=case.representative,
        workspace=case.workspace,
    )


def examine(evidence: Evidence, on_step: OnStep = lambda done, total, text: None) -> Diagnosis:
    """Test every cause, and rank those that were found; one that cannot be tested does not stop the others."""
    from harness.diagnosis.causes.ranking import explains, rank, without_lesser_guesses
    from harness.diagnosis.causes.same_loss import tell_apart
    from harness.diagnosis.remainder import find_remainder

    found: list[Finding] = []
    untested: list[tuple[str, str]] = []
    tested: list[str] = []
    for done, (name, module) in enumerate(CAUSES.items()):
        on_step(done, len(CAUSES), f"cause: {name}")
        if name in LAST_RESORT and any(finding.confidence == "certain" for finding in found):
            continue
        tested.append(name)
        test: Callable[[Evidence], Finding | None] = import_module(module).examine
        try:
            finding = test(evidence)
        except HarnessError as error:
            untested.append((name, str(error)))
        else:
            found += [finding] if finding is not None else []
            if finding is not None and name in DECISIVE:
                break
    ranked, same = tell_apart(evidence, rank(without_lesser_guesses(found)))
    findings = tuple(finding for finding in ranked if explains(finding, evidence))
    named = {*(one.cause for one in found), *(name for name, _ in untested)}
    return Diagnosis(
        evidence,
        findings,
        tuple(untested),
        (*(finding for finding in ranked if finding not in findings), *same),
        find_remainder(evidence, findings, tuple(name for name in tested if name not in named)),
    )
