"""Faults that are known beforehand: told of the right models, runtimes and threads, and still there."""

from dataclasses import replace

import numpy as np
import pytest

from harness.runtime import load_runtime
from harness.tflite.known_faults import CONDITIONS, Versions, faults_of, known_faults
from harness.tflite.model import describe
from tests.support.faults_table import faults_table
from tests.support.paths import MODELS, REPOSITORY

LITERT = "ai-edge-litert 2.3.0"


@pytest.fixture(scope="module")
def regular():
    """The description of a model with regular NMS over six classes."""
    facts = describe(MODELS / "shapes" / "shapes_float32.tflite")
    return replace(facts, postprocess=replace(facts.postprocess, use_regular_nms=True))


def test_the_class_that_several_threads_lose_is_named(regular):
    (found,) = faults_of(regular, LITERT, 2)
    assert found.incorrect and found.fault.name == "regular-nms-loses-a-class"
    assert found.sentence.startswith("regular NMS on 2 threads never reports class 2")
    assert "harness edit nms --fast" in found.sentence


@pytest.mark.parametrize("threads", [1, 6, 8])
def test_one_thread_and_as_many_as_classes_lose_none(regular, threads):
    assert not list(faults_of(regular, LITERT, threads))


@pytest.mark.parametrize("threads", [2, 3, 4, 5])
def test_fast_nms_loses_none(regular, threads):
    fast = replace(regular, postprocess=replace(regular.postprocess, use_regular_nms=False))
    assert not list(faults_of(fast, LITERT, threads)) and not list(faults_of(fast))


@pytest.mark.parametrize(
    ("runtime", "held"),
    [
        ("ai-edge-litert 2.3.0", True),
        ("ai-edge-litert 2.4.0.dev20261026", True),
        ("ai-edge-litert 2.5.0", False),
        ("ai-edge-litert 2.2.9", False),
        ("ai-edge-litert-nightly 2.3.0", False),
        ("ai-edge-litert", False),
        ("benchmark_model sha256:0123", False),
    ],
)
def test_versions_are_compared_as_numbers(runtime, held):
    assert Versions(name="ai-edge-litert", first="2.3", last="2.4").holds(runtime) is held


def test_every_fault_has_a_condition_and_a_source_that_is_here():
    for fault in known_faults():
        assert fault.condition in CONDITIONS and fault.runtimes
        assert fault.source.startswith("https://") or (REPOSITORY / fault.source).is_file(), fault.name


def test_the_table_of_the_documents_is_the_file():
    assert faults_table() in (REPOSITORY / "devices" / "README.md").read_text(encoding="utf-8")


def test_the_runtime_that_is_installed_still_has_the_fault_that_makes_rows_incorrect():
    """Where this fails, the fault is gone: say so in `known_faults.toml`."""
    from harness.cards import NmsSpec
    from tests.support.postprocess_operator import run_operator

    n = 6
    corners = np.arange(n) / n
    anchors = np.stack([np.full(n, 0.5), corners + 0.08, np.full(n, 0.1), np.full(n, 0.1)], 1)
    settings = NmsSpec(
        kind="regular",
        max_detections=n,
        classes_per_detection=1,
        detections_per_class=n,
        score_threshold=0.1,
        iou_threshold=0.5,
    )
    runtime = str(load_runtime())
    seen = any(versions.holds(runtime) for versions in known_faults()[0].runtimes)
    _, found, _ = run_operator(np.zeros((n, 4)), np.eye(n) * 0.9, n, anchors, settings, threads=2)
    assert (2 not in found) == seen
